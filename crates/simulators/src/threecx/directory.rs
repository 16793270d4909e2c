//! What a client sees of the PBX: DNs, their devices, their participants (facts page, section 1.2).

use serde_json::{Value, json};

use super::actions::{controlled, visible};
use super::answer::Answer;
use super::grants::ROUTE_POINT;
use super::leg::{Leg, device_id};
use super::world::World;

/// `GET /callcontrol`: every DN that the client sees.
pub(super) fn all(world: &World) -> Answer {
    let extensions = world.options.extensions.iter().chain(&world.options.controlled);
    let dns = std::iter::once(&world.options.client_id).chain(extensions);
    Answer::ok(Value::Array(dns.map(|dn| state(world, dn)).collect()))
}

/// `GET /callcontrol` of the second client: its own DN.
pub(super) fn only(world: &World, dn: &str) -> Answer {
    Answer::ok(json!([state(world, dn)]))
}

/// `GET /callcontrol/{dn}`.
///
/// # Errors
/// As for everything under a DN.
pub(super) fn dn(world: &World, dn: &str) -> Result<Answer, Answer> {
    visible(world, dn)?;
    Ok(Answer::ok(state(world, dn)))
}

/// `GET /callcontrol/{dn}/devices`.
///
/// # Errors
/// As for everything under a DN.
pub(super) fn devices(world: &World, dn: &str) -> Result<Answer, Answer> {
    visible(world, dn)?;
    Ok(Answer::ok(json!([device_of(world, dn)])))
}

/// `GET /callcontrol/{dn}/devices/{id}`.
///
/// # Errors
/// 404 for a device that is not there (any more).
pub(super) fn device(world: &World, dn: &str, id: &str) -> Result<Answer, Answer> {
    visible(world, dn)?;
    if id != device_id(dn) {
        return Err(Answer::bare(404));
    }
    Ok(Answer::ok(device_of(world, dn)))
}

/// `GET /callcontrol/{dn}/participants`: also legs that the client cannot control.
///
/// # Errors
/// As for everything under a DN.
pub(super) fn participants(world: &World, dn: &str) -> Result<Answer, Answer> {
    visible(world, dn)?;
    Ok(Answer::ok(Value::Array(legs(world, dn))))
}

/// `GET /callcontrol/{dn}/participants/{id}`.
///
/// # Errors
/// 403 for a leg that the client does not control, 404 for one that is gone.
pub(super) fn participant(world: &World, dn: &str, id: &str) -> Result<Answer, Answer> {
    let (serial, leg) = controlled(world, dn, id)?;
    let leg = world.calls.get(serial).and_then(|call| call.leg(leg));
    leg.map(|leg| Answer::ok(leg.shown())).ok_or_else(|| Answer::bare(404))
}

fn state(world: &World, dn: &str) -> Value {
    let kind = match (dn == world.options.client_id, world.options.is_second(dn)) {
        (true, _) => world.grants.dn_type.as_str(),
        (false, true) => ROUTE_POINT,
        (false, false) => "Wextension",
    };
    json!({
        "dn": dn,
        "type": kind,
        "devices": [device_of(world, dn)],
        "participants": legs(world, dn),
    })
}

fn device_of(world: &World, dn: &str) -> Value {
    let is_route_point = dn == world.options.client_id || world.options.is_second(dn);
    let agent = if is_route_point { "3CX Route Point" } else { "3CX Phone" };
    json!({"dn": dn, "device_id": device_id(dn), "user_agent": agent})
}

fn legs(world: &World, dn: &str) -> Vec<Value> {
    let of_dn = |leg: &&Leg| leg.dn == dn;
    world.calls.live_calls().flat_map(|call| call.legs.iter().filter(of_dn)).map(Leg::shown).collect()
}
