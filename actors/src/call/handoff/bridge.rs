//! Prepares an agent for the caller's own leg: gets its address from ElevenLabs and makes the agent order. The leg's
//! audio runs the session, and the leg's player reports its outcome.

use std::time::Duration;

use actix::Recipient;
use precall_audio::bridge::agent_order::AgentOrder;
use precall_audio::bridge::turn_taking::FirstSpeaker;
use precall_call::{Event, HandoffFailure};
use precall_providers::elevenlabs::{AgentUrl, AgentUrlError, Execution, Initiation, initiation_text};
use precall_store::StoreError;
use precall_store::recovery::utterances;
use slog::warn;

use super::HandoffOrder;
use crate::call::announcements::GREETING;
use crate::call::call_context::CallContext;
use crate::call::line::{AgentAccess, BridgeRules};
use crate::call::messages::AgentOrdered;
use crate::call::services::CallServices;
use crate::call::transcript_tail::TranscriptTail;
use crate::runtime::clients::Clients;

/// The session starts this long before the greeting ends: enough for the agent to prepare its first words, and too
/// short for it to prompt a silent caller.
const LEAD_TIME: Duration = Duration::from_secs(2);
/// The agent counts as lost after owing an answer for this long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15);
/// Utterances read back from the database at most: more than an agent gets.
const UTTERANCES_READ: i64 = 60;
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends the agent order to the call. Returns an event only if that failed.
pub(crate) async fn prepare(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
    ordered: &Recipient<AgentOrdered>,
) -> Option<Event> {
    let failed = |why| Some(Event::HandoffFailed { attempt: order.number, why });
    let rules = context.line.rules.bridge.as_ref();
    let (true, Some(rules)) = (order.has_player, rules) else {
        return failed(HandoffFailure::Refused);
    };
    let clients = services.clients.here();
    if !services.take_agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    let url = match url(rules, context, services, &clients).await {
        Ok(url) => url,
        Err(error) => {
            warn!(services.log, "could not get the agent's address"; "call" => %context.id, "attempt" => order.number,
                "error" => %error);
            return failed(match error {
                AgentUrlError::Provider(error) if error.execution == Execution::Maybe => {
                    HandoffFailure::Unknown
                }
                AgentUrlError::Provider(_)
                | AgentUrlError::Unreadable
                | AgentUrlError::Host(_)
                | AgentUrlError::Open => HandoffFailure::Refused,
            });
        }
    };
    let transcript_context = transcript_context(order, context, services).await;
    let agent = AgentOrder { context: transcript_context, ..agent_order(order, context, rules, url) };
    ordered.do_send(AgentOrdered(agent));
    None
}

/// The earlier conversation, from the database: after a restart the player does not have it. If it cannot be read, the
/// agent starts without it.
async fn transcript_context(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
) -> Option<String> {
    if order.utterances == 0 {
        return None;
    }
    let read = async {
        let client = services.pool.get().await?;
        utterances::last(&**client, context.id, UTTERANCES_READ).await
    };
    match tokio::time::timeout(READ_TIMEOUT, read).await.unwrap_or(Err(StoreError::TooSlow)) {
        Ok(utterances) => {
            let mut tail = TranscriptTail::default();
            for utterance in utterances {
                tail.push(utterance.number, utterance.by, &utterance.text, utterance.corrects);
            }
            tail.contextual_update()
        }
        Err(error) => {
            warn!(services.log, "could not read earlier utterances"; "call" => %context.id, "error" => %error);
            None
        }
    }
}

async fn url(
    rules: &BridgeRules,
    context: &CallContext,
    services: &CallServices,
    clients: &Clients,
) -> Result<AgentUrl, AgentUrlError> {
    let agent = &context.line.agent_id;
    match rules.access {
        AgentAccess::Public => clients.dials.public_agent_url(agent),
        AgentAccess::Signed => {
            let within = services.dial.dial_within;
            let url = clients.dials.signed_agent_url(agent, &rules.hosts, within).await;
            if let Err(AgentUrlError::Provider(error)) = &url {
                services.provider.note::<()>(&Err(error.clone()));
            }
            url
        }
    }
}

fn agent_order(
    order: &HandoffOrder,
    context: &CallContext,
    rules: &BridgeRules,
    url: AgentUrl,
) -> AgentOrder {
    let first_message = rules.first_message.as_deref();
    let initiation = initiation_text(&Initiation {
        call: context.id,
        threecx_call_id: context.threecx_call_id.as_deref(),
        caller_id: context.caller_id(),
        voice: order.voice.as_ref(),
        first_message,
        language: context.line.language.as_deref(),
        variables: &rules.variables,
    });
    AgentOrder {
        attempt: order.number,
        url,
        initiation,
        context: None,
        begins: (GREETING, LEAD_TIME),
        first_speaker: match first_message {
            None => FirstSpeaker::Unknown,
            Some("") => FirstSpeaker::Caller,
            Some(_) => FirstSpeaker::Agent,
        },
        fill_after: rules.stall,
        give_up_after: GIVE_UP_AFTER.max(rules.stall),
        piece: rules.piece,
    }
}
