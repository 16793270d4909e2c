//! `POST /sim/inbound`: a SIP call arrives at the agent. The simulator asks the initiation webhook for the settings of
//! the conversation, then starts it.

use std::sync::Arc;

use actix_web::web::Data;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::context::{Context, POST_TIMEOUT};
use super::conversation::{Carrier, Direction, NewConversation, Telephony};
use super::faults::Fates;
use super::lifecycle;
use super::overrides::{Channel, Taken};
use crate::shared::options::Target;

/// Most of an answer that is read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The call that arrives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inbound {
    called_number: String,
    caller_id: String,
    call_sid: String,
    /// The agent that the number belongs to.
    #[serde(default = "default_agent")]
    agent_id: String,
}

fn default_agent() -> String {
    "agent_simulated".to_owned()
}

/// What the initiation webhook said.
struct Told {
    status: Option<u16>,
    body: Value,
}

/// Takes the call. What the provider does when the webhook fails is not known; here the call is not taken.
pub(super) async fn arrive(context: &Data<Context>, call: Inbound) -> Answer {
    let target = {
        let world = context.world();
        world.initiation.clone().filter(|_| world.agent.initiation_webhook)
    };
    let told = match &target {
        Some(target) => Some(ask(context, target, &call).await),
        None => None,
    };
    let client_data = match &told {
        None => Some(Map::new()),
        Some(told) => client_data(told),
    };
    let conversation_id = client_data.and_then(|data| start(context, &call, data));
    let voice_id = conversation_id.as_ref().and_then(|id| {
        let world = context.world();
        world.conversations.get(id).and_then(|conversation| conversation.voice_id().map(str::to_owned))
    });
    Answer::ok(json!({
        "conversation_id": conversation_id,
        "voice_id": voice_id,
        "initiation": told.map(|told| json!({"status": told.status, "body": told.body})),
    }))
}

async fn ask(context: &Context, target: &Target, call: &Inbound) -> Told {
    let body = json!({
        "caller_id": call.caller_id,
        "agent_id": call.agent_id,
        "called_number": call.called_number,
        "call_sid": call.call_sid,
    });
    let request = context
        .client
        .0
        .post(target.url.as_str())
        .insert_header(("x-initiation-secret", target.secret.expose()));
    let exchange = async {
        let mut response = request.send_json(&body).await.ok()?;
        let raw = response.body().limit(ANSWER_LIMIT).await.ok()?;
        let body = serde_json::from_slice(&raw)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&raw).into_owned()));
        Some(Told { status: Some(response.status().as_u16()), body })
    };
    let answered = tokio::time::timeout(POST_TIMEOUT, exchange).await.ok().flatten();
    answered.unwrap_or(Told { status: None, body: Value::Null })
}

/// The client data of a proper answer: status 200 and the right `type`.
fn client_data(told: &Told) -> Option<Map<String, Value>> {
    let body = told.body.as_object().filter(|_| told.status == Some(200))?;
    let right = body.get("type").and_then(Value::as_str) == Some("conversation_initiation_client_data");
    right.then(|| body.clone())
}

fn start(context: &Data<Context>, call: &Inbound, client_data: Map<String, Value>) -> Option<String> {
    let mut world = context.world();
    let Taken { data: client_data, refusal } = world.agent.takes(client_data, Channel::Phone);
    let about = NewConversation {
        agent_id: call.agent_id.clone(),
        phone_number_id: "phnum_simulated".to_owned(),
        carrier: Carrier::Phone(Telephony::SipTrunk),
        direction: Direction::Inbound,
        external_number: call.caller_id.clone(),
        agent_number: call.called_number.clone(),
        call_sid: call.call_sid.clone(),
        client_data,
        holds_line: true,
        report: Arc::clone(&world.agent.report),
    };
    let id = world.conversations.begin(about, Timestamp::now()).ok().map(|one| one.id.clone())?;
    actix_web::rt::spawn(lifecycle::conduct(context.clone(), id.clone(), Fates::default(), refusal));
    Some(id)
}
