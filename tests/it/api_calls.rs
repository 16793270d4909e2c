//! The list of calls, its filters, and the ids of a call.

use serde_json::{Value, json};

use crate::api::{all_pages, good};
use crate::support::{World, caller, incoming};

#[actix::test]
async fn calls_are_listed_newest_first_page_by_page() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let talked = world.ring("pbx-0", &caller).await;
    world.completed(talked).await;
    for n in 1..=6 {
        world.post_3cx(&incoming(&format!("pbx-{n}"), "anonymous")).await;
    }
    let pages = all_pages(&world, "/api/v1/calls?limit=2").await;
    let ids: Vec<&str> = pages.iter().map(|call| call["threecx_call_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["pbx-6", "pbx-5", "pbx-4", "pbx-3", "pbx-2", "pbx-1", "pbx-0"]);
    let of_caller = all_pages(&world, &format!("/api/v1/calls?limit=3&caller_id=%2B{}", &caller[1..])).await;
    assert_eq!(of_caller.len(), 1);
    assert_eq!(of_caller[0]["id"], json!(talked.to_string()));
    assert_eq!(of_caller[0]["status"], "completed");
    assert_eq!(all_pages(&world, "/api/v1/calls?limit=3&live=true").await, Vec::<Value>::new());
    assert_eq!(all_pages(&world, "/api/v1/calls?limit=3&state=released").await.len(), 7);
    assert_eq!(world.get("/api/v1/calls?cursor=nonsense").await.0, 400);
    world.stop().await;
}

#[actix::test]
async fn calls_are_filtered_by_everything_that_a_row_says() {
    let world = World::new().await;
    let talked = world.ring("pbx-1", &world.known_caller(1).await).await;
    let row = world.completed(talked).await;
    let conversation: String = row.get("call_id");
    world.post_3cx(&incoming("pbx-2", "anonymous")).await;
    let refused = "select from call_log where threecx_call_id = 'pbx-2' and state = 'released'";
    world.until_row("the second call is refused", refused, &[]).await;
    let found = async |filter: &str| -> Vec<String> {
        let page = good(&world, &format!("/api/v1/calls?{filter}")).await;
        let items = page["items"].as_array().unwrap();
        items.iter().map(|call| call["threecx_call_id"].as_str().unwrap().to_owned()).collect()
    };
    let cause = good(&world, "/api/v1/calls/pbx-2").await["cause"].as_str().unwrap().to_owned();
    for (filter, expected) in [
        ("status=completed", &["pbx-1"][..]),
        ("status=failed", &["pbx-2"]),
        (&format!("cause={cause}"), &["pbx-2"]),
        ("cause=completed", &["pbx-1"]),
        ("blame=caller&status=completed", &[]),
        ("line=default", &["pbx-2", "pbx-1"]),
        ("line=other", &[]),
        ("pbx=default&live=false", &["pbx-2", "pbx-1"]),
        ("pbx=other", &[]),
        ("called_number=%2B12025550199", &["pbx-2", "pbx-1"]),
        ("called_number=%2B12025550100", &[]),
        ("threecx_call_id=pbx-1", &["pbx-1"]),
        (&format!("conversation_id={conversation}"), &["pbx-1"]),
        ("since=2026-01-01T00:00:00Z", &["pbx-2", "pbx-1"]),
        ("since=2199-01-01T00:00:00Z", &[]),
        ("until=2026-01-01T00:00:00Z", &[]),
        ("state=released&status=completed&line=default&since=2026-01-01T00:00:00Z", &["pbx-1"]),
    ] {
        assert_eq!(found(filter).await, expected, "{filter}");
    }
    for (filter, words) in [
        ("cause=nonsense", "cause must be one of completed,"),
        ("blame=nobody", "blame must be one of"),
        ("status=done", "status must be one of initiated, completed, failed"),
        ("state=done", "state must be one of"),
        ("called_number=x", "write the number as"),
    ] {
        let (status, problem) = world.get(&format!("/api/v1/calls?{filter}")).await;
        assert_eq!(status, 400, "{filter}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(words), "{filter}: {problem}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_call_has_the_ids_of_all_sides() {
    let world = World::new().await;
    let known = world.known_caller(1).await;
    let talked = world.ring("pbx-1", &known).await;
    let conversation: String = world.completed(talked).await.get("call_id");
    let greeting = world.conversation(talked, "greeting").await;
    for id in [&talked.to_string(), "pbx-1", &conversation, &greeting] {
        assert_eq!(good(&world, &format!("/api/v1/calls/{id}")).await["id"], talked.to_string(), "{id}");
        let events = good(&world, &format!("/api/v1/calls/{id}/events?limit=1")).await;
        assert_eq!(events["items"][0]["event"]["kind"], "offered", "{id}");
    }
    assert_eq!(world.operate("/api/v1/calls/pbx-1/hangup").await.1["code"], "call_not_live");
    let (status, problem) = world.get("/api/v1/calls/pbx-9").await;
    assert_eq!((status, &problem["code"]), (404, &json!("call_not_found")), "{problem}");

    // A PBX that was restarted gives its ids again.
    world.execute("update call_log set threecx_call_id = 'pbx-7' where id = $1", &[&talked]).await;
    let again = world.ring("pbx-7", &caller(2)).await;
    world.released(again).await;
    let (status, problem) = world.get("/api/v1/calls/pbx-7").await;
    assert_eq!((status, &problem["code"]), (409, &json!("several_calls")), "{problem}");
    assert_eq!(problem["candidates"], json!([again.to_string(), talked.to_string()]), "the newest first");
    world.stop().await;
}
