//! Bringing the agent onto the caller's own leg: its address from the provider, and what it begins with. The session
//! itself is the leg's audio's, and its outcome is told by whoever plays into the leg.

use std::time::Duration;

use precall_call::{Event, HandoffFailure};
use slog::warn;

use super::HandoffOrder;
use crate::call_context::CallContext;
use crate::greeting_player::BringAgent;
use crate::last_words::LastWords;
use crate::line::{AgentAccess, BridgeRules};
use crate::media::bridge::agent_order::AgentOrder;
use crate::media::bridge::turn::Opening;
use crate::programme::GREETING;
use crate::providers::elevenlabs::{AgentUrl, AgentUrlError, Execution, Initiation, initiation_text};
use crate::shared::{Clients, Shared, clients};
use crate::store::{StoreError, spoken_lines};

/// A conversation begins so long before the greeting's end: time to make its first words, and none to grow impatient.
const BEGINS_BEFORE: Duration = Duration::from_secs(2);
/// After so long without a word that is owed nobody waits any more.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15);
/// Lines that are read back at most: more than an agent is told of.
const LINES_READ: i64 = 60;
const READ_WITHIN: Duration = Duration::from_secs(1);

/// What went wrong at once; nothing when the order is with the player.
pub(super) async fn bring(order: &HandoffOrder, context: &CallContext, shared: &Shared) -> Option<Event> {
    let failed = |why| Some(Event::HandoffFailed { attempt: order.number, why });
    let rules = context.line.rules.bridge.as_ref();
    let (Some(player), Some(rules), Some(clients)) = (&order.player, rules, clients()) else {
        return failed(HandoffFailure::Refused);
    };
    if !shared.agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    let url = match url(rules, context, shared, &clients).await {
        Ok(url) => url,
        Err(error) => {
            warn!(shared.log, "the agent has no address"; "call" => %context.id, "attempt" => order.number,
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
    let said_before = said_before(order, context, shared).await;
    player
        .do_send(BringAgent(AgentOrder { context: said_before, ..agent_order(order, context, rules, url) }));
    None
}

/// What was said before, from the log: whoever plays may not have heard it, as after a restart. Without it the agent
/// begins anew.
async fn said_before(order: &HandoffOrder, context: &CallContext, shared: &Shared) -> Option<String> {
    if order.utterances == 0 {
        return None;
    }
    let read = async {
        let client = shared.pool.get().await?;
        spoken_lines::last(&**client, context.id, LINES_READ).await
    };
    match tokio::time::timeout(READ_WITHIN, read).await.unwrap_or(Err(StoreError::TooSlow)) {
        Ok(lines) => {
            let mut words = LastWords::default();
            for line in lines {
                words.say(line.number, line.by, &line.text, line.corrects);
            }
            words.told()
        }
        Err(error) => {
            warn!(shared.log, "what was said before could not be read"; "call" => %context.id, "error" => %error);
            None
        }
    }
}

async fn url(
    rules: &BridgeRules,
    context: &CallContext,
    shared: &Shared,
    clients: &Clients,
) -> Result<AgentUrl, AgentUrlError> {
    let agent = &context.line.agent_id;
    match rules.access {
        AgentAccess::Public => clients.dials.public_agent_url(agent),
        AgentAccess::Signed => {
            let within = shared.settings.dial_within;
            let url = clients.dials.signed_agent_url(agent, &rules.hosts, within).await;
            if let Err(AgentUrlError::Provider(error)) = &url {
                shared.provider.note::<()>(&Err(error.clone()));
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
        begins: (GREETING, BEGINS_BEFORE),
        opening: match first_message {
            None => Opening::Unknown,
            Some("") => Opening::Caller,
            Some(_) => Opening::Agent,
        },
        fill_after: rules.stall,
        give_up_after: GIVE_UP_AFTER.max(rules.stall),
        piece: rules.piece,
    }
}
