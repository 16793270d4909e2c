//! The life of a call: it is placed, its leg appears, connects, is replaced, ends. Each step sends its events.

use std::time::{Duration, Instant};

use serde_json::json;

use super::call::{Attached, Call, Direction, EndedBy, Late, Mode, NewCall, State, WebhookMode};
use super::calls::MOST_LIVE;
use super::ear::Ear;
use super::ending::Ending;
use super::errand::{Errand, Hangup, Notice, NoticeKind};
use super::events::{Event, Kind};
use super::faults::StreamFault;
use super::front_door::Door;
use super::grants::ROUTE_POINT;
use super::leg::{Control, Interrupted, Leg, Party, Status, device_id};
use super::options::{Noise, StreamEnd};
use super::world::World;

/// Where callers come from: a trunk.
pub(super) const TRUNK_DN: &str = "10000";
/// The longest that a leg rings.
const RINGS_AT_MOST: Duration = Duration::from_secs(180);
/// The longest call. A call that nobody ends must not stay for ever.
const LASTS_AT_MOST: Duration = Duration::from_secs(4 * 3_600);
/// How often an Upsert is repeated (facts page, fact 4).
pub(super) const UPSERT_EVERY: Duration = Duration::from_millis(750);
/// The longest number or name that is taken.
const LONGEST_TEXT: usize = 256;

/// A call that was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The id that all legs of the call share, as text.
    pub call_id: String,
    /// The id of its leg at the client.
    pub participant_id: u64,
}

impl World {
    /// A call comes in.
    ///
    /// # Errors
    /// Why the call cannot be placed.
    pub fn place(&mut self, mut wanted: NewCall, now: Instant) -> Result<Placed, String> {
        if let Some(door) = &wanted.front_door {
            door.check()?;
            match wanted.webhook {
                WebhookMode::None => wanted.webhook = WebhookMode::First,
                WebhookMode::First | WebhookMode::Double => {}
                WebhookMode::Late => return Err("a front door posts the webhook before it routes".to_owned()),
            }
        }
        if self.calls.live_count() >= MOST_LIVE {
            return Err(format!("there are {MOST_LIVE} calls already"));
        }
        let texts = [&wanted.caller, &wanted.called, &wanted.party_did, &wanted.party_caller_name];
        if texts.iter().any(|text| text.len() > LONGEST_TEXT) {
            return Err(format!("numbers and names have at most {LONGEST_TEXT} bytes"));
        }
        if wanted.webhook != WebhookMode::None && self.webhook.is_none() {
            return Err("nothing says where webhooks go: --webhook-url and --webhook-secret".to_owned());
        }
        let (announced_first, late) = match wanted.webhook {
            WebhookMode::None => (false, None),
            WebhookMode::First | WebhookMode::Double => (true, None),
            WebhookMode::Late => {
                (false, Some(wanted.webhook_late_ms.map_or(self.options.webhook_late, Duration::from_millis)))
            }
        };
        let call = self.new_call(wanted, Direction::Inbound, now);
        let placed = Placed { call_id: call.callid.to_string(), participant_id: call.participant_id };
        let serial = call.serial;
        self.calls.insert(call);
        self.calls.note_leg(placed.participant_id, serial);
        if announced_first {
            self.send(Errand::Notify(Notice {
                serial,
                kind: NoticeKind::IncomingThenAppear,
                wait: Duration::ZERO,
            }));
            return Ok(placed);
        }
        self.appear(serial, now);
        if let Some(wait) = late {
            self.send(Errand::Notify(Notice { serial, kind: NoticeKind::Incoming, wait }));
        }
        Ok(placed)
    }

