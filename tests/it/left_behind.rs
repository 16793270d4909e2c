//! Spool files that an earlier process left behind. Their entries enter the logs unless another process has written to
//! the same log since; then they are set aside.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_call::At;
use precall_embedded_postgres::template::TestDatabase;
use precall_store::connect::{Limits, pool};
use precall_store::events::positions::Positions;
use precall_store::events::rows::{Batch, Entry, Stream};
use precall_store::leader::engine_lock;
use precall_store::spool::batch::to_frame;
use precall_store::spool::handle::SpoolHandle;
use precall_store::spool_pace::Pace;
use precall_store::spool_recovery::{Beside, LeftError, LeftSpools, bring_in};
use serde_json::json;
use slog::{Discard, Logger, o};
use uuid::Uuid;

use crate::support::{connect_to, database, empty_database, until};

const LEASE: Duration = Duration::from_secs(4);

struct Store {
    _database: TestDatabase,
    url: String,
    id: Uuid,
    client: tokio_postgres::Client,
    root: tempfile::TempDir,
}

impl Store {
    async fn acted_in(generation: u64) -> Self {
        let database = database();
        let client = connect_to(database.url()).await;
        let id = engine_lock::claim(&client, generation, LEASE, Uuid::now_v7()).await.unwrap();
        let url = database.url().to_owned();
        Self { _database: database, url, id, client, root: tempfile::tempdir().unwrap() }
    }

    async fn spooled(&self, generation: u64, batches: &[Batch]) {
        self.spooled_of(None, generation, batches).await;
    }

    /// As a start on this database leaves it; an earlier version does not name the database.
    async fn spooled_of(&self, database: Option<Uuid>, generation: u64, batches: &[Batch]) {
        let spool = SpoolHandle::fresh(self.root.path(), 1 << 20).unwrap();
        if let Some(database) = database {
            spool.belong_to(database).await;
        }
        for batch in batches {
            spool.append(to_frame(batch, generation).unwrap()).await.unwrap();
        }
    }

    fn pool(&self) -> Pool {
        pool(&self.url.parse().unwrap(), "test", Limits::default()).unwrap()
    }

    async fn bring_in(&self) -> usize {
        bring_in(self.root.path(), &self.pool(), &log()).await.unwrap()
    }

    async fn found(&self) -> LeftSpools {
        LeftSpools::find(self.root.path(), &self.pool(), &log()).await.unwrap()
    }

    async fn rest(&self, left: LeftSpools) -> usize {
        let (pace, positions) = (Pace::default(), Positions::default());
        let beside = Beside { pace: &pace, positions: &positions };
        left.import_rest(&self.pool(), beside, &log()).await.unwrap()
    }

