//! Post-call webhooks: signed and posted. Only transcriptions are retried (facts page, section 5).

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::Data;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{Context, POST_TIMEOUT};
use super::conversation::{Carrier, Conversation, Telephony};
use super::faults::ReportFate;
use crate::shared::deliveries::Delivery;
use crate::shared::options::Target;
use crate::shared::posting::post_json;
use crate::shared::signature::signature;

const TRANSCRIPTION: &str = "post_call_transcription";
const FAILURE: &str = "call_initiation_failure";
const MACHINE: &str = "answering_machine_detection";
/// Most webhooks that wait for another try, as at the provider.
const MOST_RETRYING: u32 = 100;

/// One webhook, ready to be posted as often as needed with the same body.
struct Webhook {
    kind: &'static str,
    conversation_id: String,
    body: Bytes,
    /// Waits before further tries.
    spacing: Vec<Duration>,
}

/// Reports a conversation that took place or could not start.
pub(super) async fn report(context: &Data<Context>, id: &str, fate: ReportFate) {
    let data = context.world().conversations.get(id).map(Conversation::webhook_data);
    let Some(data) = data else { return };
    let spacing = context.shared.retry_spacing.clone();
    post_as_fated(context, webhook(TRANSCRIPTION, id, &Value::Object(data), spacing), fate).await;
}

/// Reports that an answering machine was detected, if that was told: one attempt.
pub(super) async fn report_machine(context: &Data<Context>, id: &str, fate: ReportFate) {
    let data = {
        let world = context.world();
        let Some(conversation) = world.conversations.get(id) else { return };
        let Some(told) = &conversation.about.report.answering_machine_detection else { return };
        let mut data = told.clone();
        data.insert("agent_id".to_owned(), json!(conversation.about.agent_id));
        data.insert("conversation_id".to_owned(), json!(conversation.id));
        data
    };
    post_as_fated(context, webhook(MACHINE, id, &Value::Object(data), Vec::new()), fate).await;
}

/// Reports a call that reached nobody: one attempt, as at the provider.
pub(super) async fn report_not_reached(context: &Data<Context>, id: &str, reason: &str, fate: ReportFate) {
    let data = context.world().conversations.get(id).map(|conversation| failure_data(conversation, reason));
    let Some(data) = data else { return };
    post_as_fated(context, webhook(FAILURE, id, &data, Vec::new()), fate).await;
}

fn webhook(kind: &'static str, id: &str, data: &Value, spacing: Vec<Duration>) -> Webhook {
    let body = json!({"type": kind, "event_timestamp": Timestamp::now().as_second(), "data": data});
    Webhook { kind, conversation_id: id.to_owned(), body: body.to_string().into(), spacing }
}

async fn post_as_fated(context: &Data<Context>, webhook: Webhook, fate: ReportFate) {
    let is_wanted = {
        let world = context.world();
        world.webhook.as_ref().is_some_and(|own| world.account.posts(event_of(webhook.kind), own))
    };
    if !is_wanted {
        return;
    }
    match fate {
        ReportFate::Once => deliver(context, &webhook).await,
        ReportFate::None => {}
        ReportFate::Twice => {
            deliver(context, &webhook).await;
            deliver(context, &webhook).await;
        }
    }
}

/// The event that the settings of a webhook name (facts page, section 5).
fn event_of(kind: &str) -> &str {
    match kind {
        TRANSCRIPTION => "transcript",
        other => other,
    }
}

async fn deliver(context: &Context, webhook: &Webhook) {
    let mut spacing = webhook.spacing.iter();
    for attempt in 1.. {
        let target = context.world().webhook.clone();
        let Some(target) = target else { return };
        let at = Timestamp::now();
        let status = post(context, &target, webhook, at).await;
        context.world().deliveries.push(Delivery {
            at,
            kind: webhook.kind,
            subject: webhook.conversation_id.clone(),
            attempt,
            status,
        });
        // No answer at all counts as a timeout.
        let worth_another = status.is_none_or(|status| status >= 500 || status == 429 || status == 408);
        let Some(wait) = spacing.next().filter(|_| worth_another) else { return };
        if context.retrying.fetch_add(1, Ordering::Relaxed) >= MOST_RETRYING {
            context.retrying.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        tokio::time::sleep(*wait).await;
        context.retrying.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn post(context: &Context, target: &Target, webhook: &Webhook, at: Timestamp) -> Option<u16> {
    // Each attempt has a new signature: the first would be too old by the last attempt.
    let signature = signature(target.secret.expose(), at.as_second(), &webhook.body);
    let request =
        context.client.0.post(target.url.as_str()).insert_header(("elevenlabs-signature", signature));
    post_json(request, webhook.body.clone(), POST_TIMEOUT).await
}

fn failure_data(conversation: &Conversation, reason: &str) -> Value {
    let about = &conversation.about;
    let metadata = match about.carrier {
        Carrier::Phone(Telephony::SipTrunk) => {
            let (code, text) = match reason {
                "busy" => (486, "Busy here"),
                "no-answer" => (480, "Temporarily unavailable"),
                _ => (500, "Server internal error"),
            };
            json!({"type": "sip", "body": {
                "from_number": about.agent_number,
                "to_number": about.external_number,
                "sip_status_code": code,
                "error_reason": format!("INVITE failed: sip status: {code}: {text} (SIP {code})"),
                "call_sid": about.call_sid,
                "sip_status": text,
                "twirp_code": "unavailable",
            }})
        }
        // A socket is always reached.
        Carrier::Socket(_) => Value::Null,
        Carrier::Phone(Telephony::Twilio) => {
            let (status, code) = match reason {
                "busy" => ("busy", "486"),
                "no-answer" => ("no-answer", "480"),
                _ => ("failed", "500"),
            };
            json!({"type": "twilio", "body": {
                "CallSid": about.call_sid,
                "CallStatus": status,
                "SipResponseCode": code,
                "To": about.external_number,
                "From": about.agent_number,
                "Direction": "outbound-api",
                "Timestamp": conversation.created_at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
                "CallDuration": "0",
                "AccountSid": "AC00000000000000000000000000000000",
            }})
        }
    };
    json!({
        "agent_id": about.agent_id,
        "conversation_id": conversation.id,
        "failure_reason": reason,
        "metadata": metadata,
    })
}