    /// A call without a leg.
    pub fn new_call(&mut self, wanted: NewCall, direction: Direction, now: Instant) -> Call {
        let after = |ms: u64| now.checked_add(Duration::from_millis(ms));
        Call {
            serial: self.calls.take_serial(),
            callid: self.calls.take_callid(),
            participant_id: self.calls.take_leg_id(),
            generation: self.calls.generation(),
            direction,
            state: if direction == Direction::Inbound { State::Announced } else { State::Dialing },
            placed_at: now,
            appeared_at: None,
            connected_at: None,
            transferred_at: None,
            ended_at: None,
            ended_by: None,
            connect_at: None,
            hang_up_at: wanted.hangup_after_ms.and_then(after),
            silent_since: None,
            legs: Vec::new(),
            caller_leg: None,
            next_legid: u32::from(direction == Direction::Inbound),
            ear: Ear::new(self.options.record, self.options.playout_limit),
            sound: self.sound(wanted.speaks),
            posts_opened: 0,
            gets_opened: 0,
            discarded_bytes: 0,
            late: Late::default(),
            dtmf: Vec::new(),
            transfers: Vec::new(),
            trunk: None,
            attached: Attached::default(),
            door: Door::default(),
            caller_at: wanted.front_door.as_ref().map(|door| door.dn.clone()),
            wanted,
        }
    }

    /// The leg of a call appears at the client, or at an extension that the client sees.
    pub fn appear(&mut self, serial: u64, now: Instant) {
        let Some(call) = self.calls.get_mut(serial).filter(|call| call.state == State::Announced) else {
            return;
        };
        let dn = match self.options.sees(&call.wanted.called) {
            true => call.wanted.called.clone(),
            false => self.options.client_id.clone(),
        };
        let control = self.options.control(&dn, call.wanted.direct_control);
        let (party_dn, dn_type) = match (&call.wanted.from_extension, &call.wanted.trunk) {
            // The second client made the call.
            _ if call.caller_leg.is_some() => (call.wanted.caller.as_str(), ROUTE_POINT),
            (Some(extension), _) => (extension.as_str(), "Wextension"),
            (None, Some(trunk)) => (trunk.as_str(), "Wexternalline"),
            (None, None) => (TRUNK_DN, "Wexternalline"),
        };
        let party = Party {
            dn: party_dn.to_owned(),
            dn_type,
            caller_name: call.wanted.party_caller_name.clone(),
            caller_id: call.wanted.party_caller_id.clone().unwrap_or_else(|| call.wanted.caller.clone()),
            did: call.wanted.party_did.clone(),
            referred_by_dn: call.wanted.referred_by.clone(),
            on_behalf_of_dn: call.wanted.on_behalf_of.clone(),
            ..Party::default()
        };
        let is_connected = call.wanted.mode == Mode::Connected && control == Control::Own;
        call.appeared_at = Some(now);
        call.caller_at = Some(dn.clone());
        call.state = if is_connected { State::Connected } else { State::Ringing };
        call.connected_at = is_connected.then_some(now);
        if is_connected {
            call.ear.listen(now);
        }
        if call.wanted.mode == Mode::Ringing {
            call.connect_at = now.checked_add(Duration::from_millis(call.wanted.auto_connect_ms));
        }
        let status = if is_connected { Status::Connected } else { Status::Ringing };
        let id = call.participant_id;
        self.add_leg(serial, id, dn.clone(), control, status, party, now);
        if is_connected {
            self.connect_caller(serial, now);
        }
        if self.options.noise == Noise::On {
            self.make_noise(&dn, id, now);
        }
    }

    /// A leg appears: sends its Upsert, which is repeated later.
    #[allow(clippy::too_many_arguments)] // All that a leg is born with; a struct for it would be the leg itself.
    pub(crate) fn add_leg(
        &mut self,
        serial: u64,
        id: u64,
        dn: String,
        control: Control,
        status: Status,
        party: Party,
        now: Instant,
    ) {
        let upserts_end = now.checked_add(self.options.upsert_for).unwrap_or(now);
        let Some(call) = self.calls.get_mut(serial) else { return };
        let leg = Leg {
            id,
            callid: call.callid,
            legid: call.take_legid(),
            dn,
            status,
            control,
            party,
            connected_at: (status == Status::Connected).then_some(now),
            next_upsert: now.checked_add(UPSERT_EVERY).unwrap_or(now),
            upserts_end,
            gets: Vec::new(),
            post: None,
            waiting: Vec::new(),
        };
        let entity = leg.entity();
        call.legs.push(leg);
        self.calls.note_leg(id, serial);
        self.tell(Event::bare(Kind::Upsert, entity), now);
    }