    /// The same spool beside a copy of the database as it is now: what a backup of this moment brings back.
    async fn backup(&self, name: &str) -> String {
        let beside = empty_database(&format!("{name}_beside")).await;
        let admin = connect_to(&beside).await;
        let source: String =
            self.client.query_one("select current_database()::text", &[]).await.unwrap().get(0);
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        admin.execute(end, &[&source]).await.unwrap();
        until("nobody uses the database", || async {
            let others = "select count(*) from pg_stat_activity where datname = $1";
            admin.query_one(others, &[&source]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
        admin.batch_execute(&format!("create database {name} template {source}")).await.unwrap();
        beside.replace(&format!("{name}_beside"), name)
    }

    /// Goes on with a restored database.
    async fn restored(mut self, url: String) -> Self {
        self.client = connect_to(&url).await;
        self.url = url;
        self
    }

    async fn reasons(&self) -> String {
        let sql = "select string_agg(distinct reason, '|') from quarantined_events";
        self.client.query_one(sql, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
    }

    async fn logged(&self, owner: Uuid) -> Vec<(i64, String)> {
        let sql = "select seq, event ->> 'n' from call_events where call = $1 order by seq";
        let rows = self.client.query(sql, &[&owner]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn apart(&self) -> Vec<(Uuid, i64)> {
        let sql = "select owner, seq from quarantined_events order by owner, seq";
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

fn log() -> Logger {
    Logger::root(Discard, o!())
}

fn event(owner: Uuid, seq: i64, n: &str) -> Batch {
    let event = json!({ "v": 1, "kind": "test", "n": n });
    let entry = Entry { stream: Stream::Call, owner, seq, at: At(0), event, pii: None, derived: Vec::new() };
    Batch { entries: vec![entry], rows: Vec::new() }
}

fn is_empty(root: &Path) -> bool {
    std::fs::read_dir(root).unwrap().next().is_none()
}

const OLD: Uuid = Uuid::from_u128(1);
const NEW: Uuid = Uuid::from_u128(2);
const OVER: Uuid = Uuid::from_u128(3);

#[actix::test]
async fn leftover_spool_entries_enter_their_call_log_once() {
    let store = Store::acted_in(1).await;
    // The first entry was already written, but its outcome was not known.
    store.spooled(1, &[event(OLD, 1, "a"), event(OLD, 2, "b")]).await;
    store.spooled(1, &[event(OLD, 1, "a"), event(OLD, 2, "b"), event(NEW, 1, "c")]).await;
    assert_eq!(store.bring_in().await, 5);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned()), (2, "b".to_owned())]);
    assert_eq!(store.logged(NEW).await, [(1, "c".to_owned())]);
    assert_eq!(store.apart().await, []);
    assert!(is_empty(store.root.path()));
    assert_eq!(store.bring_in().await, 0);
}

#[actix::test]
async fn leftover_spool_entries_do_not_change_a_log_that_another_process_continued() {
    let store = Store::acted_in(1).await;
    store.spooled(1, &[event(OLD, 1, "a")]).await;
    store.bring_in().await;
    let left = [event(OLD, 2, "mine"), event(NEW, 1, "c"), event(OLD, 3, "mine"), event(NEW, 2, "d")];
    store.spooled(1, &left).await;
    // Another host took over and has not written anything yet.
    engine_lock::claim(&store.client, 2, LEASE, Uuid::now_v7()).await.unwrap();
    assert_eq!(store.bring_in().await, 4);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned())], "the other process writes the next event");
    assert_eq!(store.apart().await, [(OLD, 2), (OLD, 3)]);
    let whole = [(1, "c".to_owned()), (2, "d".to_owned())];
    assert_eq!(store.logged(NEW).await, whole, "no other process has this call");
    // As after a crash halfway through.
    store.spooled(1, &left).await;
    assert_eq!(store.bring_in().await, 4);
    assert_eq!(store.apart().await, [(OLD, 2), (OLD, 3)]);
    assert_eq!(store.logged(NEW).await, whole);
    assert!(is_empty(store.root.path()));
}

#[actix::test]
async fn a_spool_of_another_database_stays_and_is_named() {
    let store = Store::acted_in(1).await;
    let other = Uuid::from_u128(99);
    store.spooled_of(Some(other), 1, &[event(OLD, 1, "theirs"), event(OLD, 2, "theirs")]).await;
    store.spooled_of(Some(store.id), 1, &[event(NEW, 1, "ours")]).await;
    let left = store.found().await;
    let problems = left.problems().await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    for words in ["keeps 2 acknowledged events since 1970-01-01", &other.to_string(), &store.id.to_string()] {
        assert!(problems[0].contains(words), "{words}: {problems:?}");
    }
    assert!(!left.index().logs().contains_key(&OLD), "nobody may take its calls over");
    assert_eq!(store.rest(left).await, 1);
    assert_eq!(store.logged(OLD).await, []);
    assert_eq!(store.logged(NEW).await, [(1, "ours".to_owned())]);
    assert_eq!(store.bring_in().await, 0);
    assert_eq!(std::fs::read_dir(store.root.path()).unwrap().count(), 1, "the other directory is kept");
}

#[actix::test]
async fn a_restored_backup_gets_whole_logs_and_no_log_with_a_gap() {
    let store = Store::acted_in(1).await;
    store.spooled(1, &[event(OLD, 1, "a"), event(OLD, 2, "b")]).await;
    store.bring_in().await;
    let backup = store.backup("restored_same_generation").await;
    let url = store.url.clone();
    let store = store.restored(url).await;
    // What was written between the backup and the outage is lost with the database.
    store.spooled(1, &[event(OLD, 3, "c"), event(OLD, 4, "d")]).await;
    store.bring_in().await;
    store.spooled_of(Some(store.id), 1, &[event(OLD, 5, "e"), event(NEW, 1, "f"), event(NEW, 2, "g")]).await;
    let store = store.restored(backup).await;
    assert_eq!(store.bring_in().await, 3);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned()), (2, "b".to_owned())]);
    assert_eq!(store.logged(NEW).await, [(1, "f".to_owned()), (2, "g".to_owned())]);
    assert_eq!(store.apart().await, [(OLD, 5)]);
    assert!(store.reasons().await.contains("restored from an older backup"), "{}", store.reasons().await);
}

