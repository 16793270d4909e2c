//! Ordered misbehaviour.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{Form, Provider, client, wav};

const DIAL: &str = "/v1/convai/sip-trunk/outbound-call";

async fn order(provider: &Provider, faults: Value) {
    let reply = provider.put("/sim/faults", &faults).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[actix_web::test]
async fn a_status_is_answered_as_often_as_told() {
    let provider = Provider::default().await;
    order(&provider, json!([
        {"method": "post", "path": "/v1/convai", "status": 429, "headers": {"Retry-After": "1"}, "times": 2},
        {"path": "/v2", "status": 503},
    ]))
    .await;
    assert_eq!(provider.get("/v1/convai/conversations").await.status, 200, "another method");
    for _ in 0..2 {
        let refused = provider.dial("+1", Value::Null).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
        assert_eq!(refused.json()["detail"]["code"], "system_busy");
    }
    assert_eq!(provider.dial("+1", Value::Null).await.status, 200);
    assert_eq!(provider.get("/v2/voices").await.status, 503);
    assert_eq!(provider.get("/sim/faults").await.json()[0]["times"], 0);
    assert_eq!(provider.get("/sim/conversations").await.json().as_array().unwrap().len(), 1);
    let statuses: Vec<Value> =
        provider.simulator.requests().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [200, 429, 429, 200, 503]);
    provider.delete("/sim/faults").await;
    assert_eq!(provider.get("/v2/voices").await.status, 200);
}

#[actix_web::test]
async fn a_body_is_answered_as_it_is() {
    let provider = Provider::default().await;
    order(
        &provider,
        json!([
            {
                "path": DIAL,
                "body": {"success": false, "message": "no", "conversation_id": null, "sip_call_id": null},
                "times": 1,
            },
            {"path": DIAL, "body": "{\"success\":", "times": 1},
            {"path": DIAL, "status": 422, "times": 1},
        ]),
    )
    .await;
    let refused = provider.dial("+1", Value::Null).await;
    assert_eq!((refused.status, refused.json()["success"].clone()), (200, json!(false)));
    assert_eq!(provider.dial("+1", Value::Null).await.body.as_ref(), b"{\"success\":");
    assert!(provider.dial("+1", Value::Null).await.json()["detail"].is_array());
}

#[actix_web::test]
async fn skip_and_body_contains_pick_the_request() {
    let provider = Provider::default().await;
    order(
        &provider,
        json!([
            {"path": DIAL, "body_contains": "\"voice_id\":\"v2\"", "status": 500},
            {"path": "/v1/voices/add", "body_contains": "precall-7", "status": 402},
            {"path": "/v2", "skip": 1, "times": 1, "status": 500},
        ]),
    )
    .await;
    let voice = |id: &str| json!({"conversation_config_override": {"tts": {"voice_id": id}}});
    assert_eq!(provider.dial("+1", voice("v1")).await.status, 200);
    assert_eq!(provider.dial("+2", voice("v2")).await.status, 500);
    let form = |name: &str| Form::new().text("name", name).file("a.wav", &wav(name));
    assert_eq!(provider.upload(form("precall-6")).await.status, 200);
    assert_eq!(provider.upload(form("precall-7")).await.status, 402);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(provider.get("/v2/voices").await.status);
    }
    assert_eq!(statuses, [200, 500, 200]);
}