    /// Events that say nothing to a client.
    fn make_noise(&mut self, dn: &str, leg: u64, now: Instant) {
        let of_dn = format!("/callcontrol/{dn}");
        let of_device = format!("/callcontrol/{dn}/devices/{}", device_id(dn));
        let of_leg = format!("/callcontrol/{dn}/participants/{leg}");
        if self.options.dn_upserts == Noise::On {
            self.tell(Event::bare(Kind::Upsert, of_dn), now);
        }
        self.tell(Event::bare(Kind::Upsert, of_device), now);
        self.tell(Event::bare(Kind::PromptPlaybackFinished, of_leg.clone()), now);
        self.tell(Event::bare(Kind::Unknown, of_leg), now);
    }

    /// A ringing or dialling leg is connected; false when there is none.
    pub fn connect(&mut self, serial: u64, leg_id: u64, now: Instant) -> bool {
        let upserts_end = now.checked_add(self.options.upsert_for).unwrap_or(now);
        let Some(call) = self.calls.get_mut(serial) else { return false };
        call.connect_at = None;
        let Some(leg) = call.leg_mut(leg_id).filter(|leg| leg.status != Status::Connected) else {
            return false;
        };
        leg.status = Status::Connected;
        leg.connected_at = Some(now);
        leg.next_upsert = now.checked_add(UPSERT_EVERY).unwrap_or(now);
        leg.upserts_end = upserts_end;
        let entity = leg.entity();
        call.state = State::Connected;
        call.connected_at = Some(now);
        call.ear.listen(now);
        self.tell(Event::bare(Kind::Upsert, entity), now);
        self.connect_caller(serial, now);
        true
    }

