//! One call at the simulated PBX: its caller, its plan, its state.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::caller_sound::Speaks;
use super::ear::Ear;
use super::faults::WebhookFault;
use super::front_door::{Door, FrontDoor};
use super::leg::Leg;
use super::options::Options;

/// How a call reaches the route point (facts page, section 7, item 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Connected in its first event, as route points are.
    #[default]
    Connected,
    /// Ringing, then connected without an answer.
    Ringing,
    /// Ringing until the client answers.
    NeedsAnswer,
}

/// When the webhook about a call is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookMode {
    /// Never; behind a front door: before the leg appears.
    #[default]
    None,
    /// Before the leg appears; the PBX waits at most 3 s for the answer.
    First,
    /// Some time after the leg appeared.
    Late,
    /// Before the leg appears and a second time right after.
    Double,
}

/// A call to be placed: the body of `POST /sim/calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewCall {
    /// The caller as the PBX shows it: E.164, national, empty, `Anonymous`.
    pub caller: String,
    /// The dialled number; an extension that is seen or controlled gets the leg itself, ringing.
    pub called: String,
    /// How it arrives.
    pub mode: Mode,
    /// When its webhook is posted.
    pub webhook: WebhookMode,
    /// The call arrives at a script that posts the webhook and decides where the call goes.
    pub front_door: Option<FrontDoor>,
    /// The fault of that webhook.
    pub webhook_fault: Option<WebhookFault>,
    /// How much later than the leg a late webhook is posted.
    pub webhook_late_ms: Option<u64>,
    /// The dialled number as the leg shows it; usually empty (facts page, fact 9).
    pub party_did: String,
    /// The caller's name; some trunks put the number here.
    pub party_caller_name: String,
    /// The number as the leg shows it, when not `caller`.
    pub party_caller_id: Option<String>,
    /// The DN of the trunk that it comes through; the simulator's only one when not said.
    pub trunk: Option<String>,
    /// The extension that calls, in place of an external caller: there is no trunk.
    pub from_extension: Option<String>,
    /// The extension that passed the call on.
    pub referred_by: String,
    /// The DN on whose behalf the call comes.
    pub on_behalf_of: String,
    /// How long a ringing call rings before it connects by itself.
    pub auto_connect_ms: u64,
    /// When the caller hangs up, after the call was placed.
    pub hangup_after_ms: Option<u64>,
    /// What the caller says.
    pub speaks: Speaks,
    /// Whether an extension that the client controls answers on an order (`direct_control`).
    pub direct_control: bool,
    /// `answer` is refused with 422 while the call rings; `routeto` is still possible.
    pub refuses_answer: bool,
    /// How much of the first audio the caller does not hear.
    pub discard_first_ms: Option<u64>,
    /// How long after Connected the GET stream is answered with 404.
    pub stream_missing_ms: Option<u64>,
    /// How long after that the GET stream is answered with 424.
    pub stream_not_ready_ms: Option<u64>,
}

impl Default for NewCall {
    fn default() -> Self {
        Self {
            caller: String::new(),
            called: String::new(),
            mode: Mode::default(),
            webhook: WebhookMode::default(),
            front_door: None,
            webhook_fault: None,
            webhook_late_ms: None,
            party_did: String::new(),
            party_caller_name: String::new(),
            party_caller_id: None,
            trunk: None,
            from_extension: None,
            referred_by: String::new(),
            on_behalf_of: String::new(),
            auto_connect_ms: 1_000,
            hangup_after_ms: None,
            speaks: Speaks::default(),
            direct_control: true,
            refuses_answer: false,
            discard_first_ms: None,
            stream_missing_ms: None,
            stream_not_ready_ms: None,
        }
    }
}

impl NewCall {
    /// A call from an extension of the PBX. Its name is its number.
    pub fn from_extension(extension: &str) -> Self {
        Self { from_extension: Some(extension.to_owned()), ..Self::from(extension) }
    }

    /// A call that is connected at once and has no webhook.
    pub fn from(caller: &str) -> Self {
        Self { caller: caller.to_owned(), ..Self::default() }
    }
}

