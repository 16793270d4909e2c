//! Transfers the caller's leg to the agent's trunk or to a person. Until the destination answers, precall keeps the leg
//! and plays into it.

use precall_base::clock;
use precall_call::{Event, HandoffFailure, Person, Rung};
use precall_providers::threecx::action::{ActionOutcome, Destination, Refusal};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use slog::{info, warn};

use super::HandoffOrder;
use crate::call::call_context::CallContext;
use crate::call::expected_transfers::ExpectedTransfer;
use crate::call::services::CallServices;

/// Makes the transfer. Returns the outcome; if the PBX's answer was lost and the leg is gone, `LegGone` comes first.
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
    let to_agent = order.rung == Rung::Transfer;
    if to_agent && !services.take_agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    if to_agent {
        services.transfers.expect(ExpectedTransfer {
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
    let succeeded = matches!(outcome, ActionOutcome::Done(_));
    if to_agent && !succeeded {
        services.transfers.withdraw(context.id);
    }
    match outcome {
        ActionOutcome::Done(_) => {
            vec![Event::HandoffSucceeded { attempt: order.number, conversation: None }]
        }
        ActionOutcome::Refused { reason, message } => {
            info!(services.log, "a leg was not transferred"; "call" => %context.id, "rung" => order.rung.name(),
                "reason" => reason.name(), "error" => message);
            failed(failure(reason))
        }
        ActionOutcome::Over => failed(HandoffFailure::CallOver),
        ActionOutcome::Unknown { message } => {
            warn!(services.log, "no answer from the PBX, a leg may have been transferred"; "call" => %context.id,
                "rung" => order.rung.name(), "error" => message);
            let mut events = Vec::new();
            if is_gone(&pbx, leg).await {
                events.push(Event::LegGone);
            }
            events.extend(failed(HandoffFailure::Unknown));
            events
        }
    }
}

/// Asks for the list of participants: 3CX also hides a single leg from clients that do not control it (3CX facts,
/// section 1.2).
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