#[actix::test]
async fn a_backup_of_an_earlier_generation_gets_whole_logs() {
    let store = Store::acted_in(1).await;
    store.spooled(1, &[event(OLD, 1, "a")]).await;
    store.bring_in().await;
    let backup = store.backup("restored_earlier_generation").await;
    let url = store.url.clone();
    let store = store.restored(url).await;
    engine_lock::claim(&store.client, 2, LEASE, Uuid::now_v7()).await.unwrap();
    store.spooled_of(Some(store.id), 2, &[event(OLD, 2, "b"), event(NEW, 1, "c"), event(NEW, 2, "d")]).await;
    let store = store.restored(backup).await;
    assert_eq!(store.bring_in().await, 3);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned())]);
    assert_eq!(store.logged(NEW).await, [(1, "c".to_owned()), (2, "d".to_owned())]);
    assert_eq!(store.apart().await, [(OLD, 2)]);
}

#[actix::test]
async fn a_start_takes_a_spool_over_and_so_does_the_one_after_its_crash() {
    let store = Store::acted_in(1).await;
    store.spooled(1, &[event(OLD, 1, "a"), event(OVER, 1, "x")]).await;
    store.bring_in().await;
    let left =
        [event(OLD, 2, "b"), event(NEW, 1, "c"), event(OLD, 3, "d"), event(OVER, 2, "y"), event(NEW, 2, "e")];
    store.spooled_of(Some(store.id), 1, &left).await;
    let mut first = store.found().await;
    assert_eq!(first.index().entries(), 5);
    assert_eq!(first.claim(&store.client, 2, LEASE, Uuid::now_v7()).await.unwrap(), store.id);
    // Before its log is continued, this call gets what is its own. The rest has time.
    assert_eq!(first.import_first(&HashSet::from([OLD]), &store.pool(), &log()).await.unwrap(), 2);
    let whole = |n: &[&str]| (1_i64..).zip(n.iter().map(|n| (*n).to_owned())).collect::<Vec<_>>();
    assert_eq!(store.logged(OLD).await, whole(&["a", "b", "d"]));
    assert_eq!(store.logged(NEW).await, []);
    let continued = [event(OLD, 4, "resumed")];
    precall_store::events::write::write(&store.pool(), &continued[0], 2).await.unwrap();
    // It crashes. The next start takes over what is left.
    drop(first);
    let mut second = store.found().await;
    second.claim(&store.client, 3, LEASE, Uuid::now_v7()).await.unwrap();
    assert_eq!(store.rest(second).await, 5);
    assert_eq!(store.logged(OLD).await, whole(&["a", "b", "d", "resumed"]));
    assert_eq!(store.logged(OVER).await, whole(&["x", "y"]), "nobody has changed its log");
    assert_eq!(store.logged(NEW).await, whole(&["c", "e"]));
    assert_eq!(store.apart().await, []);
    assert!(is_empty(store.root.path()));
    let adopted = "select count(*) from adopted_spools";
    assert_eq!(store.client.query_one(adopted, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[actix::test]
async fn a_spool_that_was_taken_over_is_late_once_somebody_else_has_acted() {
    let store = Store::acted_in(1).await;
    store.spooled(1, &[event(OLD, 1, "a")]).await;
    store.bring_in().await;
    store.spooled_of(Some(store.id), 1, &[event(OLD, 2, "b"), event(NEW, 1, "c")]).await;
    let mut first = store.found().await;
    first.claim(&store.client, 2, LEASE, Uuid::now_v7()).await.unwrap();
    // Another host acts, and has not written anything yet.
    engine_lock::claim(&store.client, 3, LEASE, Uuid::now_v7()).await.unwrap();
    assert!(
        first.claim(&store.client, 4, LEASE, Uuid::now_v7()).await.is_err(),
        "what it knows is out of date"
    );
    assert_eq!(store.rest(first).await, 2);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned())]);
    assert_eq!(store.logged(NEW).await, [(1, "c".to_owned())]);
    assert_eq!(store.apart().await, [(OLD, 2)]);
}

