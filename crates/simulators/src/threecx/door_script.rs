//! The script at the front door, step by step: the webhook is answered, the client has its time, the caller goes on.
//! `front_door` says what it can be told.

use std::time::{Duration, Instant};

use super::call::{Call, State};
use super::ear::ms;
use super::front_door::RoutedBecause;
use super::grants::ROUTE_POINT;
use super::leg::{Control, Interrupted, Party, Status};
use super::life::TRUNK_DN;
use super::world::World;

impl World {
    /// The webhook about a call that has no leg yet was answered, or was not.
    pub(super) fn webhook_answered(
        &mut self,
        serial: u64,
        status: Option<u16>,
        waited: Duration,
        now: Instant,
    ) {
        let client = self.options.client_id.clone();
        let Some(call) = self.calls.get_mut(serial).filter(|call| call.state == State::Announced) else {
            return;
        };
        let Some(settings) = call.wanted.front_door.clone() else { return self.appear(serial, now) };
        call.door.report.webhook_status = status;
        call.door.report.webhook_ms = Some(ms(waited));
        match status {
            None => return self.go_to_default(serial, RoutedBecause::Silent, now),
            Some(200..=299) => {}
            Some(_) => return self.go_to_default(serial, RoutedBecause::Refused, now),
        }
        let after = |ms: u64| now.checked_add(Duration::from_millis(ms));
        call.door.routed(&client, RoutedBecause::Accepted, call.placed_at, now);
        call.door.ring_until = after(settings.ring_ms);
        call.door.told_until = settings.told.and_then(|told| after(told.within_ms));
        self.appear(serial, now);
    }

    /// Takes a call back whose time with the client is up.
    pub(super) fn watch_door(&mut self, serial: u64, now: Instant) {
        let Some(call) = self.calls.get(serial) else { return };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let because = if is_due(call.door.ring_until) && call.state == State::Ringing {
            RoutedBecause::NotAnswered
        } else if is_due(call.door.told_until) && is_with_client(call) && !is_told(call) {
            RoutedBecause::NotTold
        } else {
            return;
        };
        self.take_back(serial, because, now);
    }

    /// Ends the client's leg and routes the caller on. False when no script watches the call.
    pub(super) fn take_back(&mut self, serial: u64, because: RoutedBecause, now: Instant) -> bool {
        let Some(call) = self.calls.get(serial) else { return false };
        if call.wanted.front_door.is_none() || !is_with_client(call) {
            return false;
        }
        let legs: Vec<u64> = call.legs.iter().map(|leg| leg.id).collect();
        for leg in legs {
            self.remove_leg(serial, leg, Interrupted::Gone, now);
        }
        self.go_to_default(serial, because, now);
        true
    }

    fn go_to_default(&mut self, serial: u64, because: RoutedBecause, now: Instant) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        let Some(settings) = call.wanted.front_door.clone() else { return };
        let destination = settings.default_destination;
        call.door.ring_until = None;
        call.door.told_until = None;
        call.door.routed(&destination, because, call.placed_at, now);
        call.connect_at = None;
        call.state = State::Transferred;
        call.transferred_at = Some(now);
        call.caller_at = Some(destination.clone());
        let party = Party {
            dn: TRUNK_DN.to_owned(),
            dn_type: "Wexternalline",
            caller_id: call.wanted.caller.clone(),
            originated_by_dn: settings.dn,
            originated_by_type: ROUTE_POINT,
            ..Party::default()
        };
        if self.options.sees(&destination) && self.options.control(&destination, true) != Control::Own {
            let (id, control) = (self.calls.take_leg_id(), self.options.control(&destination, true));
            self.add_leg(serial, id, destination, control, Status::Connected, party, now);
        }
    }
}

fn is_with_client(call: &Call) -> bool {
    matches!(call.state, State::Ringing | State::Connected)
}

fn is_told(call: &Call) -> bool {
    let key = call.wanted.front_door.as_ref().and_then(|door| door.told.as_ref()).map(|told| &told.key);
    key.is_none_or(|key| call.attached.party.contains_key(key) || call.attached.participant.contains_key(key))
}
