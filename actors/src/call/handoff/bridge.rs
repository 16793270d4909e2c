//! Prepares an agent for the caller's own leg: gets its address from ElevenLabs and makes the agent order. The leg's
//! audio runs the session, and the leg's player reports its outcome.

use std::time::Duration;

use actix::Recipient;
use precall_audio::bridge::agent_order::{AgentOrder, GreetingUse};
use precall_audio::bridge::turn_taking::FirstSpeaker;
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::HandoffFailure;
use precall_providers::elevenlabs::{AgentUrl, AgentUrlError, Execution, Initiation, initiation_text};
use precall_providers::trace_context::{TraceParent, TracedPart};
use precall_store::StoreError;
use precall_store::recovery::utterances;
use slog::warn;

use super::{HandoffOrder, NO_VOICE_OVERRIDE, Told};
use crate::call::agent_settings::{AgentTerms, Override};
use crate::call::announcements::GREETING;
use crate::call::call_context::CallContext;
use crate::call::line::{AgentAccess, BridgeRules};
use crate::call::messages::AgentOrdered;
use crate::call::services::{CallServices, NO_SEAT};
use crate::call::transcript_tail::TranscriptTail;
use crate::runtime::clients::Clients;

/// The session starts this long before the greeting ends: enough for the agent to prepare its first words, and too
/// short for it to prompt a silent caller.
const LEAD_TIME: Duration = Duration::from_secs(2);
/// The agent counts as lost when its first word does not come within this time. It is shorter than for later words,
/// because a caller who hears only music hangs up.
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(8);
/// The agent counts as lost after owing an answer for this long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15);
/// Utterances read back from the database at most: more than an agent gets.
const UTTERANCES_READ: i64 = 60;
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Pauses before the signed address is requested again. Reading it changes nothing at ElevenLabs.
const URL_PAUSE: Duration = Duration::from_millis(200);
const URL_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a failing request for the address is repeated. The caller hears music meanwhile, and the ladder has more
/// rungs.
const URL_WITHIN: Duration = Duration::from_secs(8);

/// Sends the agent order to the call. Returns an outcome only if that failed.
pub(crate) async fn prepare(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
    ordered: &Recipient<AgentOrdered>,
) -> Option<Told> {
    let failed = |why, words: &dyn ToString| Some(Told::failed(order.number, why, words.to_string()));
    let rules = context.line.rules.bridge.as_ref();
    let (true, Some(rules)) = (order.has_player, rules) else {
        return failed(HandoffFailure::Refused, &"the caller's leg carries no audio");
    };
    let clients = services.clients.here();
    let agent_id = &context.line.agent_id;
    let terms = services.agent_settings.of(&clients, agent_id).await;
    let may_send = |which| services.agent_settings.may_send(agent_id, &terms, which);
    if order.needs_refused_voice(&may_send) {
        return failed(HandoffFailure::VoiceRefused, &NO_VOICE_OVERRIDE);
    }
    if !services.take_agent_seat(context).await {
        return failed(HandoffFailure::Refused, &NO_SEAT);
    }
    let url = match url(order, rules, context, services, &clients).await {
        Ok(url) => url,
        Err(error) => {
            warn!(services.log, "could not get the agent's address"; "call" => %context.id,
                "caller" => %context.caller, "attempt" => order.number, "error" => %error);
            services.outcomes.handoff_reason(context.id, &error.to_string());
            let why = match &error {
                AgentUrlError::Provider(error) if error.execution == Execution::Maybe => {
                    HandoffFailure::Unknown
                }
                AgentUrlError::Provider(_)
                | AgentUrlError::Unreadable
                | AgentUrlError::Host(_)
                | AgentUrlError::Open => HandoffFailure::Refused,
            };
            return failed(why, &error);
        }
    };
    let earlier = earlier_conversation(order, context, services).await;
    let trace = services.traces.context(context.id, TracedPart::Conversation(order.number));
    ordered.do_send(AgentOrdered {
        order: agent_order(order, context, rules, url, trace, &terms, &may_send),
        earlier,
    });
    None
}

