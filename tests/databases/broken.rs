//! Databases that are really broken, one way each, and what precall says of it.

use precall_store::readiness::State;

use crate::look::{as_role, contents, look, migrated_after, says, unique, wrong};
use crate::support::{Plan, World, connect_to, database, until};

#[actix::test]
async fn a_migrated_database_has_nothing_wrong() {
    let made = database();
    let found = look(made.url()).await;
    assert!(found.iter().all(|finding| finding.state == State::Ok), "{found:#?}");
    let names: Vec<_> = found.iter().map(|finding| finding.name).collect();
    let expected = [
        "database",
        "database pooling",
        "database encoding",
        "database writes",
        "database sessions",
        "database connections",
        "database clock",
        "database schema",
        "database privileges",
        "database triggers",
        "database lock",
    ];
    assert_eq!(names, expected);
}

#[actix::test]
async fn another_encoding_is_wrong() {
    for encoding in ["SQL_ASCII", "LATIN1", "EUC_JP"] {
        let made = database();
        let admin = connect_to(made.url()).await;
        let name = unique("encoded");
        let create = format!(
            "create database {name} encoding '{encoding}' lc_collate 'C' lc_ctype 'C' template template0"
        );
        admin.batch_execute(&create).await.unwrap();
        let (base, _) = made.url().rsplit_once('/').unwrap();
        let words = [encoding, "encoding 'UTF8' template template0", "DATABASE_URL"];
        says(encoding, &format!("{base}/{name}"), "database encoding", State::Wrong, &words).await;
    }
}

#[actix::test]
async fn a_setting_of_the_url_or_the_role_can_break_each_session() {
    let made = database();
    let role = unique("setting");
    let admin = connect_to(made.url()).await;
    admin.batch_execute(&format!("create role {role} superuser login")).await.unwrap();
    let url = as_role(made.url(), &role);
    let cases = [
        ("default_transaction_read_only = on", "database writes", State::Waiting, "reset"),
        ("session_replication_role = replica", "database sessions", State::Wrong, "reset"),
        ("search_path = nowhere", "database schema", State::Wrong, "search_path (nowhere)"),
    ];
    for (setting, name, state, word) in cases {
        let (parameter, value) = setting.split_once(" = ").unwrap();
        admin.batch_execute(&format!("alter role {role} set {parameter} = {value}")).await.unwrap();
        says(setting, &url, name, state, &[word]).await;
        admin.batch_execute(&format!("alter role {role} reset all")).await.unwrap();
    }
    // The client asks for the style that it reads. Only a pooler can leave that out, or DATABASE_URL ask for another.
    admin.batch_execute(&format!("alter role {role} set datestyle = 'German'")).await.unwrap();
    assert_eq!(wrong(&url).await, []);
    let asked = format!("{url}?options=-c%20datestyle%3DGerman");
    says("datestyle", &asked, "database sessions", State::Warning, &["DateStyle is German", "partitions"])
        .await;
    // The running service shows it, and works.
    let world = World::at(asked, Plan::default()).await;
    until("health shows it", || async {
        world.get("/health").await.1["problems"].to_string().contains("DateStyle")
    })
    .await;
    assert_eq!(world.get("/health").await.1["status"], "degraded");
    world.app.stop_now().await;
}

#[actix::test]
async fn each_missing_privilege_is_named_with_the_statement_that_grants_it() {
    let cases = [
        // What is taken from a role that owns everything, the word that names it.
        ("", "grant usage, create on schema public to", "revoke create on schema public from public, ROLE"),
        ("alter table lines owner to postgres", "lines", "revoke all on lines from ROLE"),
        ("alter table call_log owner to postgres", "call_log", "grant select on call_log to ROLE"),
        (
            "alter sequence event_position owner to postgres",
            "event_position",
            "revoke all on sequence event_position from ROLE",
        ),
        (
            "alter table call_events owner to postgres",
            "does not own call_events",
            "grant all on call_events to ROLE",
        ),
        (
            "alter table consents owner to postgres",
            "row level security hides rows of consents",
            "grant all on consents to ROLE; alter table consents enable row level security",
        ),
    ];
    for (before, word, taken) in cases {
        let made = database();
        let role = unique("role");
        let admin = connect_to(made.url()).await;
        admin
            .batch_execute(&format!("create role {role} login; grant create on schema public to {role}"))
            .await
            .unwrap();
        give_all(made.url(), &role).await;
        let url = as_role(made.url(), &role);
        assert_eq!(wrong(&url).await, [], "the owner of everything may do everything");
        admin.batch_execute(before).await.unwrap();
        admin.batch_execute(&taken.replace("ROLE", &role)).await.unwrap();
        says(taken, &url, "database privileges", State::Wrong, &[word]).await;
    }
}

/// Makes a role the owner of all tables and sequences.
async fn give_all(url: &str, role: &str) {
    let client = connect_to(url).await;
    let sql = "select format('alter table %I owner to %I', relname, $1::text) from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'S')";
    for row in client.query(sql, &[&role]).await.unwrap() {
        client.batch_execute(row.get(0)).await.unwrap();
    }
}

#[actix::test]
async fn triggers_that_do_not_run_are_named() {
    for statement in [
        "alter table call_events disable trigger call_events_of_erased",
        "alter table webhooks disable trigger all",
        "drop trigger consent_log_stands on consent_log",
        "alter table call_log enable replica trigger call_log_of_erased",
    ] {
        let made = migrated_after(statement).await;
        let table =
            statement.split_whitespace().find(|word| word.contains('_') || *word == "webhooks").unwrap();
        says(
            statement,
            made.url(),
            "database triggers",
            State::Wrong,
            &[table.trim_end_matches("_of_erased")],
        )
        .await;
    }
}

#[actix::test]
async fn too_few_connections_are_counted() {
    let made = database();
    let role = unique("few");
    let admin = connect_to(made.url()).await;
    admin.batch_execute(&format!("create role {role} login connection limit 8")).await.unwrap();
    admin.batch_execute(&format!("grant create on schema public to {role}")).await.unwrap();
    give_all(made.url(), &role).await;
    let url = as_role(made.url(), &role);
    let words = ["8 are allowed (the connection limit of the role)", "up to 12", "DATABASE_POOL_SIZE"];
    says("role", &url, "database connections", State::Wrong, &words).await;
    admin.batch_execute(&format!("alter role {role} connection limit -1")).await.unwrap();
    let name = made.url().rsplit_once('/').unwrap().1;
    admin.batch_execute(&format!("alter database {name} connection limit 11")).await.unwrap();
    says("database", &url, "database connections", State::Wrong, &["the connection limit of the database"])
        .await;
}

#[actix::test]
async fn objects_that_are_gone_are_named() {
    for (statement, word) in [
        ("drop table webhooks", "webhooks"),
        ("drop sequence engine_generation", "engine_generation"),
        ("drop function webhook_of_erased cascade", "webhook_of_erased"),
        ("drop index webhooks_quarantined", "webhooks_quarantined"),
    ] {
        let made = migrated_after(statement).await;
        says(statement, made.url(), "database schema", State::Wrong, &[word, "backup"]).await;
    }
}

#[actix::test]
async fn the_look_itself_changes_nothing() {
    let made = database();
    let client = connect_to(made.url()).await;
    let before = contents(&client).await;
    look(made.url()).await;
    assert_eq!(contents(&client).await, before);
}
