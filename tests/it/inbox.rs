//! Stored webhooks: each is stored once, also unreadable ones, and kept for a limited time.

use deadpool_postgres::Pool;
use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_call::At;
use precall_store::connect::{Limits, pool};
use precall_store::growth::partitions;
use precall_store::growth::partitions::Piece;
use precall_store::growth::partitions::Table;
use precall_store::growth::retention;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{SECRET, World, caller, ended, incoming};

const DAY: i64 = 24 * 3600 * 1_000_000;

type Row = (String, String, String, String, Option<Vec<u8>>);

async fn inbox(world: &World) -> Vec<Row> {
    let sql = "select kind, provider_id, state, outcome, body from webhooks order by id";
    let rows = world.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect()
}

fn told(rows: &[Row]) -> Vec<(&str, &str, &str, &str)> {
    rows.iter()
        .map(|(kind, id, state, outcome, _)| (kind.as_str(), id.as_str(), state.as_str(), outcome.as_str()))
        .collect()
}

async fn post_text(world: &World, body: &str) -> u16 {
    let now = clock::now();
    let signed = sign(Kind::ThreeCx, SECRET.as_bytes(), body.as_bytes(), now);
    world.post("/webhook/3cx", &[(signed.0, &signed.1)], body.to_owned()).await.0
}

fn pool_of(world: &World) -> Pool {
    pool(&world.url.parse().unwrap(), "test", Limits::default()).unwrap()
}

#[actix::test]
async fn each_webhook_is_stored_once_with_its_outcome() {
    let world = World::new().await;
    let call = world.ring("pbx-1", &caller(1)).await;
    world.post_3cx(&incoming("pbx-1", &caller(1))).await;
    world.post_3cx(&ended("pbx-9")).await;
    world.completed(call).await;
    world.until("both reports are stored", || async { inbox(&world).await.len() == 4 }).await;
    let rows = inbox(&world).await;
    let told = told(&rows);
    assert_eq!(
        told.iter().filter(|row| row.0 == "3cx").collect::<Vec<_>>(),
        [&("3cx", "pbx-1", "done", "accepted"), &("3cx", "pbx-9", "done", "ended"),]
    );
    let reports: Vec<_> = told.iter().filter(|row| row.0 == "post_call_transcription").collect();
    assert_eq!(reports.len(), 2, "one report of the greeting, one of the agent: {told:?}");
    assert!(reports.iter().all(|row| row.1.starts_with("conv_") && row.3 == "applied"), "{told:?}");
    let together = "select count(*) from webhooks w join call_events e on e.xmin = w.xmin
        where e.call = $1 and e.seq = 1 and w.outcome = 'accepted'";
    assert_eq!(world.count(together, &[&call]).await, 1, "in the transaction of the event that it brought");
    let strays = world.count("select count(*) from webhooks_other", &[]).await;
    assert_eq!(strays, 0, "every webhook is in the partition of its day");
    let first: Value = serde_json::from_slice(rows.first().unwrap().4.as_ref().unwrap()).unwrap();
    assert_eq!(first, incoming("pbx-1", &caller(1)), "as it came");
    world.stop().await;
}

#[actix::test]
async fn reports_of_foreign_agents_are_counted_and_not_stored() {
    let world = World::new().await;
    let body = json!({
        "call_id": "conv_x", "agent_id": "agent_of_somebody", "transcript": "secret", "status": "completed"
    });
    assert_eq!(world.post_report(&body).await.0, 200);
    assert_eq!(inbox(&world).await, []);
    let mut answer = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    let page = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    assert!(page.contains("outcome=\"not_ours\"} 1"), "{page}");
    world.stop().await;
}

