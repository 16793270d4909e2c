//! One leg of a call: what 3CX calls a participant (facts page, section 1.2), with its streams.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::caller_sound::CallerSound;
use super::ending::Ending;

/// The three statuses that REST shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Dialing,
    Ringing,
    Connected,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialing => "Dialing",
            Self::Ringing => "Ringing",
            Self::Connected => "Connected",
        }
    }
}

/// Which leg the client may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The client: it is on its own DN.
    Own,
    /// An extension that the client controls, as 3CX's own Dialer example does. Its audio stays on its telephone.
    Extension {
        /// Whether its telephone answers on an order (uaCSTA).
        direct: bool,
    },
    /// Visible only: an action is answered with 403.
    Seen,
}

/// Why an operation that waits for a leg fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    CallerHungUp,
    Dropped,
    Gone,
}

/// A POST stream that is open.
#[derive(Debug)]
pub(super) struct OpenPost {
    pub number: u64,
    pub end: oneshot::Sender<Ending>,
}

/// Who is on the other side; free text, as a PBX shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    pub dn: String,
    pub dn_type: &'static str,
    pub caller_name: String,
    pub caller_id: String,
    pub did: String,
    pub referred_by_dn: String,
    pub on_behalf_of_dn: String,
    pub originated_by_dn: String,
    pub originated_by_type: &'static str,
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub id: u64,
    pub callid: u64,
    pub legid: u32,
    pub dn: String,
    pub status: Status,
    pub control: Control,
    pub party: Party,
    pub connected_at: Option<Instant>,
    pub next_upsert: Instant,
    pub upserts_end: Instant,
    pub gets: Vec<CallerSound>,
    pub post: Option<OpenPost>,
    /// Operations that wait; told when the leg ends before them.
    pub waiting: Vec<oneshot::Sender<Interrupted>>,
}

impl Leg {
    /// The address in events.
    pub fn entity(&self) -> String {
        format!("/callcontrol/{}/participants/{}", self.dn, self.id)
    }

    /// As REST shows it, every field.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status.name(),
            "dn": self.dn,
            "party_caller_name": self.party.caller_name,
            "party_dn": self.party.dn,
            "party_caller_id": self.party.caller_id,
            "party_did": self.party.did,
            "device_id": device_id(&self.dn),
            "party_dn_type": type_or_none(self.party.dn_type),
            "direct_control": self.control == Control::Extension { direct: true },
            "originated_by_dn": self.party.originated_by_dn,
            "originated_by_type": type_or_none(self.party.originated_by_type),
            "referred_by_dn": self.party.referred_by_dn,
            "referred_by_type": extension_or_none(&self.party.referred_by_dn),
            "on_behalf_of_dn": self.party.on_behalf_of_dn,
            "on_behalf_of_type": extension_or_none(&self.party.on_behalf_of_dn),
            "callid": self.callid,
            "legid": self.legid,
        })
    }

    /// Ends its streams.
    pub(crate) fn end_streams(&mut self, ending: Ending) {
        self.end_post(ending);
        for get in self.gets.drain(..) {
            get.end(ending);
        }
    }

    /// Ends its POST stream.
    pub(crate) fn end_post(&mut self, ending: Ending) {
        if let Some(post) = self.post.take() {
            // The client may just have left.
            let _left = post.end.send(ending);
        }
    }

    /// Ends the operations that wait for the leg.
    pub fn interrupt(&mut self, why: Interrupted) {
        for waiting in self.waiting.drain(..) {
            let _left = waiting.send(why);
        }
    }
}

fn extension_or_none(dn: &str) -> &'static str {
    if dn.is_empty() { "None" } else { "Wextension" }
}

fn type_or_none(name: &'static str) -> &'static str {
    if name.is_empty() { "None" } else { name }
}

/// The one device of a DN.
pub(super) fn device_id(dn: &str) -> String {
    format!("sip:{dn}@127.0.0.1:5483")
}
