//! Webhooks of the call flow.

use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::super::{Fault, NewCall, Options, State, WebhookFault, WebhookMode};
use super::{Pbx, eventually, options};
use crate::shared::options::Target;

const SECRET: &str = "hook-secret";

type Received = Arc<Mutex<Vec<(Option<String>, Bytes)>>>;

/// A service that keeps what is posted to it.
async fn service() -> (Target, Received) {
    let received = Received::default();
    let kept = Data::new(Arc::clone(&received));
    async fn take(request: HttpRequest, body: Bytes, kept: Data<Received>) -> HttpResponse {
        let signature =
            request.headers().get("x-3cx-signature").map(|value| value.to_str().unwrap().to_owned());
        kept.lock().unwrap().push((signature, body));
        HttpResponse::Ok().json(json!({"status": "accepted"}))
    }
    let server = HttpServer::new(move || App::new().app_data(kept.clone()).default_service(web::to(take)))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
    let url = format!("http://{}/webhook/3cx", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    (Target { url: url.parse().unwrap(), secret: SECRET.parse().unwrap() }, received)
}

async fn with_service() -> (Pbx, Received) {
    let (target, received) = service().await;
    (Pbx::with(Options { webhook: Some(target), ..options() }).await, received)
}

async fn arrived(received: &Received, count: usize) -> Vec<(Option<String>, Bytes)> {
    eventually("the webhooks", || async {
        let received = received.lock().unwrap();
        (received.len() >= count).then(|| received.clone())
    })
    .await
}

/// How old the signature is in seconds, when it is good.
fn age(signature: &str, body: &[u8]) -> Option<i64> {
    let (time, tag) = signature.strip_prefix("t=").unwrap().split_once(",v0=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac.verify_slice(&hex::decode(tag).unwrap()).ok()?;
    Some(Timestamp::now().as_second() - time.parse::<i64>().unwrap())
}

fn announced(webhook: WebhookMode) -> NewCall {
    NewCall { called: "+4930222".to_owned(), webhook, ..NewCall::from("+4930111") }
}

#[actix_web::test]
async fn a_call_is_announced_before_it_appears_and_its_end_is_told() {
    let (pbx, received) = with_service().await;
    // While this is held, the service cannot answer.
    let held = received.lock().unwrap();
    let placed = pbx.place(announced(WebhookMode::First));
    assert_eq!(pbx.call(&placed).state, State::Announced);
    drop(held);
    let (signature, body) = arrived(&received, 1).await[0].clone();
    assert!(age(&signature.unwrap(), &body).unwrap() <= 5);
    let mut told: Value = serde_json::from_slice(&body).unwrap();
    assert!(told.as_object_mut().unwrap().remove("timestamp").unwrap().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "event_type": "IncomingCall", "call_id": placed.call_id, "caller_id": "+4930111", "called_number": "+4930222",
        "direction": "inbound", "duration": null, "recording_url": null,
    });
    assert_eq!(told, expected);
    pbx.until(&placed, "appears", |call| call.state == State::Connected).await;
    pbx.simulator.hang_up(&placed.call_id);
    let ended: Value = serde_json::from_slice(&arrived(&received, 2).await[1].1).unwrap();
    assert_eq!((&ended["event_type"], &ended["duration"]), (&json!("CallEnded"), &json!(0)));
    let told = eventually("both are noted", || async {
        Some(pbx.simulator.webhooks()).filter(|all| all.len() == 2)
    })
    .await;
    assert_eq!((&told[0]["event_type"], &told[0]["status"]), (&json!("IncomingCall"), &json!(200)));
}

#[actix_web::test]
async fn an_announcement_may_be_late_or_doubled() {
    let (pbx, received) = with_service().await;
    let late = pbx.place(NewCall { webhook_late_ms: Some(100), ..announced(WebhookMode::Late) });
    assert_eq!(pbx.call(&late).state, State::Connected);
    assert!(received.lock().unwrap().is_empty());
    arrived(&received, 1).await;
    let doubled = pbx.place(announced(WebhookMode::Double));
    let all = arrived(&received, 3).await;
    assert_eq!(all[1].1, all[2].1);
    pbx.until(&doubled, "appears", |call| call.state == State::Connected).await;
}

#[actix_web::test]
async fn an_announcement_may_be_badly_signed_stale_or_not_signed() {
    let (pbx, received) = with_service().await;
    let wrong = |fault| NewCall { webhook_fault: Some(fault), ..announced(WebhookMode::First) };
    pbx.place(wrong(WebhookFault::BadSignature));
    let (signature, body) = arrived(&received, 1).await[0].clone();
    assert_eq!(age(&signature.unwrap(), &body), None);
    pbx.place(wrong(WebhookFault::Stale));
    let (signature, body) = arrived(&received, 2).await[1].clone();
    assert!(age(&signature.unwrap(), &body).unwrap() > 300);
    pbx.simulator.set_faults(vec![Fault {
        webhook: Some(WebhookFault::Unsigned),
        times: Some(1),
        ..Fault::default()
    }]);
    pbx.place(announced(WebhookMode::First));
    assert_eq!(arrived(&received, 3).await[2].0, None);
}

#[actix_web::test]
async fn a_service_that_is_away_does_not_keep_the_call() {
    let (pbx, _) = with_service().await;
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/webhook/3cx").parse().unwrap();
    pbx.simulator.set_webhook(Some(Target { url, secret: SECRET.parse().unwrap() }));
    let placed = pbx.place(announced(WebhookMode::First));
    pbx.until(&placed, "appears", |call| call.state == State::Connected).await;
    assert_eq!(pbx.simulator.webhooks()[0]["status"], Value::Null);
}