#[actix::test]
async fn an_unreadable_webhook_gets_400_is_quarantined_and_can_be_replayed() {
    let world = World::new().await;
    let unreadable = "{\"event_type\": \"IncomingCall\", \"caller_id\"";
    for _ in 0..2 {
        assert_eq!(post_text(&world, unreadable).await, 400);
    }
    assert_eq!(post_text(&world, "\u{0}\u{1}").await, 400);
    assert_eq!(world.post("/webhook/3cx", &[], unreadable.to_owned()).await.0, 401);
    let (status, list) = world.get("/api/v1/webhooks?state=quarantined").await;
    assert_eq!(status, 200, "{list}");
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "the repeated one is stored once, unsigned ones are not: {list}");
    assert_eq!((&items[1]["kind"], &items[1]["outcome"]), (&json!("3cx"), &json!("bad_json")));
    assert!(items[1]["reason"].as_str().unwrap().contains("line 1"), "{list}");
    assert_eq!(items[1]["bytes"], unreadable.len());
    let path = |item: &Value| format!("/api/v1/webhooks/{}/replay", item["id"].as_str().unwrap());
    let (status, problem) = world.operate(&path(&items[1])).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("still_unreadable")), "{problem}");

    // A later version could read them; here the test changes the bodies instead.
    let id: uuid::Uuid = items[1]["id"].as_str().unwrap().parse().unwrap();
    let end = ended("pbx-7").to_string();
    world.execute("update webhooks set body = $2 where id = $1", &[&id, &end.as_bytes()]).await;
    let (status, answer) = world.operate(&path(&items[1])).await;
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("ended")), "{answer}");
    assert_eq!(world.count("select count(*) from early_ends where threecx_call_id = 'pbx-7'", &[]).await, 1);
    let (status, problem) = world.operate(&path(&items[1])).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("not_quarantined")), "{problem}");

    // An old call is not called back.
    let id: uuid::Uuid = items[0]["id"].as_str().unwrap().parse().unwrap();
    let call = incoming("pbx-8", &caller(8)).to_string();
    let sql = "update webhooks set body = $2, received_at = now() - interval '2 minutes' where id = $1";
    world.execute(sql, &[&id, &call.as_bytes()]).await;
    let (status, problem) = world.operate(&path(&items[0])).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("caller_gone")), "{problem}");
    assert_eq!(world.dials("greeting").len(), 0);
    let (status, _) = world.operate(&format!("/api/v1/webhooks/{}/replay", uuid::Uuid::now_v7())).await;
    assert_eq!(status, 404);
    assert_eq!(world.get("/api/v1/webhooks?state=lost").await.0, 400);
    world.stop().await;
}

