//! `routeto`, `transferto`, `divert`: the request waits until the transfer has succeeded, or failed and the leg is
//! still the client's (facts page, section 1.3).

use std::time::{Duration, Instant};

use actix_web::web::Data;
use tokio::sync::oneshot;

use super::answer::{self, Answer, Reason};
use super::call::{EndedBy, Transfer, TrunkCall};
use super::context::Context;
use super::errand::{Errand, Hangup};
use super::leg::{Interrupted, Status};
use super::options::Trunk;
use super::order::Order;
use super::script::{Outcome, RemoveOrder, Turn};
use super::trunk;
use super::world::World;

/// The core's own limit (facts page, section 1.3).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(180);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);
/// How long after the answer a late Remove comes.
const REMOVE_LATE: Duration = Duration::from_millis(100);

/// The kind of transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    RouteTo,
    TransferTo,
    Divert,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::RouteTo => "routeto",
            Self::TransferTo => "transferto",
            Self::Divert => "divert",
        }
    }

    fn allows(self, status: Status) -> bool {
        match self {
            Self::RouteTo => status != Status::Dialing,
            Self::TransferTo => status == Status::Connected,
            Self::Divert => status == Status::Ringing,
        }
    }
}

/// A transfer under way.
struct Attempt {
    serial: u64,
    leg: u64,
    destination: String,
    /// Which entry of the call's transfers it is.
    index: usize,
    turn: Turn,
    trunk: Option<Trunk>,
    caller: String,
    interrupted: oneshot::Receiver<Interrupted>,
}

/// Runs the transfer to its end.
pub(super) async fn forward(
    context: &Data<Context>,
    way: Way,
    serial: u64,
    leg: u64,
    order: Order,
) -> Answer {
    let limit = order.timeout.unwrap_or(DEFAULT_TIMEOUT).min(LONGEST_TIMEOUT);
    let attempt = match context.shared.change(|world| begin(world, way, serial, leg, order)) {
        Ok(attempt) => attempt,
        Err(refused) => return refused,
    };
    let (index, destination, turn) = (attempt.index, attempt.destination.clone(), attempt.turn.clone());
    let reached = reach(context, attempt, limit).await;
    let now = Instant::now();
    let codes = turn.codes.unwrap_or(context.shared.options.codes);
    context.shared.change(|world| {
        let outcome = reached.as_ref().err().map_or("answered", |reason| reason.name());
        if let Some(entry) = world.calls.get_mut(serial).and_then(|call| call.transfers.get_mut(index)) {
            entry.outcome = outcome.to_owned();
        }
        let on_trunk = match reached {
            Ok(on_trunk) => on_trunk,
            Err(reason) => return answer::failure(codes, reason),
        };
        // The caller may have gone in the very moment of the answer.
        let shown = world.calls.get(serial).and_then(|call| call.leg(leg)).map(|leg| leg.shown());
        let Some(shown) = shown else {
            if let Some(on) = on_trunk {
                world.send(Errand::HangUp(Hangup { dn: on.dn, conversation_id: on.conversation_id }));
            }
            return answer::failure(codes, Reason::ParentConnectionTerminated);
        };
        if let Some(call) = world.calls.get_mut(serial) {
            call.trunk = on_trunk;
        }
        match turn.remove {
            RemoveOrder::Before => world.hand_over(serial, leg, &destination, now),
            RemoveOrder::After => {
                let context = context.clone();
                actix_web::rt::spawn(async move {
                    tokio::time::sleep(REMOVE_LATE).await;
                    context.world().hand_over(serial, leg, &destination, Instant::now());
                });
            }
        }
        answer::success(turn.status.unwrap_or(world.options.action_status), codes, shown)
    })
}

