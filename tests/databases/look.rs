//! What these tests share: databases to break, and what precall says of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use precall_base::clock;
use precall_embedded_postgres::template::TestDatabase;
use precall_store::connect::{self, Limits};
use precall_store::readiness::{self, Finding, Needs, State};
use precall_store::schema::embedded;
use tokio_postgres::Client;

use crate::support::{connect_to, database, empty_database};

/// Connections of a precall with the usual settings.
pub const CONNECTIONS: usize = 12;

/// All findings about a database.
pub async fn look(url: &str) -> Vec<Finding> {
    let limits = Limits { size: 4, ..Limits::default() };
    let pool = connect::pool(&url.parse().unwrap(), "precall test", limits).unwrap();
    let runner = embedded::runner();
    let needs = Needs { migrations: runner.get_migrations(), connections: CONNECTIONS, now: clock::now() };
    readiness::examine(&pool, needs).await
}

/// The findings that are not as needed.
pub async fn wrong(url: &str) -> Vec<Finding> {
    look(url).await.into_iter().filter(|finding| finding.state != State::Ok).collect()
}

/// Fails unless this one finding is wrong, in these words.
pub async fn says(what: &str, url: &str, name: &str, state: State, words: &[&str]) {
    let found = wrong(url).await;
    let [only] = found.as_slice() else { panic!("{what}: one finding is expected, not {found:#?}") };
    assert_eq!((only.name, only.state), (name, state), "{what}: {only:?}");
    for word in words {
        assert!(only.words.contains(word), "{what}: `{word}` is missing: {}", only.words);
    }
}

/// A name that no other test of this process uses: roles belong to the cluster.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{what}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A migrated database after these statements of an administrator.
pub async fn migrated_after(statements: &str) -> TestDatabase {
    let made = database();
    connect_to(made.url()).await.batch_execute(statements).await.unwrap();
    made
}

/// The URL of an empty database after these statements.
pub async fn empty_after(statements: &str) -> String {
    let url = empty_database(&unique("empty")).await;
    connect_to(&url).await.batch_execute(statements).await.unwrap();
    url
}

/// The same database, as this role.
pub fn as_role(url: &str, role: &str) -> String {
    url.replacen("postgres@", &format!("{role}@"), 1)
}

/// All relations, functions and triggers of a database.
pub async fn contents(client: &Client) -> String {
    let sql = "select coalesce(string_agg(item, ' ' order by item), '') from (
        select c.relkind::text || c.relname as item from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        union all select 'f' || proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname not in ('pg_catalog', 'information_schema')
        union all select 't' || tgname from pg_trigger where not tgisinternal) x";
    client.query_one(sql, &[]).await.unwrap().get(0)
}
