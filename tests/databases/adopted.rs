//! Adoption of the database of the service before: the schema that it leads to, and what it refuses.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use precall_base::clock;
use precall_base::phone_number::Region;
use precall_store::connect::{self, Limits};
use precall_store::schema::adopt::{self, Looked, Survey};
use precall_store::schema::embedded;
use precall_store::schema::migrate::{self, MigrateError, Migration, Runner, migrate};

use crate::look::{contents, empty_after, look, migrated_after};
use crate::support::connect_to;

const SERVICE_BEFORE: &str = include_str!("fixtures/service_before.sql");

fn limits() -> migrate::Limits {
    migrate::Limits { tables: Duration::from_millis(200), ..migrate::Limits::default() }
}

async fn surveyed(url: &str) -> Survey {
    let mut connected = connect::connect(&url.parse().unwrap(), "test", Limits::default()).await.unwrap();
    let looked = adopt::look(&mut connected.client, &embedded::runner(), Region::UNKNOWN, limits()).await;
    match looked.unwrap() {
        Looked::Before(survey) => *survey,
        other => panic!("{other:?}"),
    }
}

async fn adopted(url: &str) -> Result<Survey, MigrateError> {
    let mut connected = connect::connect(&url.parse().unwrap(), "test", Limits::default()).await.unwrap();
    let (runner, now) = (embedded::runner(), clock::now());
    let done = adopt::adopt(&mut connected.client, &runner, Region::UNKNOWN, None, now, limits()).await;
    done.map(|(survey, _)| survey)
}

/// Columns, defaults, constraints, indexes, triggers and functions, without the dates of partitions.
async fn schema(url: &str) -> Vec<String> {
    let sql = "
        select 'column ' || c.relname || '.' || a.attnum || ' ' || a.attname || ' '
            || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
            || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as item
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
        union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
            from pg_constraint where connamespace = current_schema()::regnamespace
        union all select 'index ' || indexdef from pg_indexes where schemaname = current_schema()
        union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        union all select 'function ' || proname from pg_proc where pronamespace = current_schema()::regnamespace
        order by 1";
    let client = connect_to(url).await;
    let items = client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect::<Vec<String>>();
    items.into_iter().filter(|item| !item.contains("alembic_version")).collect()
}

#[actix::test]
async fn an_adopted_database_has_the_schema_of_a_new_one() {
    let new = migrated_after("").await;
    let expected = schema(new.url()).await;
    assert!(expected.len() > 250, "{}", expected.len());
    let fewer = format!("{SERVICE_BEFORE}; drop table call_log, clone_ready_events, clone_transfer_events");
    for (what, statements) in [
        ("as its ORM makes it", SERVICE_BEFORE),
        ("an older version, with fewer tables", &fewer),
        ("texts without a length", &SERVICE_BEFORE.replace("varchar(255)", "text")),
    ] {
        let url = empty_after(statements).await;
        adopted(&url).await.unwrap();
        let found = schema(&url).await;
        let differ = |a: &[String], b: &[String]| -> Vec<String> {
            a.iter().filter(|item| !b.contains(item)).cloned().collect()
        };
        assert_eq!((differ(&expected, &found), differ(&found, &expected)), (vec![], vec![]), "{what}");
        assert!(look(&url).await.iter().all(|finding| !finding.prevents()), "{what}");
        let again = adopted(&url).await.unwrap_err().to_string();
        assert!(again.contains("has just adopted"), "{again}");
    }
}

#[actix::test]
async fn an_earlier_precall_may_have_begun() {
    let url = empty_after("").await;
    let mut connected = connect::connect(&url.parse().unwrap(), "test", Limits::default()).await.unwrap();
    let first: Vec<Migration> = embedded::runner().get_migrations()[..1].to_vec();
    migrate(&mut connected.client, &Runner::new(&first), migrate::Limits::default()).await.unwrap();
    connect_to(&url).await.batch_execute(SERVICE_BEFORE).await.unwrap();
    adopted(&url).await.unwrap();
    assert!(look(&url).await.iter().all(|finding| !finding.prevents()));
}