/// The state of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its leg has not appeared yet.
    Announced,
    /// The client's own call is dialling.
    Dialing,
    /// It rings at the client.
    Ringing,
    /// It is with the client.
    Connected,
    /// It was transferred.
    Transferred,
    /// It is over.
    Ended,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The caller hung up.
    Caller,
    /// The client dropped it.
    Client,
    /// The conversation with the agent was over.
    Agent,
    /// The agent's side was lost.
    AgentLost,
    /// Nobody answered.
    NoAnswer,
    /// The PBX was restarted.
    Restart,
    /// The PBX dropped a leg whose POST stream had ended.
    Silent,
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A call comes in.
    Inbound,
    /// The client makes a call.
    Outbound,
}

/// One attempt to transfer a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// `routeto`, `transferto` or `divert`.
    pub action: String,
    /// Where to.
    pub destination: String,
    /// `pending`, `answered`, or the reason of a failure as 3CX names it.
    pub outcome: String,
}

/// The conversation at a simulated ElevenLabs that a call has become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkCall {
    /// The destination that led there.
    pub dn: String,
    /// Its id there.
    pub conversation_id: String,
    /// The voice that the initiation webhook gave it.
    pub voice_id: Option<String>,
}

/// Data that the client attached, with keys that begin with `public_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// To its own leg.
    pub participant: BTreeMap<String, String>,
    /// To the other party's.
    pub party: BTreeMap<String, String>,
}

/// Audio that arrived too late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    pub after_hangup: u64,
    pub under_way: u64,
    pub after_transfer: u64,
    pub posts: u64,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub serial: u64,
    pub callid: u64,
    pub participant_id: u64,
    /// How often the PBX had been restarted before.
    pub generation: u64,
    pub direction: Direction,
    pub wanted: NewCall,
    pub state: State,
    pub placed_at: Instant,
    pub appeared_at: Option<Instant>,
    pub connected_at: Option<Instant>,
    pub transferred_at: Option<Instant>,
    pub ended_at: Option<Instant>,
    pub ended_by: Option<EndedBy>,
    pub connect_at: Option<Instant>,
    pub hang_up_at: Option<Instant>,
    /// When its audio ended without a stream that followed.
    pub silent_since: Option<Instant>,
    pub legs: Vec<Leg>,
    /// The leg of the second client, when it made the call.
    pub caller_leg: Option<u64>,
    pub next_legid: u32,
    pub ear: Ear,
    pub sound: Bytes,
    pub posts_opened: u64,
    pub gets_opened: u64,
    pub discarded_bytes: u64,
    pub late: Late,
    pub dtmf: Vec<String>,
    pub transfers: Vec<Transfer>,
    pub trunk: Option<TrunkCall>,
    pub attached: Attached,
    pub door: Door,
    /// The DN that has the caller, or had the caller last.
    pub caller_at: Option<String>,
}

impl Call {
    pub fn leg(&self, id: u64) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    pub(crate) fn leg_mut(&mut self, id: u64) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// The number of its next leg within the call.
    pub(crate) fn take_legid(&mut self) -> u32 {
        self.next_legid = self.next_legid.saturating_add(1);
        self.next_legid
    }

    /// The second client hears this, if it made the call and listens.
    pub(crate) fn relay(&mut self, piece: &[u8]) {
        let Some(leg) = self.caller_leg.and_then(|id| self.leg_mut(id)) else { return };
        for get in &mut leg.gets {
            get.feed(piece);
        }
    }

    /// For how long after Connected the GET stream is 404, and until when it is 424.
    pub(crate) fn stream_waits(&self, options: &Options) -> (Duration, Duration) {
        let missing = self.wanted.stream_missing_ms.map_or(options.stream_missing, Duration::from_millis);
        let not_ready =
            self.wanted.stream_not_ready_ms.map_or(options.stream_not_ready, Duration::from_millis);
        (missing, missing.saturating_add(not_ready))
    }

    /// Bytes arrived on a stream whose leg is gone.
    pub(crate) fn late_bytes(&mut self, count: u64, now: Instant, grace: Duration) {
        let gone_at = self.ended_at.into_iter().chain(self.transferred_at).min();
        let Some(gone_at) = gone_at else { return };
        let counter = if now.saturating_duration_since(gone_at) <= grace {
            &mut self.late.under_way
        } else if self.ended_at.is_some() && self.transferred_at.is_none() {
            &mut self.late.after_hangup
        } else {
            &mut self.late.after_transfer
        };
        *counter = counter.saturating_add(count);
    }
}