    /// The leg of the second client is connected when its call is answered.
    fn connect_caller(&mut self, serial: u64, now: Instant) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        let Some(leg) = call.caller_leg.and_then(|id| call.leg_mut(id)) else { return };
        leg.status = Status::Connected;
        leg.connected_at = Some(now);
    }

    /// Takes one leg out of a call; false when it is not there.
    pub(crate) fn remove_leg(&mut self, serial: u64, leg_id: u64, why: Interrupted, now: Instant) -> bool {
        let ending = self.stream_ending();
        let Some(call) = self.calls.get_mut(serial) else { return false };
        let Some(at) = call.legs.iter().position(|leg| leg.id == leg_id) else { return false };
        let mut leg = call.legs.remove(at);
        leg.end_streams(ending);
        leg.interrupt(why);
        if leg.id == call.participant_id {
            call.ear.hang_up(now);
        }
        self.tell(Event::bare(Kind::Remove, leg.entity()), now);
        true
    }

    /// A call is over; false when it was before.
    pub fn end(&mut self, serial: u64, by: EndedBy, now: Instant) -> bool {
        let Some(call) = self.calls.get_mut(serial).filter(|call| call.state != State::Ended) else {
            return false;
        };
        call.state = State::Ended;
        call.ended_at = Some(now);
        call.ended_by = Some(by);
        call.ear.hang_up(now);
        let why = match by {
            EndedBy::Client => Interrupted::Dropped,
            EndedBy::Caller | EndedBy::Agent | EndedBy::AgentLost => Interrupted::CallerHungUp,
            EndedBy::NoAnswer | EndedBy::Restart | EndedBy::Silent => Interrupted::Gone,
        };
        let legs: Vec<u64> = call.legs.iter().map(|leg| leg.id).collect();
        let is_told = call.wanted.webhook != WebhookMode::None && call.direction == Direction::Inbound;
        // The agent's side knows when it ended the call itself.
        let hang_up = call.trunk.clone().filter(|_| by != EndedBy::Agent);
        for leg in legs {
            self.remove_leg(serial, leg, why, now);
        }
        self.calls.ended(serial);
        if let Some(trunk) = hang_up {
            self.send(Errand::HangUp(Hangup { dn: trunk.dn, conversation_id: trunk.conversation_id }));
        }
        if is_told && by != EndedBy::Restart {
            self.send(Errand::Notify(Notice { serial, kind: NoticeKind::Ended, wait: Duration::ZERO }));
        }
        true
    }

    /// The call was transferred: the client's leg is replaced by one on the target's DN, with a new id.
    pub(crate) fn hand_over(&mut self, serial: u64, leg_id: u64, destination: &str, now: Instant) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        let Some(leg) = call.leg(leg_id) else { return };
        let party = Party {
            originated_by_dn: leg.dn.clone(),
            originated_by_type: if leg.control == Control::Own { ROUTE_POINT } else { "Wextension" },
            ..leg.party.clone()
        };
        call.state = State::Transferred;
        call.transferred_at = Some(now);
        call.caller_at = Some(destination.to_owned());
        self.remove_leg(serial, leg_id, Interrupted::Gone, now);
        if self.options.sees(destination) {
            let id = self.calls.take_leg_id();
            let control = self.options.control(destination, true);
            self.add_leg(serial, id, destination.to_owned(), control, Status::Connected, party, now);
        }
    }

    /// The caller presses keys. False when no leg can receive them.
    pub fn press(&mut self, serial: u64, digits: &str, now: Instant) -> bool {
        let client = self.options.client_id.clone();
        let Some(call) = self.calls.get_mut(serial) else { return false };
        call.dtmf.push(digits.to_owned());
        let own = |leg: &&Leg| leg.dn == client && leg.status == Status::Connected;
        let Some(entity) = call.legs.iter().find(own).map(Leg::entity) else { return false };
        let event = Event { kind: Kind::Dtmf, entity, attached_data: json!({"dtmf_input": digits}) };
        self.tell(event, now);
        true
    }

    /// All calls vanish, ids begin again, connections are dropped. No Remove is sent: no connection is left.
    pub fn restart(&mut self, now: Instant) {
        self.hub.close_all(super::events::ABNORMAL, "");
        self.later.clear();
        for serial in self.calls.live() {
            self.end(serial, EndedBy::Restart, now);
        }
        self.calls.restart();
    }

    fn stream_ending(&self) -> Ending {
        if self.options.stream_end == StreamEnd::Reset || self.faults.streams(StreamFault::Reset) {
            return Ending::Reset;
        }
        Ending::Clean
    }

    /// A token was issued: ends streams and connections where a fault says so.
    pub(crate) fn token_changed(&mut self) {
        if self.faults.streams(StreamFault::CloseOnToken) {
            let ending = self.stream_ending();
            self.end_all_streams(ending);
        }
        if self.faults.ws(super::faults::WsFault::CloseOnToken) {
            self.hub.close_all(super::events::ABNORMAL, "");
        }
    }

    /// Ends every stream; the legs stay.
    pub(crate) fn end_all_streams(&mut self, ending: Ending) {
        for serial in self.calls.live() {
            let legs = self.calls.get_mut(serial).into_iter().flat_map(|call| &mut call.legs);
            legs.for_each(|leg| leg.end_streams(ending));
        }
    }
}

/// Whether a call must end by itself, and why: no answer, or the longest duration.
pub(super) fn time_is_up(call: &Call, now: Instant) -> Option<EndedBy> {
    let since = |at: Option<Instant>| now.saturating_duration_since(at.unwrap_or(call.placed_at));
    if call.state == State::Ringing && since(call.appeared_at) > RINGS_AT_MOST {
        return Some(EndedBy::NoAnswer);
    }
    (since(None) > LASTS_AT_MOST).then_some(EndedBy::Caller)
}
