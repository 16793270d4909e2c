//! The actions of a client on a leg, and when each applies (facts page, section 1.3).

use std::time::{Duration, Instant};

use actix_web::web::Data;

use super::answer::{self, Answer, Reason};
use super::call::{Call, Direction, EndedBy, NewCall, State};
use super::caller_sound::Speaks;
use super::context::Context;
use super::front_door::RoutedBecause;
use super::grants::ROUTE_POINT;
use super::leg::{Control, Leg, Party, Status};
use super::life::TRUNK_DN;
use super::order::Order;
use super::script::Outcome;
use super::transfer::{self, Way};
use super::world::World;

/// Most data that is kept of one leg.
const MOST_ATTACHED: usize = 64;
/// The longest that the client's own call rings.
const RINGS_AT_MOST: Duration = Duration::from_secs(180);

/// Executes an action.
pub(super) async fn act(context: &Data<Context>, dn: &str, id: &str, action: &str, order: Order) -> Answer {
    let now = Instant::now();
    let (serial, leg) = match controlled(&context.world(), dn, id) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    match action {
        "drop" => context.shared.change(|world| hang_up(world, serial, leg, now)),
        "answer" => context.shared.change(|world| pick_up(world, serial, leg, now)),
        "divert" => transfer::forward(context, Way::Divert, serial, leg, order).await,
        "routeto" => transfer::forward(context, Way::RouteTo, serial, leg, order).await,
        "transferto" => transfer::forward(context, Way::TransferTo, serial, leg, order).await,
        "attach_participant_data" | "attach_party_data" => {
            context.shared.change(|world| attach(world, serial, leg, action, order))
        }
        _ => Answer::bare(404),
    }
}

/// The call and leg behind a path.
///
/// # Errors
/// 403 if the client may not see or control it, 404 if it does not exist.
pub(super) fn controlled(world: &World, dn: &str, id: &str) -> Result<(u64, u64), Answer> {
    visible(world, dn)?;
    let missing = || Answer::bare(404);
    let id: u64 = id.parse().map_err(|_| missing())?;
    let serial = world.calls.serial_of_leg(id).ok_or_else(missing)?;
    let leg = world.calls.get(serial).and_then(|call| call.leg(id)).ok_or_else(missing)?;
    if leg.dn != dn || leg.control == Control::Seen {
        return Err(Answer::bare(403));
    }
    Ok((serial, id))
}

/// Whether the client sees a DN.
///
/// # Errors
/// 403 for one that exists without the client's seeing it, 404 for one that does not.
pub(super) fn visible(world: &World, dn: &str) -> Result<(), Answer> {
    if world.options.sees(dn) || world.options.is_second(dn) {
        return Ok(());
    }
    let exists = dn == TRUNK_DN || world.options.trunk(dn).is_some();
    Err(Answer::bare(if exists { 403 } else { 404 }))
}

fn shown(world: &World, serial: u64, leg: u64) -> serde_json::Value {
    world.calls.get(serial).and_then(|call| call.leg(leg)).map(Leg::shown).unwrap_or_default()
}

fn success(world: &World, participant: serde_json::Value) -> Answer {
    answer::success(world.options.action_status, world.options.codes, participant)
}

fn hang_up(world: &mut World, serial: u64, leg: u64, now: Instant) -> Answer {
    if world.calls.get(serial).is_some_and(|call| call.caller_leg == Some(leg)) {
        let was = shown(world, serial, leg);
        world.end(serial, EndedBy::Caller, now);
        return success(world, was);
    }
    let is_taken = |call: &Call| call.transfers.iter().any(|transfer| transfer.outcome == "answered");
    if world.calls.get(serial).is_some_and(is_taken) {
        // The call was transferred; the Remove of this leg follows.
        return answer::rejection(world.options.codes, "the participant has been replaced");
    }
    let was = shown(world, serial, leg);
    let rings = world.calls.get(serial).is_some_and(|call| call.state == State::Ringing);
    if rings && world.take_back(serial, RoutedBecause::Dropped, now) {
        return success(world, was);
    }
    world.end(serial, EndedBy::Client, now);
    success(world, was)
}

fn pick_up(world: &mut World, serial: u64, leg: u64, now: Instant) -> Answer {
    let codes = world.options.codes;
    let Some(call) = world.calls.get(serial) else { return Answer::bare(404) };
    let Some(found) = call.leg(leg) else { return Answer::bare(404) };
    if found.status != Status::Ringing {
        return answer::rejection(codes, "the participant does not ring");
    }
    if found.control == (Control::Extension { direct: false }) {
        return answer::rejection(codes, "the device of the participant is not under direct control");
    }
    if call.wanted.refuses_answer {
        return answer::rejection(codes, "the participant cannot be answered");
    }
    world.connect(serial, leg, now);
    success(world, shown(world, serial, leg))
}

