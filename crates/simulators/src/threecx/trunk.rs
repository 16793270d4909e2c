//! The other end of a SIP trunk: a simulated ElevenLabs. It takes transferred calls, and says whether their
//! conversations are still live.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{EndedBy, State, TrunkCall};
use super::context::{Context, EXCHANGE};
use super::errand::Hangup;
use super::options::Trunk;

/// Longest wait for a conversation to begin: the other side asks its initiation webhook first, 10 s at most.
const RING: Duration = Duration::from_secs(12);
/// Most of an answer that is read: ten thousand conversations.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// A conversation that the other side has not confirmed for this long is lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Hands a call to the agent; None when it is not taken.
pub(super) async fn ring(context: Data<Context>, trunk: Trunk, caller: String) -> Option<TrunkCall> {
    let mut body = json!({
        "called_number": trunk.dn,
        "caller_id": caller,
        "call_sid": format!("SCL_{}", Uuid::new_v4().simple()),
    });
    if let (Some(agent), Some(fields)) = (&trunk.agent_id, body.as_object_mut()) {
        fields.insert("agent_id".to_owned(), json!(agent));
    }
    let answer =
        tokio::time::timeout(RING, post(&context, &url(&trunk, "/sim/inbound"), &body)).await.ok()??;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(TrunkCall { dn: trunk.dn, conversation_id: text("conversation_id")?, voice_id: text("voice_id") })
}

/// Tells ElevenLabs that the caller hung up.
pub(super) async fn hang_up(context: Data<Context>, hangup: Hangup) {
    let Some(trunk) = context.shared.options.trunk(&hangup.dn).cloned() else { return };
    let path = format!("/sim/conversations/{}/hangup", hangup.conversation_id);
    // A conversation that is over already needs no hang-up.
    let _ended = tokio::time::timeout(EXCHANGE, post(&context, &url(&trunk, &path), &Value::Null)).await;
}

/// Asks every trunk with calls on it, once, without waiting: ends the calls whose conversations are over.
pub(super) fn poll(context: &Data<Context>) {
    let on_trunks = context.world().calls.live_calls().any(|call| call.trunk.is_some());
    if !on_trunks || context.polling.replace(true) {
        return;
    }
    let context = context.clone();
    actix_web::rt::spawn(async move {
        for trunk in &context.shared.options.trunks {
            poll_one(&context, trunk).await;
        }
        context.polling.set(false);
    });
}

async fn poll_one(context: &Data<Context>, trunk: &Trunk) {
    // Calls that were handed over before the question: the answer cannot miss their conversations.
    let asked: Vec<(u64, String, Instant)> = {
        let world = context.world();
        let handed = world.calls.live_calls().filter(|call| call.state == State::Transferred);
        let ours = handed.filter_map(|call| {
            let on = call.trunk.as_ref().filter(|on| on.dn == trunk.dn)?;
            Some((call.serial, on.conversation_id.clone(), call.transferred_at?))
        });
        ours.collect()
    };
    if asked.is_empty() {
        return;
    }
    let found = tokio::time::timeout(EXCHANGE, conversations(context, trunk)).await.ok().flatten();
    let now = Instant::now();
    for (serial, conversation, since) in asked {
        let ending = match &found {
            Some(found) => match found.get(&conversation).map(String::as_str) {
                Some("initiated" | "in-progress") => None,
                Some(_) => Some(EndedBy::Agent),
                None => Some(EndedBy::AgentLost),
            },
            None => (now.saturating_duration_since(since) > LOST_AFTER).then_some(EndedBy::AgentLost),
        };
        if let Some(by) = ending {
            context.shared.change(|world| world.end(serial, by, now));
        }
    }
}

/// Status by conversation.
async fn conversations(context: &Context, trunk: &Trunk) -> Option<HashMap<String, String>> {
    let mut response = context.client.get(url(trunk, "/sim/conversations")).send().await.ok()?;
    let body = response.body().limit(ANSWER_LIMIT).await.ok()?;
    let list: Vec<Value> = serde_json::from_slice(&body).ok()?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(list.iter().filter_map(|one| Some((text(one, "conversation_id")?, text(one, "status")?))).collect())
}

async fn post(context: &Context, url: &str, body: &Value) -> Option<Value> {
    let mut response = context.client.post(url).send_json(body).await.ok()?;
    let body = response.body().limit(ANSWER_LIMIT).await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    serde_json::from_slice(&body).ok()
}

fn url(trunk: &Trunk, path: &str) -> String {
    format!("{}{path}", trunk.url.as_str().trim_end_matches('/'))
}
