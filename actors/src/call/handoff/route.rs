//! Transfers the caller's leg to the agent's trunk or to a person. Until the destination answers, precall keeps the leg
//! and plays into it.

use precall_base::clock;
use precall_call::{Event, HandoffFailure, Person, Rung};
use precall_providers::threecx::action::{ActionOutcome, Destination, Refusal};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use slog::{info, warn};

use super::bridge::earlier_conversation;
use super::{HandoffOrder, Told};
use crate::call::call_context::CallContext;
use crate::call::expected_transfers::ExpectedTransfer;
use crate::call::services::{CallServices, NO_SEAT};

/// Makes the transfer. Returns the outcome; if the PBX's answer was lost and the leg is gone, `LegGone` comes first.
pub(crate) async fn route(order: &HandoffOrder, context: &CallContext, services: &CallServices) -> Vec<Told> {
    let failed = |why, words: &dyn ToString| vec![Told::failed(order.number, why, words.to_string())];
    let line = &context.line;
    let to = match (&order.person, order.rung) {
        (Some(Person::Named(name)), _) => {
            line.rules.persons.iter().find(|(known, _)| known.as_str() == name.as_ref()).map(|(_, to)| to)
        }
        (None, Rung::Transfer) => line.agent_destination.as_ref(),
        (None | Some(Person::Fallback), _) => line.fallback_destination.as_ref(),
    };
    let (Some(leg), Some(to)) = (&order.leg, to) else {
        return failed(HandoffFailure::Refused, &"the caller's leg is gone, or there is no destination");
    };
    let (pbx, leg) = (leg.side.client.here(), &leg.address);
    let to_agent = order.rung == Rung::Transfer;
    if to_agent && !services.take_agent_seat(context).await {
        return failed(HandoffFailure::Refused, &NO_SEAT);
    }
    if to_agent {
        // The agent's initiation webhook is answered from memory, so its permissions are read now.
        services.agent_settings.of(&services.clients.here(), &line.agent_id).await;
        let earlier = earlier_conversation(order, context, services).await;
        services.transfers.expect(ExpectedTransfer {
            call: context.id,
            attempt: order.number,
            agent_id: line.agent_id.clone(),
            destination: to.clone(),
            caller: context.caller.clone(),
            voice: order.voice.clone(),
            continues: order.continues,
            earlier: earlier.quoted(),
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
            vec![Told::plain(Event::HandoffSucceeded { attempt: order.number, conversation: None })]
        }
        ActionOutcome::Refused { reason, message } => {
            info!(services.log, "a leg was not transferred"; "call" => %context.id, "rung" => order.rung.name(),
                "caller" => %context.caller, "reason" => reason.name(), "error" => &message);
            let words = format!("3CX did not transfer the leg ({}): {message}", reason.name());
            services.outcomes.handoff_reason(context.id, &words);
            failed(failure(reason), &words)
        }
        ActionOutcome::Over => failed(HandoffFailure::CallOver, &"the PBX says that the call is over"),
        ActionOutcome::Unknown { message } => {
            warn!(services.log, "no answer from the PBX, a leg may have been transferred"; "call" => %context.id,
                "caller" => %context.caller, "rung" => order.rung.name(), "error" => &message);
            let mut told = Vec::new();
            if is_gone(&pbx, leg).await {
                told.push(Told::plain(Event::LegGone));
            }
            told.extend(failed(HandoffFailure::Unknown, &message));
            told
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