/// The conversation so far, from the database: after a restart the player does not have it. If it cannot be read, the
/// agent starts without it.
pub(super) async fn earlier_conversation(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
) -> TranscriptTail {
    let mut tail = TranscriptTail::default();
    if order.utterances == 0 {
        return tail;
    }
    let read = async {
        let client = services.pool.get().await?;
        utterances::last(&**client, context.id, UTTERANCES_READ).await
    };
    match tokio::time::timeout(READ_TIMEOUT, read).await.unwrap_or(Err(StoreError::TooSlow)) {
        Ok(utterances) => {
            for utterance in utterances {
                tail.push(utterance.number, utterance.by, &utterance.text, utterance.corrects);
            }
        }
        Err(error) => {
            warn!(services.log, "could not read earlier utterances"; "call" => %context.id, "error" => %error);
        }
    }
    tail
}

async fn url(
    order: &HandoffOrder,
    rules: &BridgeRules,
    context: &CallContext,
    services: &CallServices,
    clients: &Clients,
) -> Result<AgentUrl, AgentUrlError> {
    let agent = &context.line.agent_id;
    if rules.access == AgentAccess::Public {
        return clients.dials.public_agent_url(agent);
    }
    let give_up_at = clock::now().plus(URL_WITHIN.min(context.line.policy().handoff_max / 2));
    let trace = services.traces.context(context.id, TracedPart::Handoff(order.number));
    let mut pauses = Backoff::new(URL_PAUSE, URL_PAUSE_MAX);
    loop {
        let left = give_up_at.since(clock::now());
        let within = services.dial.dial_within.min(left.max(URL_PAUSE_MAX));
        let error = match clients.dials.signed_agent_url(agent, &rules.hosts, trace, within).await {
            Err(AgentUrlError::Provider(error)) => error,
            other => {
                services.provider.note(&Ok(()));
                return other;
            }
        };
        services.provider.note::<()>(&Err(error.clone()));
        let pause = error.retry_after.unwrap_or_else(|| pauses.wait());
        if !error.is_passing() || clock::now().plus(pause) >= give_up_at {
            return Err(AgentUrlError::Provider(error));
        }
        warn!(services.log, "could not get the agent's address, retrying"; "call" => %context.id,
            "error" => %error);
        tokio::time::sleep(pause).await;
    }
}

fn agent_order(
    order: &HandoffOrder,
    context: &CallContext,
    rules: &BridgeRules,
    url: AgentUrl,
    trace: Option<TraceParent>,
    terms: &AgentTerms,
    may_send: &impl Fn(Override) -> bool,
) -> AgentOrder {
    // The caller was greeted before. An agent that may not be told so greets again, and is not heard.
    let wanted = if order.continues { Some("") } else { rules.first_message.as_deref() };
    let first_message = wanted.filter(|_| may_send(Override::FirstMessage));
    let greets = match first_message {
        Some(words) => Some(!words.is_empty()),
        None => terms.greets,
    };
    let initiation = initiation_text(&Initiation {
        call: context.id,
        threecx_call_id: context.threecx_call_id.as_deref(),
        caller_id: context.caller_id(),
        voice: order.voice.as_ref().filter(|_| may_send(Override::Voice)),
        first_message,
        language: context.line.language.as_deref().filter(|_| may_send(Override::Language)),
        trace,
        variables: &rules.variables,
    });
    AgentOrder {
        attempt: order.number,
        url,
        initiation,
        context: None,
        unanswered: None,
        own_greeting: match (order.continues, greets) {
            (true, Some(true) | None) => GreetingUse::Drop,
            (true, Some(false)) | (false, _) => GreetingUse::Play,
        },
        begins: (GREETING, LEAD_TIME),
        first_speaker: match greets {
            _ if order.continues => FirstSpeaker::Caller,
            None => FirstSpeaker::Unknown,
            Some(false) => FirstSpeaker::Caller,
            Some(true) => FirstSpeaker::Agent,
        },
        fill_after: rules.stall,
        first_word_within: FIRST_WORD_WITHIN.max(rules.stall),
        give_up_after: GIVE_UP_AFTER.max(rules.stall),
        piece: rules.piece,
    }
}
