//! What went over the wire for a call is kept, without numbers, words and secrets.

use precall_simulators::elevenlabs::Fault;
use serde_json::{Value, json};

use crate::callers::{OPERATOR, order_with, with_keys};
use crate::support::{DIAL, World, fault};

async fn wire(world: &World, call: impl std::fmt::Display) -> Vec<Value> {
    let (status, wire) =
        order_with(world, OPERATOR, "GET", &format!("/api/v1/calls/{call}/wire"), None).await;
    assert_eq!(status, 200, "{wire}");
    wire["items"].as_array().unwrap().clone()
}

#[actix::test]
async fn the_requests_of_a_call_are_kept_with_their_answers() {
    let world = World::with(with_keys()).await;
    let caller = world.known_caller(1).await;
    world.faults(vec![Fault { status: Some(503), times: Some(1), ..fault(DIAL) }]);
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let report = "POST /webhook/elevenlabs/postcall: post_call_transcription";
    // The call is completed in the database a moment before its report is in the record.
    world
        .until("the report is in the record", || async {
            wire(&world, call).await.iter().any(|item| item["what"] == report)
        })
        .await;
    let items = wire(&world, call).await;
    let seen = |what: &str, status: u64| {
        let fits = |item: &&Value| item["what"] == what && item["status"] == json!(status);
        items.iter().find(fits).unwrap_or_else(|| panic!("{what} {status} in {items:#?}"))
    };
    let webhook = items.iter().find(|item| item["what"] == "POST /webhook/3cx").unwrap();
    assert!(webhook["received"].as_str().unwrap().contains("IncomingCall"), "{webhook}");
    let report = items.iter().find(|item| item["what"] == report).unwrap();
    assert!(report["received"].as_str().unwrap().ends_with(" bytes)"), "its words are not shown: {report}");
    seen(&format!("POST {DIAL}"), 503);
    let dial = seen(&format!("POST {DIAL}"), 200);
    assert!(dial["sent"].as_str().unwrap().contains("agent_test") && dial["took_ms"].is_u64(), "{dial}");
    seen("POST /v1/voices/add", 200);
    let all = json!(items).to_string();
    for hidden in [&caller[1..], &caller[5..], "test-key", "Test"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    assert_eq!(wire(&world, "pbx-1").await.len(), items.len(), "any id of the call");
    world.stop().await;
}