#[actix_web::test]
async fn a_delay_comes_before_the_answer() {
    let provider = Provider::default().await;
    order(&provider, json!([{"path": "/v2", "delay_ms": 150, "times": 1}])).await;
    let begun = Instant::now();
    assert_eq!(provider.get("/v2/voices").await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[actix_web::test]
async fn hang_answers_nothing_and_serves_nobody() {
    let provider = Provider::default().await;
    order(&provider, json!([{"path": DIAL, "hang": true}])).await;
    let hung = provider.client.post(provider.url(DIAL)).timeout(Duration::from_millis(100));
    assert!(hung.send_json(&super::dial_body("+1", Value::Null)).await.is_err());
    assert_eq!(provider.get("/sim/conversations").await.json(), json!([]));
    assert_eq!(provider.simulator.requests()[0]["status"], Value::Null);
}

#[actix_web::test]
async fn close_ends_the_connection_without_a_byte() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let provider = Provider::default().await;
    order(&provider, json!([{"path": "/v2", "close": true}])).await;
    let address = provider.simulator.url().replace("http://", "");
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET /v2/voices HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let reading = connection.read_to_end(&mut heard);
    tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap().unwrap();
    assert_eq!(heard, b"");
}

#[actix_web::test]
async fn after_executes_and_loses_the_answer() {
    let provider = Provider::default().await;
    order(
        &provider,
        json!([
            {"path": DIAL, "after": true, "times": 1},
            {"path": "/v1/voices/add", "after": true, "hang": true, "times": 1},
            {"path": "/v1/voices/add", "after": true, "status": 504, "times": 1},
        ]),
    )
    .await;
    let lost = provider.client.post(provider.url(DIAL));
    assert!(lost.send_json(&super::dial_body("+1", json!({"user_id": "lost"}))).await.is_err());
    let found = provider.get("/v1/convai/conversations?user_id=lost").await.json();
    assert_eq!(found["conversations"].as_array().unwrap().len(), 1);

    let (content_type, body) = Form::new().text("name", "precall-lost").file("a.wav", &wav("l")).finish();
    let request = client().post(provider.url("/v1/voices/add")).timeout(Duration::from_millis(200));
    assert!(request.insert_header(("content-type", content_type)).send_body(body).await.is_err());
    assert_eq!(provider.get("/v2/voices?search=precall-lost").await.json()["total_count"], 1);

    let failed = provider.upload(Form::new().text("name", "precall-504").file("a.wav", &wav("m"))).await;
    assert_eq!(failed.status, 504);
    assert_eq!(provider.get("/v2/voices?search=precall-504").await.json()["total_count"], 1);
}

#[actix_web::test]
async fn a_slow_body_comes_after_its_head() {
    let provider = Provider::default().await;
    order(&provider, json!([{"path": "/v2", "slow_body_ms": 400}])).await;
    let begun = Instant::now();
    let mut response = client().get(provider.url("/v2/voices")).send().await.unwrap();
    let head = begun.elapsed();
    let mut body = Vec::new();
    let mut pieces = 0;
    while let Some(piece) = response.next().await {
        body.extend(piece.unwrap());
        pieces += 1;
    }
    assert!(pieces > 5, "{pieces}");
    assert!(begun.elapsed() - head >= Duration::from_millis(300));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["total_count"], 0);
}

#[actix_web::test]
async fn an_order_that_is_not_understood_is_refused() {
    let provider = Provider::default().await;
    for wrong in [
        json!({}),
        json!([{"status": 500}]),
        json!([{"path": "/", "stauts": 500}]),
        json!([{"path": "/", "status": 99}]),
        json!([{"path": "/", "headers": {"a b": "c"}}]),
        json!([{"path": "/", "call": "asleep"}]),
        json!(vec![json!({"path": "/"}); 1_001]),
    ] {
        let refused = provider.put("/sim/faults", &wrong).await;
        assert_eq!(refused.status, 400);
        assert!(refused.json()["detail"].is_string());
    }
    assert_eq!(provider.get("/sim/faults").await.json(), json!([]));
}

#[actix_web::test]
async fn hang_ends_when_the_client_leaves() {
    let provider = Provider::default().await;
    order(&provider, json!([{"path": DIAL, "hang": true}])).await;
    let leaving = client().post(provider.url(DIAL)).timeout(Duration::from_millis(100));
    assert!(leaving.send_json(&super::dial_body("+1", Value::Null)).await.is_err());
    super::eventually("only this request is under way", || async {
        let spoken =
            provider.post("/v1/text-to-speech/v?output_format=pcm_8000", &json!({"text": "a"})).await;
        (spoken.header("current-concurrent-requests") == Some("1")).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn stopping_does_not_wait_for_what_hangs() {
    let provider = Provider::default().await;
    order(&provider, json!([{"path": "/v2", "hang": true}])).await;
    let url = provider.url("/v2/voices");
    let hung = actix_web::rt::spawn(async move { client().get(url).send().await.map(|_| ()) });
    super::eventually("the request arrives", || async {
        (!provider.simulator.requests().is_empty()).then_some(())
    })
    .await;
    let address = provider.simulator.url().replace("http://", "");
    tokio::time::timeout(Duration::from_secs(5), provider.simulator.stop()).await.unwrap();
    assert!(hung.await.unwrap().is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
