//! `precall quarantine`: what another start kept out of a log enters it, if nothing speaks against it.

use std::time::Duration;

use precall_base::clock;
use precall_store::connect::{Limits, pool};
use precall_store::events::quarantine::{self, Outcome};
use precall_store::leader::engine_lock::{self, EngineLock};
use precall_store::spool_recovery::bring_in;
use precall_store::verify::verify;
use serde_json::json;
use slog::{Discard, Logger, o};
use uuid::Uuid;

use crate::support::cluster::Cluster;
use crate::support::{Plan, World, caller, connect_to, ended, until};

fn stays(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Stays(why)) => why,
        other => panic!("it was written: {other:?}"),
    }
}

#[actix::test]
async fn quarantined_events_enter_their_log_where_it_takes_them() {
    let mut cluster = Cluster::new().await;
    let world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(60_000)).await;
    let call = world.ring("pbx-1", &caller(1)).await;
    world.conversation(call, "greeting").await;
    until("no event is queued", || async { world.app.engine().health().queued_events == 0 }).await;
    cluster.stop().await;
    assert_eq!(world.post_3cx(&ended("pbx-1")).await.0, 200);
    until("events wait", || async { world.get("/health").await.1["spooled_bytes"].as_u64() > Some(0) }).await;
    let (url, spool) = (world.url.clone(), world.spool());
    world.app.stop_now().await;
    cluster.start().await;

    // Another host has acted since, so nothing may be added to a log that it may have continued.
    let (client, log) = (connect_to(&url).await, Logger::root(Discard, o!()));
    engine_lock::claim(&client, 100, Duration::from_secs(4), Uuid::now_v7()).await.unwrap();
    let pool = pool(&url.parse().unwrap(), "test", Limits::default()).unwrap();
    bring_in(&spool, &pool, &log).await.unwrap();
    let kept = quarantine::list(&client).await.unwrap();
    assert!(!kept.is_empty());
    assert!(
        kept.iter().all(|kept| kept.owner == call && kept.stream == "call" && kept.kind.is_some()),
        "{kept:?}"
    );
    let first = kept.first().unwrap().id;
    let apply = |id: Uuid| quarantine::apply(&pool, id, "a test", clock::now());

    let acting = EngineLock::take(&pool).await.unwrap().unwrap();
    assert!(stays(apply(first).await.unwrap()).contains("a precall acts"));
    drop(acting);
    until("the lock is free", || async { !EngineLock::is_held(&client).await.unwrap() }).await;
    let insert =
        "insert into quarantined_events (stream, owner, seq, content, reason) values ($1, $2, $3, $4, 'test')
        returning id";
    let add = async |stream: &str, seq: i64, content: &str| -> Uuid {
        client.query_one(insert, &[&stream, &call, &seq, &content]).await.unwrap().get(0)
    };
    let unknown = add("call", kept.first().unwrap().seq, "{}").await;
    assert!(stays(apply(unknown).await.unwrap()).contains("not known"), "an earlier version kept no rows");
    let too_late = add("call", 900, "{}").await;
    assert!(stays(apply(too_late).await.unwrap()).contains("is missing"));
    for kept in &kept {
        assert_eq!(apply(kept.id).await.unwrap(), Some(Outcome::Written), "{kept:?}");
    }
    assert_eq!(apply(first).await.unwrap(), None, "it is out of quarantine");
    let stored: String = client
        .query_one("select event::text from call_events where call = $1 and seq = 1", &[&call])
        .await
        .unwrap()
        .get(0);
    let same = add("call", 1, &stored).await;
    assert_eq!(apply(same).await.unwrap(), Some(Outcome::WasThere));
    let other = add("call", 1, "{\"v\":1}").await;
    assert!(stays(apply(other).await.unwrap()).contains("another event is number 1"));
    let end = json!({ "early_end_kept": { "pbx": "default", "threecx_call_id": "9",
        "ended_at": "2026-01-01T00:00:00Z" } });
    let row = add("row", 0, &end.to_string()).await;
    assert_eq!(apply(row).await.unwrap(), Some(Outcome::Written));
    let ends = "select count(*) from early_ends where threecx_call_id = '9'";
    assert_eq!(client.query_one(ends, &[]).await.unwrap().get::<_, i64>(0), 1);

    let audited = "select count(*) from audit_log where action = 'quarantine_applied' and who = 'a test'";
    let audited: i64 = client.query_one(audited, &[]).await.unwrap().get(0);
    assert_eq!(audited, i64::try_from(kept.len()).unwrap() + 2);
    client.batch_execute("delete from quarantined_events").await.unwrap();
    let verified = verify(&mut connect_to(&url).await).await.unwrap();
    assert_eq!(verified.breaches, [], "its rows are those of its whole log");
    world.simulator.stop().await;
}