#[actix::test]
async fn stored_webhooks_are_listed_in_pages() {
    let world = World::new().await;
    for n in 0..5 {
        world.post_3cx(&ended(&format!("pbx-{n}"))).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = world.get(&format!("/api/v1/webhooks?limit=2&cursor={cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["provider_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, ["pbx-4", "pbx-3", "pbx-2", "pbx-1", "pbx-0"], "newest first, each once");
    world.stop().await;
}

async fn names(world: &World, table: Table) -> Vec<String> {
    pieces(world).await.into_iter().filter(|piece| piece.table == table).map(|piece| piece.name).collect()
}

#[actix::test]
async fn webhooks_are_deleted_after_a_week_and_quarantined_ones_after_a_month() {
    let world = World::new().await;
    let pool = pool_of(&world);
    let now = clock::now();
    // A database that is forty days old.
    for days in 0..40 {
        partitions::make_ahead(&pool, At(now.0 - days * DAY)).await.unwrap();
    }
    for (days, state) in [(1, "done"), (9, "done"), (10, "done"), (10, "quarantined"), (35, "quarantined")] {
        let sql = "insert into webhooks
            select gen_random_uuid(), 'x', $2, now() - make_interval(days => $1), '', now(), $2, 'x', null, 'x'";
        world.execute(sql, &[&days, &state]).await;
    }
    let strays = "select count(*) from webhooks_other";
    assert_eq!(world.count(strays, &[]).await, 0, "each day has its partition");
    let gone = retention::drop_webhooks(&pool, At(now.0 - 7 * DAY), At(now.0 - 30 * DAY)).await.unwrap();
    assert!(gone.len() > 20, "{gone:?}");
    let left = "select string_agg(state, ' ' order by event_timestamp) from webhooks";
    let left: String = world.client.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, "quarantined done");
    let pieces = names(&world, Table::Webhooks).await;
    assert!(pieces.len() < 20 && pieces.contains(&"webhooks_other".to_owned()), "{pieces:?}");
    world.stop().await;
}

async fn pieces(world: &World) -> Vec<Piece> {
    let pool = pool_of(world);
    let client = pool.get().await.unwrap();
    partitions::pieces(&client).await.unwrap()
}

/// The end of the partition of `call_events` that holds calls of this time.
async fn end_of_week(world: &World, at: At) -> At {
    let events = pieces(world).await.into_iter().filter(|piece| piece.table == Table::CallEvents);
    events.filter_map(|piece| piece.until).filter(|until| *until > at).min().unwrap()
}

/// Partitions of events that end at `until` or earlier, in the order in which they are dropped.
async fn due(world: &World, until: At) -> Vec<String> {
    let events = pieces(world).await.into_iter().filter(|piece| piece.table != Table::Webhooks);
    let due = events.filter(|piece| piece.until.is_some_and(|end| end <= until));
    let due: Vec<String> = due.map(|piece| piece.name).collect();
    assert!(due.iter().any(|name| name.starts_with("call_events_")), "{due:?}");
    due
}

/// The creation time of a time-ordered id.
fn made_at(id: Uuid) -> At {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap();
    At(millis * 1_000)
}

#[actix::test]
async fn old_calls_are_deleted_with_their_week_and_newer_calls_stay_complete() {
    let mut world = World::new().await;
    let old = world.ring("pbx-1", &caller(1)).await;
    world.completed(old).await;
    let pool = pool_of(&world);
    // Bounds come from the catalogue, so the weekday or a midnight during the test does not matter.
    let week_end = end_of_week(&world, clock::now()).await;
    // A call one week later has its own partition.
    let late = partitions::first_id(At(week_end.0 + 7 * DAY));
    world = world
        .restart_after(
            "with copied as (
             insert into call_events (call, seq, at, event, pii)
             select $2, seq, at, event, pii from call_events where call = $1)
         insert into call_log (id, call_started_at, call_ended_at, status, route, state, cause, blame, told,
             voice_missing, cloned_voice_id, caller_id, timings, last_seq)
         select $2, call_started_at, call_ended_at, status, route, state, cause, blame, told,
             voice_missing, cloned_voice_id, caller_id, timings, last_seq
         from call_log where id = $1",
            &[&old, &late],
        )
        .await;
    let both = "select count(*) from call_log";
    retention::drop_events(&pool, made_at(old)).await.unwrap();
    assert_eq!(world.count(both, &[]).await, 2, "the old call's week is not over");
    let due = due(&world, week_end).await;
    let mut reader = pool.get().await.unwrap();
    let reading = reader.transaction().await.unwrap();
    reading.query("select from call_events limit 1", &[]).await.unwrap();
    retention::drop_events(&pool, week_end).await.unwrap_err();
    reading.rollback().await.unwrap();
    assert_eq!(world.count(both, &[]).await, 2, "a call stays as long as its events");
    assert_eq!(retention::drop_events(&pool, week_end).await.unwrap(), due);
    for (table, left) in [
        ("call_events", 1),
        ("call_log", 1),
        ("conversations", 0),
        ("clone_failed_events", 0),
        ("voice_clone_log", 0),
    ] {
        let rows = if table == "call_events" { "count(distinct call)" } else { "count(*)" };
        assert_eq!(world.count(&format!("select {rows} from {table}"), &[]).await, left, "{table}");
    }
    let live = "update call_log set state = 'greeting'";
    world.execute(live, &[]).await;
    retention::drop_events(&pool, At(week_end.0 + 80 * DAY)).await.unwrap();
    let left = world.count("select count(distinct call) from call_events", &[]).await;
    assert_eq!(left, 1, "a live call stays at any age");
    world.app.stop_now().await;
}
