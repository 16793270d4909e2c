//! `Idempotency-Key`: a request that is sent again is carried out once.

use precall_simulators::elevenlabs::Fault;
use serde_json::{Value, json};

use crate::callers::{OPERATOR, with_keys};
use crate::support::{KEY, World};

const SPEAKERS: &str = "/api/v1/speakers";

/// A marked POST: its status, whether it is a replay, and its answer.
async fn post(world: &World, api_key: &str, key: &str, path: &str, body: &Value) -> (u16, bool, Value) {
    let request = world.http.post(format!("{}{path}", world.app.url())).bearer_auth(api_key);
    let mut answer = request.insert_header(("idempotency-key", key)).send_json(body).await.unwrap();
    let is_replay = answer.headers().contains_key("idempotency-replayed");
    let bytes = answer.body().await.unwrap();
    let (status, body) = world.documented(("POST", path), answer.status().as_u16(), answer.headers(), &bytes);
    (status, is_replay, body)
}

async fn speakers(world: &World) -> i64 {
    world.client.query_one("select count(*) from speakers", &[]).await.unwrap().get(0)
}

#[actix::test]
async fn a_request_that_is_sent_again_is_carried_out_once() {
    let world = World::with(with_keys()).await;
    let anna = json!({ "name": "Anna" });
    let (status, is_replay, first) = post(&world, KEY, "order-1", SPEAKERS, &anna).await;
    assert_eq!((status, is_replay), (201, false));
    for _ in 0..3 {
        assert_eq!(post(&world, KEY, "order-1", SPEAKERS, &anna).await, (201, true, first.clone()));
    }
    let rows = world.client.query("select action from audit_log", &[]).await.unwrap();
    assert_eq!((speakers(&world).await, rows.len()), (1, 1));
    // Another key, and the same key for something else.
    assert_eq!(post(&world, KEY, "order-2", SPEAKERS, &anna).await.0, 201);
    let (status, _, answer) = post(&world, KEY, "order-1", SPEAKERS, &json!({ "name": "Berta" })).await;
    assert_eq!((status, &answer["code"]), (422, &json!("key_of_another")));
    let (status, _, answer) = post(&world, KEY, "order-1", "/api/v1/voices/warm", &anna).await;
    assert_eq!((status, &answer["code"]), (422, &json!("key_of_another")));
    // A refusal is the answer too. Each client has keys of its own.
    for is_replay in [false, true] {
        let (status, replayed, answer) = post(&world, OPERATOR, "order-1", SPEAKERS, &anna).await;
        assert_eq!((status, &answer["code"], replayed), (403, &json!("forbidden"), is_replay));
    }
    for key in ["", &"x".repeat(256)] {
        assert_eq!(post(&world, KEY, key, SPEAKERS, &anna).await.2["code"], "bad_field");
    }
    assert_eq!(post(&world, "nobody", "order-9", SPEAKERS, &anna).await.0, 401);
    assert_eq!(speakers(&world).await, 2);
    world.stop().await;
}

#[actix::test]
async fn of_requests_at_the_same_time_one_is_carried_out() {
    let world = World::with(with_keys()).await;
    let anna = json!({ "name": "Anna" });
    let all = (0..8).map(|_| post(&world, KEY, "order-1", SPEAKERS, &anna));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|(status, is_replay, _)| *status == 201 && !is_replay).count(), 1);
    for (status, is_replay, answer) in &answers {
        let is_running = *status == 409 && answer["code"] == "request_running";
        assert!(is_running || *status == 201, "{status} {is_replay} {answer}");
    }
    assert_eq!(speakers(&world).await, 1);
    world.stop().await;
}

#[actix::test]
async fn what_failed_by_our_own_trouble_is_carried_out_when_it_is_sent_again() {
    let world = World::with(with_keys()).await;
    let reconcile = "/api/v1/voices/reconcile";
    world.faults(vec![Fault { status: Some(500), ..Fault::on("/v2/voices") }]);
    let (status, _, answer) = post(&world, KEY, "order-1", reconcile, &json!({})).await;
    assert_eq!(status, 503, "{answer}");
    world.faults(Vec::new());
    let (status, is_replay, answer) = post(&world, KEY, "order-1", reconcile, &json!({})).await;
    assert_eq!((status, is_replay), (200, false), "{answer}");
    // A process that ended in the middle left its row behind.
    let left = "update idempotency_keys set status = null, begun_at = now() - interval '2 minutes'";
    world.execute(left, &[]).await;
    assert_eq!(post(&world, KEY, "order-1", reconcile, &json!({})).await.0, 200);
    world.execute("update idempotency_keys set status = null, begun_at = now()", &[]).await;
    let (status, _, answer) = post(&world, KEY, "order-1", reconcile, &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("request_running")));
    world.stop().await;
}