fn attach(world: &mut World, serial: u64, leg: u64, action: &str, order: Order) -> Answer {
    if let Some(call) = world.calls.get_mut(serial) {
        let data = match action {
            "attach_party_data" => &mut call.attached.party,
            _ => &mut call.attached.participant,
        };
        data.extend(order.attached);
        while data.len() > MOST_ATTACHED {
            data.pop_last();
        }
    }
    success(world, shown(world, serial, leg))
}

/// The client makes a call: its own leg dials, and the answer has that leg in `result`.
pub(super) fn make_call(context: &Data<Context>, dn: &str, order: Order) -> Answer {
    let now = Instant::now();
    let Some(destination) = order.destination else {
        return Answer::refused(400, "destination is missing");
    };
    if context.shared.options.is_second(dn) {
        return call_first_client(context, dn, destination, order.timeout);
    }
    let (serial, leg, turn, answer) = {
        let mut world = context.world();
        let codes = world.options.codes;
        if dn == destination {
            return answer::failure(codes, Reason::RoutingLoopDetected);
        }
        if world.calls.live_count() >= super::calls::MOST_LIVE {
            return answer::failure(codes, Reason::DestinationIsNotReachable);
        }
        let mut call = world.new_call(NewCall::from(&destination), Direction::Outbound, now);
        call.appeared_at = Some(now);
        call.attached.participant = order.attached;
        let (serial, leg) = (call.serial, call.participant_id);
        world.calls.insert(call);
        let party = Party {
            dn: TRUNK_DN.to_owned(),
            dn_type: "Wexternalline",
            caller_id: destination.clone(),
            ..Party::default()
        };
        let control = world.options.control(dn, true);
        world.add_leg(serial, leg, dn.to_owned(), control, Status::Dialing, party, now);
        let turn = world.dials.take(&destination).unwrap_or_default();
        let answer = success(&world, shown(&world, serial, leg));
        (serial, leg, turn, answer)
    };
    let limit = order.timeout.unwrap_or(RINGS_AT_MOST).min(RINGS_AT_MOST);
    let context = context.clone();
    actix_web::rt::spawn(async move {
        let never = turn.outcome == Outcome::Timeout;
        tokio::time::sleep(if never { limit } else { turn.after().min(limit) }).await;
        let now = Instant::now();
        context.shared.change(|world| {
            let dials = world.calls.get(serial).is_some_and(|call| call.state == State::Dialing);
            match turn.outcome {
                Outcome::Answered => {
                    world.connect(serial, leg, now);
                }
                Outcome::Busy
                | Outcome::NoAnswer
                | Outcome::Unknown
                | Outcome::Timeout
                | Outcome::CallerHangup
                    if dials =>
                {
                    world.end(serial, EndedBy::NoAnswer, now);
                }
                Outcome::Busy
                | Outcome::NoAnswer
                | Outcome::Unknown
                | Outcome::Timeout
                | Outcome::CallerHangup => {}
            }
        });
    });
    answer
}

/// The second client calls the route point of the first: its own leg dials, and the first client gets a call.
fn call_first_client(
    context: &Data<Context>,
    dn: &str,
    destination: String,
    limit: Option<Duration>,
) -> Answer {
    let now = Instant::now();
    let (serial, turn, answer) = {
        let mut world = context.world();
        let (codes, client) = (world.options.codes, world.options.client_id.clone());
        if destination != client {
            return answer::failure(codes, Reason::UnknownDestination);
        }
        if world.calls.live_count() >= super::calls::MOST_LIVE {
            return answer::failure(codes, Reason::DestinationIsNotReachable);
        }
        // It plays nothing into the call.
        let wanted = NewCall { called: client.clone(), speaks: Speaks::Silence, ..NewCall::from(dn) };
        let mut call = world.new_call(wanted, Direction::Inbound, now);
        let (serial, of_client, own) = (call.serial, call.participant_id, world.calls.take_leg_id());
        call.caller_leg = Some(own);
        world.calls.insert(call);
        world.calls.note_leg(of_client, serial);
        let party =
            Party { dn: client.clone(), dn_type: ROUTE_POINT, caller_id: client.clone(), ..Party::default() };
        world.add_leg(serial, own, dn.to_owned(), Control::Own, Status::Dialing, party, now);
        let turn = world.dials.take(&destination).unwrap_or_default();
        (serial, turn, success(&world, shown(&world, serial, own)))
    };
    let limit = limit.unwrap_or(RINGS_AT_MOST).min(RINGS_AT_MOST);
    let context = context.clone();
    actix_web::rt::spawn(async move {
        let never = turn.outcome == Outcome::Timeout;
        tokio::time::sleep(if never { limit } else { turn.after().min(limit) }).await;
        let now = Instant::now();
        context.shared.change(|world| match turn.outcome {
            Outcome::Answered => world.appear(serial, now),
            Outcome::Busy
            | Outcome::NoAnswer
            | Outcome::Unknown
            | Outcome::Timeout
            | Outcome::CallerHangup => {
                world.end(serial, EndedBy::NoAnswer, now);
            }
        });
    });
    answer
}
