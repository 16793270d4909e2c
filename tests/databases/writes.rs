//! The one transaction that writes a batch, on its short way and on the long one.

use std::time::Duration;

use precall_call::At;
use precall_store::connect::{Limits, pool};
use precall_store::error::StoreError;
use precall_store::events::rows::{Batch, Entry, Stream};
use precall_store::events::write::write;
use precall_store::leader::engine_lock::claim;
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect_to, database};

const LEASE: Duration = Duration::from_secs(4);
const NOW: At = At(1_764_000_000_000_000);
const CALL: Uuid = Uuid::from_u128(7);

fn entry(seq: i64) -> Entry {
    let event = json!({ "v": 1, "kind": "offered", "text": format!("event {seq}") });
    Entry { stream: Stream::Call, owner: CALL, seq, at: NOW, event, pii: None, derived: Vec::new() }
}

fn batch(seqs: &[i64]) -> Batch {
    Batch { entries: seqs.iter().copied().map(entry).collect(), rows: Vec::new() }
}

async fn stored(client: &Client) -> Vec<i64> {
    let rows = client.query("select seq from call_events order by seq", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[actix::test]
async fn what_is_stored_already_is_left_out_and_the_rest_is_written() {
    let made = database();
    let client = connect_to(made.url()).await;
    let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
    claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    let first = write(&pool, &batch(&[1, 2]), 1).await.unwrap().unwrap();
    assert_eq!(write(&pool, &batch(&[1, 2]), 1).await.unwrap(), None, "nothing was new");
    let second = write(&pool, &batch(&[2, 3]), 1).await.unwrap().unwrap();
    assert!(second > first);
    assert_eq!(write(&pool, &batch(&[]), 1).await.unwrap(), None);
    assert_eq!(stored(&client).await, [1, 2, 3]);
}

#[actix::test]
async fn a_start_that_no_longer_acts_writes_nothing() {
    let made = database();
    let client = connect_to(made.url()).await;
    let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
    claim(&client, 2, LEASE, Uuid::now_v7()).await.unwrap();
    let written = write(&pool, &batch(&[1]), 1).await;
    assert!(matches!(written, Err(StoreError::Superseded)), "{written:?}");
    assert!(stored(&client).await.is_empty());
    write(&pool, &batch(&[1]), 2).await.unwrap();
}

#[actix::test]
async fn a_write_that_was_given_up_leaves_its_transaction_to_nobody() {
    let made = database();
    let mut client = connect_to(made.url()).await;
    let limits = Limits { size: 1, ..Limits::default() };
    let pool = pool(&made.url().parse().unwrap(), "given-up", limits).unwrap();
    claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    write(&pool, &batch(&[1]), 1).await.unwrap();
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table call_events").await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(300), write(&pool, &batch(&[2]), 1)).await;
    assert!(given_up.is_err(), "{given_up:?}");
    lock.rollback().await.unwrap();
    // In the transaction that was given up this would never be committed.
    pool.get().await.unwrap().batch_execute("create table made_later ()").await.unwrap();
    client.batch_execute("select from made_later").await.unwrap();
    crate::support::until("no session is in a transaction", || async {
        let sql = "select count(*) from pg_stat_activity
            where application_name = 'given-up' and state like 'idle in transaction%'";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
}