#[actix::test]
async fn an_entry_that_fits_no_log_does_not_keep_the_others_out() {
    let store = Store::acted_in(1).await;
    let batches = [event(OLD, 1, "a"), event(NEW, 1, "b"), event(OLD, 0, "none"), event(OLD, 3, "d")];
    store.spooled_of(Some(store.id), 1, &batches).await;
    assert_eq!(store.bring_in().await, 4);
    assert_eq!(store.logged(OLD).await, [(1, "a".to_owned())]);
    assert_eq!(store.logged(NEW).await, [(1, "b".to_owned())]);
    assert_eq!(store.apart().await, [(OLD, 0), (OLD, 3)]);
}

#[actix::test]
async fn readers_of_events_do_not_pass_an_import() {
    let store = Store::acted_in(1).await;
    store.spooled_of(Some(store.id), 1, &[event(OLD, 1, "a"), event(NEW, 1, "b")]).await;
    let (left, pool, positions) = (store.found().await, store.pool(), Arc::new(Positions::default()));
    let holder = connect_to(&store.url).await;
    holder.batch_execute("begin; select from engine for update").await.unwrap();
    let beside = Arc::clone(&positions);
    let import = actix::spawn(async move {
        let beside = Beside { pace: &Pace::default(), positions: &beside };
        left.import_rest(&pool, beside, &log()).await
    });
    until("the import waits", || async {
        let waits = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database()";
        store.client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
    // A live write takes the next position and is committed first.
    let next = "select nextval('event_position')";
    let live: i64 = store.client.query_one(next, &[]).await.unwrap().get(0);
    positions.advance(live);
    assert_eq!((*positions.readable().borrow(), positions.written()), (live - 1, live));
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(import.await.unwrap().unwrap(), 2);
    assert_eq!((*positions.readable().borrow(), positions.written()), (live + 2, live + 2));
}

#[actix::test]
async fn an_import_that_the_disk_ends_holds_back_no_reader() {
    let store = Store::acted_in(1).await;
    store.spooled_of(Some(store.id), 1, &[event(NEW, 1, "b")]).await;
    let spool = SpoolHandle::fresh(store.root.path(), 64 << 20).unwrap();
    spool.belong_to(store.id).await;
    // Several files, of which one is read at a time.
    let long = "a".repeat(1 << 20);
    for seq in 1..=16 {
        spool.append(to_frame(&event(OLD, seq, &long), 1).unwrap()).await.unwrap();
    }
    drop(spool);
    let left = store.found().await;
    let directories = std::fs::read_dir(store.root.path()).unwrap().map(|entry| entry.unwrap().path());
    std::fs::remove_dir_all(directories.max().unwrap()).unwrap();
    let positions = Positions::default();
    let beside = Beside { pace: &Pace::default(), positions: &positions };
    let failed = left.import_rest(&store.pool(), beside, &log()).await.unwrap_err();
    assert!(matches!(failed, LeftError::Disk(_)), "{failed}");
    assert_eq!(store.logged(NEW).await.len(), 1, "the first directory is imported");
    positions.advance(100);
    assert_eq!(*positions.readable().borrow(), 100);
}