fn begin(world: &mut World, way: Way, serial: u64, leg_id: u64, order: Order) -> Result<Attempt, Answer> {
    let codes = world.options.codes;
    let Some(destination) = order.destination else {
        return Err(answer::Answer::refused(400, "destination is missing"));
    };
    let gone = || Answer::bare(404);
    let call = world.calls.get_mut(serial).ok_or_else(gone)?;
    let (index, caller) = (call.transfers.len(), call.wanted.caller.clone());
    let leg = call.leg_mut(leg_id).ok_or_else(gone)?;
    if !way.allows(leg.status) {
        let why = format!("{} does not apply to a participant that is {}", way.name(), leg.status.name());
        return Err(answer::rejection(codes, &why));
    }
    if leg.dn == destination {
        return Err(answer::failure(codes, Reason::RoutingLoopDetected));
    }
    let (interrupt, interrupted) = oneshot::channel();
    leg.waiting.retain(|waiting| !waiting.is_closed());
    leg.waiting.push(interrupt);
    call.transfers.push(Transfer {
        action: way.name().to_owned(),
        destination: destination.clone(),
        outcome: "pending".to_owned(),
    });
    let trunk = world.options.trunk(&destination).cloned();
    // No script: a trunk takes its own time, every other destination answers soon.
    let at_once = || Turn { after_ms: trunk.is_some().then_some(0), ..Turn::default() };
    let turn = world.transfers.take(&destination).unwrap_or_else(at_once);
    Ok(Attempt { serial, leg: leg_id, destination, index, turn, trunk, caller, interrupted })
}

async fn reach(
    context: &Data<Context>,
    attempt: Attempt,
    limit: Duration,
) -> Result<Option<TrunkCall>, Reason> {
    let Attempt { serial, turn, trunk, caller, mut interrupted, .. } = attempt;
    let work_context = context.clone();
    let leg = attempt.leg;
    // On its own, so that a conversation which begins too late is known and can be ended.
    let mut work =
        actix_web::rt::spawn(async move { rings(&work_context, serial, leg, turn, trunk, caller).await });
    let reason = tokio::select! {
        done = &mut work => return done.unwrap_or(Err(Reason::DestinationIsNotReachable)),
        why = &mut interrupted => match why {
            Ok(Interrupted::CallerHungUp) => Reason::ParentConnectionTerminated,
            Ok(Interrupted::Dropped) => Reason::Cancelled,
            Ok(Interrupted::Gone) | Err(_) => Reason::CompletedElsewhere,
        },
        () = tokio::time::sleep(limit) => Reason::OperationTimeout,
    };
    let context = context.clone();
    actix_web::rt::spawn(async move {
        if let Ok(Ok(Some(on))) = work.await {
            trunk::hang_up(context, Hangup { dn: on.dn, conversation_id: on.conversation_id }).await;
        }
    });
    Err(reason)
}

async fn rings(
    context: &Data<Context>,
    serial: u64,
    leg: u64,
    turn: Turn,
    trunk: Option<Trunk>,
    caller: String,
) -> Result<Option<TrunkCall>, Reason> {
    let never = turn.outcome == Outcome::Timeout && turn.after_ms.is_none();
    tokio::time::sleep(if never { LONGEST_TIMEOUT } else { turn.after() }).await;
    let is_there = context.world().calls.get(serial).is_some_and(|call| call.leg(leg).is_some());
    if !is_there {
        return Err(Reason::ParentConnectionTerminated);
    }
    match (turn.outcome, trunk) {
        (Outcome::Answered, None) => Ok(None),
        (Outcome::Answered, Some(trunk)) => {
            let on = trunk::ring(context.clone(), trunk, caller).await;
            on.map(Some).ok_or(Reason::DestinationIsNotReachable)
        }
        (Outcome::Busy, _) => Err(Reason::DestinationBusy),
        (Outcome::NoAnswer, _) => Err(Reason::DestinationNoAnswer),
        (Outcome::Unknown, _) => Err(Reason::UnknownDestination),
        (Outcome::Timeout, _) => Err(Reason::OperationTimeout),
        (Outcome::CallerHangup, _) => {
            context.shared.change(|world| world.end(serial, EndedBy::Caller, Instant::now()));
            Err(Reason::ParentConnectionTerminated)
        }
    }
}
