//! Bypass: an operator sends new calls to the fallback destination.

use precall_simulators::threecx::{Outcome, Turn};
use serde_json::{Value, json};

use crate::callers::{order_with, with_keys};
use crate::live_bridge::{say, waits};
use crate::support::{KEY, PERSON, PbxPlan, PbxWorld, World, until};

async fn switch(world: &World, order: Value) -> (u16, Value) {
    order_with(world, KEY, "PUT", "/api/v1/bypass", Some(&order)).await
}

#[actix::test]
async fn new_calls_go_to_a_person_and_nobody_asks_the_provider() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(60_000)])).await;
    let before = world.rings(&world.known_caller(1).await);
    let live = world.call_of(&before).await;
    world.in_state(live, "conversing").await;

    let (status, answer) = switch(&world, json!({ "on": true, "reason": "the agent talks nonsense" })).await;
    assert_eq!(
        (status, &answer["items"][0]["reason"]),
        (200, &json!("the agent talks nonsense")),
        "{answer}"
    );
    world.pbx.set_routeto(vec![Turn {
        outcome: Outcome::Answered,
        destination: Some(PERSON.to_owned()),
        ..Turn::default()
    }]);
    let asked = World::asked(&world).len();
    let pbx_id = world.rings(&world.known_caller(2).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    let end = ["cause", "blame", "told"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["bypassed", "operator", "person"]);
    until("the caller is with a person", || async { world.report(&pbx_id).transfers.len() == 1 }).await;
    let all = World::asked(&world);
    assert_eq!(all.len(), asked, "{:?}", all.last());

    // It is seen where an operator looks, and new calls are still taken.
    let (status, health) = world.get("/health").await;
    assert_eq!((status, &health["status"], &health["ready"]), (200, &json!("degraded"), &json!(true)));
    assert_eq!(health["problems"][0]["area"], "bypass", "{health}");
    assert_eq!(world.get("/health/ready").await.0, 200);
    world.in_state(live, "conversing").await;

    let (status, answer) = switch(&world, json!({ "on": false, "reason": "it is repaired" })).await;
    assert_eq!((status, answer), (200, json!({ "items": [] })));
    let taken = world.rings(&world.known_caller(3).await);
    let call = world.call_of(&taken).await;
    world.in_state(call, "conversing").await;
    for call in [live, call] {
        assert_eq!(world.operate(&format!("/api/v1/calls/{call}/hangup")).await.0, 202);
    }
    let sql =
        "select action, who, detail ->> 'reason' from audit_log where action like 'bypass%' order by id";
    let rows = || async { world.client.query(sql, &[]).await.unwrap() };
    until("both words are audited", || async { rows().await.len() == 2 }).await;
    let audited: Vec<(String, String)> = rows().await.iter().map(|row| (row.get(0), row.get(2))).collect();
    assert_eq!(audited[0].0, "bypass_switched_on");
    assert_eq!(audited[1], ("bypass_switched_off".to_owned(), "it is repaired".to_owned()));
    world.stop().await;
}

#[actix::test]
async fn a_bypass_is_of_a_line_and_ends_by_itself() {
    let world = World::with(with_keys()).await;
    let wrong = [
        json!({ "on": true }),
        json!({ "on": true, "reason": "" }),
        json!({ "on": true, "reason": "x", "line": "nowhere" }),
        json!({ "on": true, "reason": "x", "for_seconds": 0 }),
        json!({ "on": false, "reason": "x", "for_seconds": 5 }),
    ];
    for order in wrong {
        let (status, answer) = switch(&world, order.clone()).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{order}: {answer}");
    }
    let (_, answer) = switch(&world, json!({ "on": true, "reason": "x", "line": "nowhere" })).await;
    assert!(answer["detail"].as_str().unwrap().contains("default"), "{answer}");
    let (status, _) =
        switch(&world, json!({ "on": true, "line": "default", "for_seconds": 2, "reason": "x" })).await;
    assert_eq!(status, 200);
    let call =
        json!({ "event_type": "IncomingCall", "call_id": "pbx-1", "caller_id": world.known_caller(1).await });
    let (_, answer) = world.post_3cx(&call).await;
    assert_eq!(answer["status"], "rejected", "{answer}");
    assert!(answer.to_string().contains("bypass"), "{answer}");
    assert!(world.dials("greeting").is_empty());
    let is_over = || async { world.get("/api/v1/bypass").await.1 == json!({ "items": [] }) };
    until("the bypass is over", is_over).await;
    let call = world.ring("pbx-2", &world.known_caller(2).await).await;
    world.in_state(call, "greeting").await;
    // Another process was told: the table is newer than what is known here.
    let sql =
        "insert into bypass values ('', true, null, 'told elsewhere', 'berta', now() + interval '1 second')";
    world.execute(sql, &[]).await;
    until("the word of the other process counts", || async {
        world.get("/api/v1/bypass").await.1["items"][0]["by"] == "berta"
    })
    .await;
    world.stop().await;
}
