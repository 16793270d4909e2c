//! The webhook that a call flow posts: the canonical JSON, signed, with the faults that a real sender may have.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, WebhookMode};
use super::context::{Context, EXCHANGE};
use super::errand::{Notice, NoticeKind};
use super::faults::WebhookFault;
use super::front_door::FrontDoor;
use crate::shared::deliveries::Delivery;
use crate::shared::options::Target;
use crate::shared::posting::post_json;
use crate::shared::requests::rfc3339;
use crate::shared::signature::signature;

/// How old a stale signature is: past the window of 300 s.
const STALE_SECONDS: i64 = 600;

/// Posts a webhook, twice for a doubled one.
pub(super) async fn notify(context: Data<Context>, notice: Notice) {
    if !notice.wait.is_zero() {
        tokio::time::sleep(notice.wait).await;
    }
    let prepared = {
        let mut world = context.world();
        let world = &mut *world;
        let Some(call) = world.calls.get(notice.serial) else { return };
        let fault = call.wanted.webhook_fault.or_else(|| world.faults.take_webhook());
        let patience = call.wanted.front_door.as_ref().map_or(EXCHANGE, FrontDoor::patience);
        let about = (body(call, notice.kind, Instant::now()), fault, call.wanted.webhook, patience);
        world.webhook.clone().map(|target| (target, about))
    };
    if let Some((target, ((kind, call_id, body), fault, mode, patience))) = prepared {
        let times = if mode == WebhookMode::Double { 2 } else { 1 };
        for attempt in 1..=times {
            let asked = Instant::now();
            let limit = if notice.kind == NoticeKind::IncomingThenAppear { patience } else { EXCHANGE };
            let status = post(&context, &target, body.clone(), fault, limit).await;
            let at = Timestamp::now();
            context.world().deliveries.push(Delivery { at, kind, subject: call_id.clone(), attempt, status });
            if attempt == 1 && notice.kind == NoticeKind::IncomingThenAppear {
                let waited = asked.elapsed();
                context.shared.change(|world| {
                    world.webhook_answered(notice.serial, status, waited, Instant::now());
                });
            }
        }
        return;
    }
    if notice.kind == NoticeKind::IncomingThenAppear {
        context
            .shared
            .change(|world| world.webhook_answered(notice.serial, None, Duration::ZERO, Instant::now()));
    }
}

fn body(call: &Call, notice: NoticeKind, now: Instant) -> (&'static str, String, Bytes) {
    let (kind, duration) = match notice {
        NoticeKind::IncomingThenAppear | NoticeKind::Incoming => ("IncomingCall", Value::Null),
        NoticeKind::Ended => {
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

async fn post(
    context: &Context,
    target: &Target,
    body: Bytes,
    fault: Option<WebhookFault>,
    limit: Duration,
) -> Option<u16> {
    let now = Timestamp::now().as_second();
    let secret = target.secret.expose();
    let signature = match fault {
        None => Some(signature(secret, now, &body)),
        Some(WebhookFault::BadSignature) => Some(signature(&format!("not {secret}"), now, &body)),
        Some(WebhookFault::Stale) => Some(signature(secret, now.saturating_sub(STALE_SECONDS), &body)),
        Some(WebhookFault::Unsigned) => None,
    };
    let mut request = context.client.post(target.url.as_str());
    if let Some(signature) = signature {
        request = request.insert_header(("x-3cx-signature", signature));
    }
    post_json(request, body, limit).await
}
