//! The webhook that a call flow posts: the canonical JSON, signed, with the faults that a real sender may have.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::call::{Call, WebhookMode};
use super::context::{Context, EXCHANGE};
use super::deliveries::Delivery;
use super::faults::WebhookFault;
use crate::elevenlabs::Target;
use crate::shared::requests::rfc3339;

/// How old a stale signature is: past the window of 300 s.
const STALE_SECONDS: i64 = 600;
/// Most of an answer that is read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A call comes in; once that is answered, its leg appears.
    IncomingThenAppear,
    /// A call has come in.
    Incoming,
    /// A call is over.
    Ended,
}

/// A webhook to be posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    pub serial: u64,
    pub what: What,
    /// How long it waits first.
    pub wait: Duration,
}

/// Posts one, twice for a doubled one.
pub(super) async fn notify(context: Data<Context>, notice: Notice) {
    if !notice.wait.is_zero() {
        tokio::time::sleep(notice.wait).await;
    }
    let prepared = {
        let mut world = context.world();
        let world = &mut *world;
        let Some(call) = world.calls.get(notice.serial) else { return };
        let fault = call.wanted.webhook_fault.or_else(|| world.faults.take_webhook());
        world
            .webhook
            .clone()
            .map(|target| (target, body(call, notice.what, Instant::now()), fault, call.wanted.webhook))
    };
    if let Some((target, (kind, call_id, body), fault, mode)) = prepared {
        let times = if mode == WebhookMode::Double { 2 } else { 1 };
        for attempt in 1..=times {
            let status = post(&context, &target, body.clone(), fault).await;
            let at = Timestamp::now();
            context.world().deliveries.push(Delivery { at, kind, call_id: call_id.clone(), attempt, status });
            if attempt == 1 && notice.what == What::IncomingThenAppear {
                context.shared.change(|world| world.appear(notice.serial, Instant::now()));
            }
        }
        return;
    }
    if notice.what == What::IncomingThenAppear {
        context.shared.change(|world| world.appear(notice.serial, Instant::now()));
    }
}

fn body(call: &Call, what: What, now: Instant) -> (&'static str, String, Bytes) {
    let (kind, duration) = match what {
        What::IncomingThenAppear | What::Incoming => ("IncomingCall", Value::Null),
        What::Ended => {
            let since = call.connected_at.unwrap_or(now);
            ("CallEnded", json!(call.ended_at.unwrap_or(now).saturating_duration_since(since).as_secs()))
        }
    };
    let call_id = call.callid.to_string();
    let body = json!({
        "event_type": kind,
        "call_id": call_id,
        "caller_id": call.wanted.caller,
        "called_number": call.wanted.called,
        "timestamp": rfc3339(Timestamp::now()),
        "direction": "inbound",
        "duration": duration,
        "recording_url": null,
    });
    (kind, call_id, Bytes::from(body.to_string()))
}

async fn post(context: &Context, target: &Target, body: Bytes, fault: Option<WebhookFault>) -> Option<u16> {
    let now = Timestamp::now().as_second();
    let secret = target.secret.expose();
    let signature = match fault {
        None => Some(signature(secret, now, &body)),
        Some(WebhookFault::BadSignature) => Some(signature(&format!("not {secret}"), now, &body)),
        Some(WebhookFault::Stale) => Some(signature(secret, now.saturating_sub(STALE_SECONDS), &body)),
        Some(WebhookFault::Unsigned) => None,
    };
    let mut request =
        context.client.post(target.url.as_str()).insert_header(("content-type", "application/json"));
    if let Some(signature) = signature {
        request = request.insert_header(("x-3cx-signature", signature));
    }
    let exchange = async {
        let mut response = request.send_body(body).await.ok()?;
        // Read to the end, so that the connection can be used again; what it says is of no interest.
        let _ = response.body().limit(ANSWER_LIMIT).await;
        Some(response.status().as_u16())
    };
    tokio::time::timeout(EXCHANGE, exchange).await.ok().flatten()
}

/// `t=<unix seconds>,v0=<hex HMAC-SHA256 of "{t}.{body}">`.
fn signature(secret: &str, unix: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length, so there is no error to speak of.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(unix.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={unix},v0={}", hex::encode(mac.finalize().into_bytes()))
}
