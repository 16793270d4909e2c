//! Databases of other programs and of other versions: recognised before the first write, and left as they are.

use precall_store::connect::{self, Limits};
use precall_store::readiness::State;
use precall_store::schema::embedded;
use precall_store::schema::migrate::{self, MigrateError, Migration, Runner, migrate};

use crate::look::{contents, empty_after, look, migrated_after, says};
use crate::support::connect_to;

const SERVICE_BEFORE: &str = include_str!("fixtures/service_before.sql");
const REMEDY: &str = "precall migrate --adopt";

async fn applied(url: &str, runner: &Runner) -> Result<Vec<i32>, MigrateError> {
    let mut connected = connect::connect(&url.parse().unwrap(), "test", Limits::default()).await.unwrap();
    migrate(&mut connected.client, runner, migrate::Limits::default()).await
}

/// Fails unless both the look and the migrations refuse this database in these words, and leave it as it is.
async fn is_refused(what: &str, url: &str, words: &[&str]) {
    let client = connect_to(url).await;
    let before = contents(&client).await;
    says(what, url, "database schema", State::Wrong, words).await;
    let error = applied(url, &embedded::runner()).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unusable(_)), "{what}: {error}");
    for word in words {
        assert!(error.to_string().contains(word), "{what}: {error}");
    }
    assert_eq!(contents(&client).await, before, "{what}: something was changed");
}

/// The first `count` migrations.
fn first(count: usize) -> Runner {
    let all: Vec<Migration> = embedded::runner().get_migrations().clone();
    Runner::new(&all[..count])
}

#[actix::test]
async fn the_service_before_is_named_with_its_way_out() {
    let url = empty_after(SERVICE_BEFORE).await;
    is_refused("as its ORM makes it", &url, &["VoiceClone Pre-Call Service", REMEDY]).await;
    for without in [
        "alembic_version, clone_transfer_events, voice_clone_log",
        "call_log, clone_ready_events, clone_failed_events",
    ] {
        connect_to(&url).await.batch_execute(&format!("drop table {without}")).await.unwrap();
        is_refused("an older version, with fewer tables", &url, &["VoiceClone Pre-Call Service", REMEDY])
            .await;
    }
    let in_schema = format!("create schema calls; set search_path = calls; {SERVICE_BEFORE}");
    let url = empty_after(&in_schema).await;
    let url = format!("{url}?options=-csearch_path%3Dcalls");
    is_refused("in a schema of its own", &url, &["VoiceClone Pre-Call Service", REMEDY]).await;
}

#[actix::test]
async fn the_service_before_with_the_first_migration_of_an_earlier_precall_is_named() {
    let url = empty_after("").await;
    assert_eq!(applied(&url, &first(1)).await.unwrap(), [1]);
    connect_to(&url).await.batch_execute(SERVICE_BEFORE).await.unwrap();
    is_refused("V1 is applied", &url, &["VoiceClone Pre-Call Service", "V1__event_log"]).await;
}

#[actix::test]
async fn names_of_another_program_are_said() {
    for (taken, word) in [
        ("create table lines (id serial primary key, text text)", "lines"),
        ("create view engine as select 1 as horsepower", "engine"),
        ("create sequence event_position", "event_position"),
        ("create function call_of_erased() returns int language sql as 'select 1'", "call_of_erased"),
        ("create table webhooks (url text); create table audit_log (at timestamptz)", "audit_log, webhooks"),
        ("create type lines as enum ('straight')", "lines"),
        ("create domain consents as text", "consents"),
        ("create table call_log (id int)", "call_log"),
        ("create table a (n int); create index webhooks_id on a (n)", "webhooks_id"),
    ] {
        let url = empty_after(taken).await;
        is_refused(taken, &url, &[word, "of its own"]).await;
    }
}

#[actix::test]
async fn other_tables_beside_precalls_are_no_obstacle() {
    let url = empty_after("create table customers (id int); create table invoices (id int)").await;
    assert!(look(&url).await.iter().all(|finding| finding.state == State::Ok));
    assert!(!applied(&url, &embedded::runner()).await.unwrap().is_empty());
    let found = look(&url).await;
    let schema = found.iter().find(|finding| finding.name == "database schema").unwrap();
    assert!(schema.words.contains("2 tables of other programs"), "{schema:?}");
}

/// What a newer precall has written down of a migration.
fn future(version: usize) -> String {
    format!("insert into refinery_schema_history values ({version}, 'future', now()::text, '1')")
}

