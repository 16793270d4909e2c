//! What the role of DATABASE_URL may do, and whether the triggers stand: a restored database often belongs to another
//! role, and may have its triggers switched off.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::Finding;
use crate::schema::migrate::Migration;
use crate::schema::objects::{Kind, Objects, name_list};

/// precall makes and drops partitions of them, which only an owner may.
const PARTITIONED: [&str; 3] = ["call_events", "voice_events", "webhooks"];

const SCHEMA: &str = "
    select has_schema_privilege($1::text, 'create'), has_schema_privilege($1::text, 'usage'), current_user::text";

// Name, kind, what is missing, whether the role owns it, its owner, whether row security hides rows.
const RELATIONS: &str = "
    select c.relname::text, c.relkind::text,
        case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'usage')
            else has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete') end,
        pg_has_role(c.relowner, 'usage'), pg_get_userbyid(c.relowner)::text,
        case when c.relkind in ('r', 'p') then row_security_active(c.oid) else false end
    from pg_class c
    where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p', 'S', 'v')
    order by 1";

const TRIGGERS: &str = "
    select c.relname::text, t.tgname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = $1::text::regnamespace and not t.tgisinternal and t.tgenabled in ('O', 'A')";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[SCHEMA, RELATIONS, TRIGGERS];

/// Which schema to look at, and how far its migrations are.
pub(super) struct Asked {
    pub(super) schema: String,
    pub(super) is_empty: bool,
    pub(super) has_pending: bool,
}

pub(super) async fn look(
    client: &Client,
    migrations: &[Migration],
    asked: &Asked,
) -> Result<Vec<Finding>, tokio_postgres::Error> {
    let quoted: String = client.query_one("select quote_ident($1)", &[&asked.schema]).await?.try_get(0)?;
    let row = client.query_one(SCHEMA, &[&asked.schema]).await?;
    let (may_create, may_use, role): (bool, bool, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if !may_create || !may_use {
        let words = format!(
            "the role {role} may not create tables in the schema {quoted}, and precall makes partitions every week: \
             run `grant usage, create on schema {quoted} to {role}`"
        );
        return Ok(vec![Finding::wrong("database privileges", words)]);
    }
    if asked.is_empty {
        return Ok(vec![Finding::ok("database privileges", format!("{role} may create tables"))]);
    }
    let mut objects = Objects::default();
    for migration in migrations {
        objects.follow(migration.sql().unwrap_or_default());
    }
    let relations = Relations::read(client, &quoted, &objects).await?;
    let mut findings = vec![relations.judge(&role, &quoted, asked.has_pending)];
    if !asked.has_pending {
        findings.push(triggers(client, &quoted, &objects).await?);
    }
    Ok(findings)
}

/// Names of precall's relations that lack something.
#[derive(Default)]
struct Relations {
    refused: Vec<String>,
    /// Each with its owner.
    of_others: Vec<(String, String)>,
    hidden: Vec<String>,
}

impl Relations {
    async fn read(client: &Client, schema: &str, objects: &Objects) -> Result<Self, tokio_postgres::Error> {
        let mut found = Self::default();
        for row in client.query(RELATIONS, &[&schema]).await? {
            let (name, is_allowed): (String, bool) = (row.try_get(0)?, row.try_get(2)?);
            if !matches!(objects.named.get(&name), Some(Kind::Table | Kind::Sequence)) {
                continue;
            }
            if !is_allowed {
                found.refused.push(name.clone());
            }
            if row.try_get(5)? {
                found.hidden.push(name.clone());
            }
            if !row.try_get::<_, bool>(3)? {
                found.of_others.push((name, row.try_get(4)?));
            }
        }
        Ok(found)
    }

    fn judge(&self, role: &str, schema: &str, has_pending: bool) -> Finding {
        let name = "database privileges";
        if !self.refused.is_empty() {
            let words = format!(
                "the role {role} may not read and write {}: run `grant select, insert, update, delete on all tables \
                 in schema {schema} to {role}` and `grant usage on all sequences in schema {schema} to {role}`",
                name_list(&self.refused)
            );
            return Finding::wrong(name, words);
        }
        // A migration may change every table. Without one, only partitions are made and dropped.
        let needs = |table: &str| has_pending || PARTITIONED.contains(&table);
        if let Some((table, owner)) = self.of_others.iter().find(|(table, _)| needs(table)) {
            let words = format!(
                "the role {role} does not own {table} (its owner is {owner}), and only the owner makes partitions and \
                 applies migrations: run `reassign owned by {owner} to {role}` in this database, or `grant {owner} to \
                 {role}`"
            );
            return Finding::wrong(name, words);
        }
        if !self.hidden.is_empty() {
            let words = format!(
                "row level security hides rows of {} from the role {role}: run `alter table ... disable row level \
                 security`, or use the owner of the tables",
                name_list(&self.hidden)
            );
            return Finding::wrong(name, words);
        }
        Finding::ok(name, format!("{role} may do all that precall needs"))
    }
}

async fn triggers(
    client: &Client,
    schema: &str,
    objects: &Objects,
) -> Result<Finding, tokio_postgres::Error> {
    let mut enabled = BTreeSet::new();
    for row in client.query(TRIGGERS, &[&schema]).await? {
        enabled.insert((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?));
    }
    let off: Vec<String> = objects
        .triggers
        .iter()
        .filter(|trigger| !enabled.contains(trigger))
        .map(|(table, name)| format!("{name} on {table}"))
        .collect();
    if off.is_empty() {
        return Ok(Finding::ok("database triggers", format!("{} are enabled", objects.triggers.len())));
    }
    let words = format!(
        "switched off or missing: {}. They keep erased data out and the consent log whole: run `alter table ... \
         enable trigger ...`, or restore the database with its triggers",
        name_list(&off)
    );
    Ok(Finding::wrong("database triggers", words))
}
