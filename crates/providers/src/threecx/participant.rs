//! A leg as the PBX describes it, with the PBX's own field names (3CX facts, section 1.2).

use std::fmt;

use precall_base::phone_number::{CallerNumber, Region};

use super::address::{Dn, LegAddress};

/// Shortest common digits for which two spellings count as the same subscriber.
const SUBSCRIBER_DIGITS_MIN: usize = 6;

/// State of a leg. The PBX has no other states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParticipantStatus {
    /// Outbound from its owner, not answered.
    Dialing,
    /// Inbound to its owner, not answered.
    Ringing,
    /// Answered. Legs of a route point usually have this state from the start.
    Connected,
    /// An unknown word, unchanged.
    Other(String),
}

impl ParticipantStatus {
    /// From the PBX's word, in upper or lower case.
    #[must_use]
    pub fn read(word: &str) -> Self {
        let known = [
            ("dialing", Self::Dialing),
            ("dialling", Self::Dialing),
            ("ringing", Self::Ringing),
            ("connected", Self::Connected),
        ];
        known
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map_or_else(|| Self::Other(word.to_owned()), |(_, status)| status)
    }

    /// The PBX's word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Dialing => "Dialing",
            Self::Ringing => "Ringing",
            Self::Connected => "Connected",
            Self::Other(word) => word,
        }
    }
}

/// A DN and its type, in the PBX's word (`Wextension`, `Wexternalline`, `Wroutepoint`, ..., `None`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Empty if there is none.
    pub dn: String,
    /// Empty if the PBX did not send it.
    pub kind: String,
}

/// One leg of a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Participant {
    /// `dn` and `id`.
    pub leg: LegAddress,
    /// Its state.
    pub status: ParticipantStatus,
    /// `callid`: the same for all legs of a call. Text, because a number could lose digits. Not a permanent key: the
    /// counter starts again when the PBX restarts.
    pub call_id: Option<String>,
    /// `legid`: number of the leg in its call.
    pub leg_id: Option<u64>,
    /// Other party: a name, or its number in E.164 (depends on the trunk).
    pub party_caller_name: String,
    /// Other party: its number, often in national form.
    pub party_caller_id: String,
    /// Other party: a trunk or an extension (`party_dn`, `party_dn_type`).
    pub party: Role,
    /// The dialled number; empty on most inbound calls.
    pub party_did: String,
    /// The device of the leg.
    pub device_id: String,
    /// Whether the telephone accepts `answer`; none if the PBX did not send it.
    pub direct_control: Option<bool>,
    /// Originator of the call.
    pub originated_by: Role,
    /// DN that referred the call.
    pub referred_by: Role,
    /// DN for which the call was made.
    pub on_behalf_of: Role,
}

impl Participant {
    /// Whether it is answered.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.status == ParticipantStatus::Connected
    }

    /// Text with the other party's number, for [`CallerNumber::parse`].
    ///
    /// Trunks put it into `party_caller_id`, often in national form; some put the international form into
    /// `party_caller_name`. The name is used if the id is empty or both are the same subscriber, otherwise the id.
    #[must_use]
    pub fn caller_text(&self) -> &str {
        let (id, name) = (self.party_caller_id.trim(), self.party_caller_name.trim());
        // Without a region only the international form counts as a number.
        let named = CallerNumber::parse(name, Region::UNKNOWN);
        let Some(named) = named.e164() else { return id };
        if id.is_empty() {
            return name;
        }
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        let subscriber = digits.trim_start_matches('0');
        let is_national = !id.starts_with('+') && !digits.starts_with("00");
        let means_the_same =
            subscriber.len() >= SUBSCRIBER_DIGITS_MIN && named.as_e164().ends_with(subscriber);
        if is_national && means_the_same { name } else { id }
    }

    /// Whether the other party has changed: a transfer on the caller's side keeps the leg and changes these fields.
    #[must_use]
    pub fn has_other_party_than(&self, before: &Self) -> bool {
        self.party_caller_id != before.party_caller_id
            || self.party_caller_name != before.party_caller_name
            || self.party != before.party
            || self.party_did != before.party_did
            || self.call_id != before.call_id
    }
}

/// For logs: without names and numbers.
impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Participant")
            .field("leg", &self.leg)
            .field("status", &self.status)
            .field("call_id", &self.call_id)
            .field("leg_id", &self.leg_id)
            .field("party_kind", &self.party.kind)
            .finish_non_exhaustive()
    }
}

/// A DN that the API client may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnState {
    /// The DN.
    pub dn: Dn,
    /// `Wroutepoint`, `Wextension`, ...
    pub kind: String,
    /// Its legs.
    pub participants: Vec<Participant>,
}

#[cfg(test)]
mod tests;
