//! Routing the caller's own leg to the agent's trunk or to a person. The leg stays ours, and goes on playing, until
//! somebody answers.

use precall_base::clock;
use precall_call::{Event, HandoffFailure, Person, Rung};
use precall_providers::threecx::action::{ActionOutcome, Destination, Refusal};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use slog::{info, warn};

use super::HandoffOrder;
use crate::call::call_context::CallContext;
use crate::call::expected_transfers::Expected;
use crate::call::services::CallServices;

/// What was seen, in order: the outcome, and that the leg is gone where its answer was lost.
pub(crate) async fn route(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
) -> Vec<Event> {
    let failed = |why| vec![Event::HandoffFailed { attempt: order.number, why }];
    let line = &context.line;
    let to = match (&order.person, order.rung) {
        (Some(Person::Named(name)), _) => {
            line.rules.persons.iter().find(|(known, _)| known.as_str() == name.as_ref()).map(|(_, to)| to)
        }
        (None, Rung::Transfer) => line.agent_destination.as_ref(),
        (None | Some(Person::Fallback), _) => line.fallback_destination.as_ref(),
    };
    let (Some(leg), Some(to)) = (&order.leg, to) else {
        return failed(HandoffFailure::Refused);
    };
    let (pbx, leg) = (leg.side.client.here(), &leg.address);
    let agent_is_asked_for = order.rung == Rung::Transfer;
    if agent_is_asked_for && !services.take_agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    if agent_is_asked_for {
        services.transfers.expect(Expected {
            call: context.id,
            agent_id: line.agent_id.clone(),
            destination: to.clone(),
            caller: context.caller.clone(),
            voice: order.voice.clone(),
            since: clock::now(),
        });
    }
    let destination = Destination { to: to.clone(), ringing: line.rules.transfer_ring };
    let outcome = pbx.route_to(leg, &destination).await;
    let brought = matches!(outcome, ActionOutcome::Done(_));
    if agent_is_asked_for && !brought {
        services.transfers.withdraw(context.id);
    }
    match outcome {
        ActionOutcome::Done(_) => {
            vec![Event::HandoffSucceeded { attempt: order.number, conversation: None }]
        }
        ActionOutcome::Refused { reason, message } => {
            info!(services.log, "a leg was not routed"; "call" => %context.id, "rung" => order.rung.name(),
                "reason" => reason.name(), "error" => message);
            failed(failure(reason))
        }
        ActionOutcome::Over => failed(HandoffFailure::CallOver),
        ActionOutcome::Unknown { message } => {
            warn!(services.log, "nobody said whether a leg was routed"; "call" => %context.id,
                "rung" => order.rung.name(), "error" => message);
            let mut seen = Vec::new();
            if is_gone(&pbx, leg).await {
                seen.push(Event::LegGone);
            }
            seen.extend(failed(HandoffFailure::Unknown));
            seen
        }
    }
}

/// Only the list is believed: a single leg is also hidden from those who do not control it (3CX facts, section 1.2).
async fn is_gone(pbx: &ThreeCx, leg: &LegAddress) -> bool {
    match pbx.participants(&leg.dn).await {
        Ok(there) => there.iter().all(|participant| participant.leg != *leg),
        Err(_) => false,
    }
}

fn failure(reason: Refusal) -> HandoffFailure {
    match reason {
        Refusal::Busy => HandoffFailure::Busy,
        Refusal::NoAnswer | Refusal::TimedOut => HandoffFailure::NoAnswer,
        Refusal::UnknownDestination
        | Refusal::NotRegistered
        | Refusal::NotReachable
        | Refusal::Loop
        | Refusal::Cancelled
        | Refusal::Forbidden
        | Refusal::NotApplicable
        | Refusal::NotSent
        | Refusal::Other => HandoffFailure::Refused,
    }
}