#[actix::test]
async fn a_schema_of_its_own_is_adopted_there() {
    let url = empty_after(&format!("create schema calls; set search_path = calls; {SERVICE_BEFORE}")).await;
    let url = format!("{url}?options=-csearch_path%3Dcalls");
    assert_eq!(adopted(&url).await.unwrap().schema, "calls");
    let public = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(connect_to(&url).await.query_one(public, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[actix::test]
async fn what_an_adoption_would_break_is_named_first() {
    for (extra, words) in [
        ("create view report as select caller_id from call_log", "the view public.report uses call_log"),
        (
            "create materialized view report as select * from voice_clone_log",
            "the view public.report uses voice_clone_log",
        ),
        (
            "alter table call_log add crm_id text not null",
            "alter table call_log alter column crm_id drop not null",
        ),
        ("alter table call_log drop column transcript", "call_log has no column transcript: add it"),
        (
            "alter table call_log alter created_at type timestamptz",
            "call_log.created_at is of type timestamp with time zone",
        ),
        ("create unique index one on call_log (threecx_call_id)", "call_log has the unique index one"),
    ] {
        let url = empty_after(&format!("{SERVICE_BEFORE}; {extra}")).await;
        let before = contents(&connect_to(&url).await).await;
        let found = surveyed(&url).await.obstacles;
        assert!(found.len() == 1 && found[0].contains(words), "{extra}: {found:?}");
        let error = adopted(&url).await.unwrap_err().to_string();
        assert!(error.contains(words), "{extra}: {error}");
        assert_eq!(contents(&connect_to(&url).await).await, before, "{extra}: something was changed");
    }
    let url =
        empty_after(&format!("{SERVICE_BEFORE}; alter table call_log add crm_id text default 'none'")).await;
    adopted(&url).await.unwrap();
    let kept = "select crm_id from call_log";
    assert!(connect_to(&url).await.query(kept, &[]).await.is_ok(), "a column that harms nothing stays");
}

#[actix::test]
async fn names_of_another_program_are_said_before_an_adoption() {
    let url = empty_after(&format!("{SERVICE_BEFORE}; create table lines (id int)")).await;
    let error = adopted(&url).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unusable(_)), "{error}");
    assert!(error.to_string().contains("already has lines"), "{error}");
}

#[actix::test]
async fn a_service_that_still_writes_is_named_and_nothing_waits_for_ever() {
    let url = empty_after(SERVICE_BEFORE).await;
    let client = connect_to(&url).await;
    client.batch_execute("begin; select * from call_log").await.unwrap();
    // A look stops nobody, and is stopped by nobody.
    assert!(surveyed(&url).await.others >= 1);
    let error = adopted(&url).await.unwrap_err();
    assert!(matches!(error, MigrateError::InUse(_)), "{error}");
    assert!(error.to_string().contains("stop the VoiceClone Pre-Call Service"), "{error}");
    client.batch_execute("commit").await.unwrap();
    adopted(&url).await.unwrap();
}

#[test]
fn the_tables_of_the_service_are_as_its_description_has_them() {
    let folder = std::env::var_os("PRECALL_PROVIDER_FACTS").map(PathBuf::from);
    let folder = folder.and_then(|folder| folder.parent().map(PathBuf::from));
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let file = folder.join("legacy-schema.sql");
    let Ok(text) = std::fs::read_to_string(&file) else {
        // Not `eprintln!`: the test runner hides what a passing test prints.
        let skipped = format!("SKIPPED: the tables of the service before: {} is not there\n", file.display());
        let _ = std::io::stderr().write_all(skipped.as_bytes());
        return;
    };
    let statements = |text: &str| -> Vec<String> {
        let code = text.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ");
        code.split(';').map(|one| one.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(statements(SERVICE_BEFORE), statements(&text));
}
