//! Databases of the service before, with 10,000 rows a table.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::Client;

use crate::support::{connect_to, empty_database};

const TABLES: &str = include_str!("../../databases/fixtures/service_before.sql");
const ROWS: &str = include_str!("../../databases/fixtures/service_before_rows.sql");

/// A database that nobody changes, to copy.
pub struct Before {
    name: String,
    admin: String,
}

impl Before {
    pub async fn new() -> Self {
        let name = unique("before");
        let url = empty_database(&name).await;
        let client = connect_to(&url).await;
        client.batch_execute(TABLES).await.unwrap();
        client.batch_execute(ROWS).await.unwrap();
        Self { name, admin: with_database(&url, "postgres") }
    }

    /// The URL of a copy.
    pub async fn copy(&self) -> String {
        let name = unique("copy");
        let client = connect_to(&self.admin).await;
        // The session that filled it may just be ending.
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        client.execute(end, &[&self.name]).await.unwrap();
        let statement = format!("create database {name} template {} strategy file_copy", self.name);
        client.batch_execute(&statement).await.unwrap();
        with_database(&self.admin, &name)
    }
}

/// The URL of a database of the service before, with the rows of this statement.
pub async fn with_rows(statement: &str) -> String {
    let url = empty_database(&unique("small")).await;
    let client = connect_to(&url).await;
    client.batch_execute(TABLES).await.unwrap();
    client.batch_execute(statement).await.unwrap();
    url
}

fn with_database(url: &str, name: &str) -> String {
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("adoption_{what}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A hash of an expression over the rows of a table, in the order of their ids.
pub async fn md5(client: &Client, table: &str, expression: &str, condition: &str) -> String {
    let statement = format!(
        "select '{table}: ' || count(*) || ' ' || coalesce(md5(string_agg(({expression})::text, ',' order by id)), '-')
        from {table} where {condition}"
    );
    client.query_one(&statement, &[]).await.unwrap_or_else(|e| panic!("{statement}: {e:?}")).get(0)
}

/// Everything that is in a database: as a dump, hashed row by row.
pub async fn contents(client: &Client) -> Vec<String> {
    let catalog = "
        select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
            || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as item
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
        union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
            from pg_constraint where connamespace = 'public'::regnamespace
        union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
        union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        union all select 'function ' || pg_get_functiondef(oid) from pg_proc
            where pronamespace = 'public'::regnamespace
        order by 1";
    let mut found: Vec<String> =
        client.query(catalog, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let tables = "select relname::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1";
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let rows = format!(
            "select '{table} ' || count(*) || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '')
            from {table} t"
        );
        found.push(client.query_one(&rows, &[]).await.unwrap().get(0));
    }
    found
}