#[actix::test]
async fn a_schema_of_the_next_version_is_used_as_long_as_it_takes_nothing_away() {
    let newest = embedded::runner().get_migrations().len();
    let made = migrated_after("").await;
    let client = connect_to(made.url()).await;
    let added =
        "alter table call_log add of_the_future text not null default 'x'; create table futures (id int);";
    client.batch_execute(&format!("{added} {}", future(newest + 1))).await.unwrap();
    assert_eq!(applied(made.url(), &embedded::runner()).await.unwrap(), [0; 0]);
    let found = look(made.url()).await;
    let schema = found.iter().find(|finding| finding.name == "database schema").unwrap();
    assert_eq!(schema.state, State::Ok, "{schema:?}");
    assert!(schema.words.contains(&format!("V{}__future", newest + 1)), "{schema:?}");
    assert!(schema.words.contains("A newer precall"), "{schema:?}");
    let taken_away = format!("update schema_support set oldest = {}", newest + 1);
    client.execute(&taken_away, &[]).await.unwrap();
    is_refused("it has taken something away", made.url(), &["of a newer precall", "__future"]).await;
    // One that does not know the table at all, as before V20.
    client.execute("drop table schema_support", &[]).await.unwrap();
    is_refused("it does not say", made.url(), &["of a newer precall"]).await;
}

#[actix::test]
async fn a_history_that_is_not_ours_is_said() {
    let newest = embedded::runner().get_migrations().len();
    let cases = [
        (
            format!("{}; update schema_support set oldest = {}", future(newest + 1), newest + 1),
            "of a newer precall",
        ),
        ("update refinery_schema_history set checksum = '1' where version = 3".to_owned(), "another text"),
        (
            "delete from refinery_schema_history where version = 2".to_owned(),
            "rows of refinery_schema_history",
        ),
        ("drop table refinery_schema_history".to_owned(), "not their migration history"),
        ("update refinery_schema_history set name = 'of_' || name".to_owned(), "belongs to another program"),
        ("alter table refinery_schema_history rename column name to title".to_owned(), "is not the table"),
        (
            "create schema first; alter role current_user in database NAME set search_path = first, public"
                .to_owned(),
            "are in the schema public",
        ),
    ];
    for (statement, word) in cases {
        let made = migrated_after("").await;
        let name = made.url().rsplit_once('/').unwrap().1;
        let statement = statement.replace("NAME", name);
        connect_to(made.url()).await.batch_execute(&statement).await.unwrap();
        is_refused(&statement, made.url(), &[word]).await;
    }
}

#[actix::test]
async fn an_older_schema_is_brought_up_to_date() {
    let url = empty_after("").await;
    let all: Vec<i32> = embedded::runner().get_migrations().iter().map(Migration::version).collect();
    assert_eq!(applied(&url, &first(4)).await.unwrap(), all[..4]);
    let found = look(&url).await;
    let schema = found.iter().find(|finding| finding.name == "database schema").unwrap();
    assert!(schema.words.contains("the start applies V5, V6"), "{schema:?}");
    assert_eq!(applied(&url, &embedded::runner()).await.unwrap(), all[4..]);
    assert_eq!(applied(&url, &embedded::runner()).await.unwrap(), [0; 0]);
    // The table is as refinery reads it.
    let mut client = connect_to(&url).await;
    let read = embedded::runner().get_applied_migrations_async(&mut client).await.unwrap();
    assert_eq!(read.len(), all.len());
}

#[actix::test]
async fn a_failed_migration_changes_nothing_and_is_named_with_the_words_of_postgresql() {
    let url = empty_after("").await;
    let runner = Runner::new(&[
        Migration::unapplied("V1__first", "create table numbers (n int)").unwrap(),
        Migration::unapplied("V2__second", "create table more (n nonsense)").unwrap(),
        Migration::unapplied("V3__third", "create table last (n int)").unwrap(),
    ]);
    let error = applied(&url, &runner).await.unwrap_err().to_string();
    assert!(error.contains("V2__second") && error.contains("type \"nonsense\" does not exist"), "{error}");
    assert_eq!(contents(&connect_to(&url).await).await, "", "not even the table of the history");
}

#[actix::test]
async fn every_name_that_the_migrations_take_is_known() {
    let made = migrated_after("").await;
    // Names of constraints are left out: PostgreSQL says which one is taken, and nothing is changed.
    let sql = "select relname::text from pg_class c where relnamespace = 'public'::regnamespace
            and relkind in ('r', 'p', 'S', 'i', 'I', 'v') and relname <> 'refinery_schema_history'
            and not exists (select from pg_constraint where conindid = c.oid)
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i') and relkind = 'S')
            and not exists (select from pg_inherits i join pg_class p on p.oid = i.inhparent
                where i.inhrelid = c.oid and p.relkind = 'I')
        union all select proname::text from pg_proc where pronamespace = 'public'::regnamespace";
    let rows = connect_to(made.url()).await.query(sql, &[]).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(names.len() > 40, "{names:?}");
    let url = empty_after("").await;
    let client = connect_to(&url).await;
    let mut unknown = Vec::new();
    for name in names {
        client.batch_execute(&format!("create table \"{name}\" (n int)")).await.unwrap();
        if look(&url).await.iter().all(|finding| !finding.prevents()) {
            unknown.push(name.clone());
        }
        client.batch_execute(&format!("drop table \"{name}\"")).await.unwrap();
    }
    assert_eq!(unknown, [""; 0]);
}
