//! Spool files that an earlier process left behind. Their entries enter the logs unless another process has written to
//! the same log since; then they are set aside.

use std::path::Path;
use std::time::Duration;

use precall_call::At;
use precall_embedded_postgres::template::TestDatabase;
use precall_store::connect::{Limits, pool};
use precall_store::events::rows::{Batch, Entry, Stream};
use precall_store::leader::engine_lock;
use precall_store::spool::batch::to_frame;
use precall_store::spool::handle::SpoolHandle;
use precall_store::spool_recovery::bring_in;
use serde_json::json;
use slog::{Discard, Logger, o};
use uuid::Uuid;

use crate::support::{connect_to, database};

const LEASE: Duration = Duration::from_secs(4);

struct Store {
    database: TestDatabase,
    client: tokio_postgres::Client,
    root: tempfile::TempDir,
}

impl Store {
    async fn acted_in(generation: u64) -> Self {
        let database = database();
        let client = connect_to(database.url()).await;
        engine_lock::claim(&client, generation, LEASE, Uuid::now_v7()).await.unwrap();
        Self { database, client, root: tempfile::tempdir().unwrap() }
    }

    async fn spooled(&self, generation: u64, batches: &[Batch]) {
        let spool = SpoolHandle::fresh(self.root.path(), 1 << 20).unwrap();
        for batch in batches {
            spool.append(to_frame(batch, generation).unwrap()).await.unwrap();
        }
    }

    async fn bring_in(&self) -> usize {
        let pool = pool(&self.database.url().parse().unwrap(), "test", Limits::default()).unwrap();
        let log = Logger::root(Discard, o!());
        bring_in(self.root.path(), &pool, &log).await.unwrap()
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
