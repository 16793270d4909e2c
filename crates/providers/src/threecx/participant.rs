//! A leg as the PBX shows it, read leniently and kept under the PBX's own names (3CX facts, section 1.2).

use std::fmt;

use precall_base::phone_number::{CallerNumber, Region};

use super::address::{Dn, LegAddress};

/// Digits that two spellings of a number must share before they are believed to mean the same subscriber.
const SUBSCRIBER_DIGITS_MIN: usize = 6;

/// How far a leg is. The PBX has no other words for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParticipantStatus {
    /// Begun by its owner, not answered.
    Dialing,
    /// Begun by the other side, not answered.
    Ringing,
    /// Answered. Legs of a route point usually are from the first.
    Connected,
    /// A word that is not known yet, as it came.
    Other(String),
}

impl ParticipantStatus {
    /// Reads the word in any case.
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

/// A DN and what it is, by the PBX's word (`Wextension`, `Wexternalline`, `Wroutepoint`, ..., `None`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Empty when there is none.
    pub dn: String,
    /// Empty when the PBX did not say.
    pub kind: String,
}

/// One leg of a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Participant {
    /// `dn` and `id`.
    pub leg: LegAddress,
    /// How far it is.
    pub status: ParticipantStatus,
    /// `callid`: shared by all legs of a conversation; starts again when the PBX restarts, so no key for ever.
    pub call_id: Option<u64>,
    /// `legid`: a small number inside the call.
    pub leg_id: Option<u64>,
    /// The other side: a name, or its number in E.164 (depends on the trunk).
    pub party_caller_name: String,
    /// The other side: its number, often in national form.
    pub party_caller_id: String,
    /// The other side: a trunk or an extension (`party_dn`, `party_dn_type`).
    pub party: Role,
    /// The dialled number; empty on most inbound calls.
    pub party_did: String,
    /// The device of the leg.
    pub device_id: String,
    /// Whether its telephone takes `answer`; none when the PBX did not say.
    pub direct_control: Option<bool>,
    /// Who began the call before it came here.
    pub originated_by: Role,
    /// Who passed it on.
    pub referred_by: Role,
    /// For whom it was made.
    pub on_behalf_of: Role,
}

impl Participant {
    /// Whether it is answered.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.status == ParticipantStatus::Connected
    }

    /// Where the other side's number stands, to be read by [`CallerNumber::parse`].
    ///
    /// Trunks put it into `party_caller_id`, often in national form, and some put the international form into
    /// `party_caller_name`. That one is taken when the id is empty, or when both mean the same subscriber; a number in the name
    /// that does not belong to the id's is somebody else's word, and the id stands.
    #[must_use]
    pub fn caller_text(&self) -> &str {
        let (id, name) = (self.party_caller_id.trim(), self.party_caller_name.trim());
        // Without a region only the international form is read as a number.
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

    /// Whether the other side is another than before: a transfer by the caller's side keeps the leg and changes these.
    #[must_use]
    pub fn has_other_party_than(&self, before: &Self) -> bool {
        self.party_caller_id != before.party_caller_id
            || self.party_caller_name != before.party_caller_name
            || self.party != before.party
            || self.party_did != before.party_did
            || self.call_id != before.call_id
    }
}

/// Names and numbers stay out: this is what a log line may show.
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

/// A telephone of a DN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whose.
    pub dn: Dn,
    /// A SIP address; changes when the telephone registers again.
    pub device_id: String,
    /// What it calls itself.
    pub user_agent: String,
}

/// A DN that the API client may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnState {
    /// The DN.
    pub dn: Dn,
    /// `Wroutepoint`, `Wextension`, ...
    pub kind: String,
    /// Its telephones.
    pub devices: Vec<Device>,
    /// Its legs.
    pub participants: Vec<Participant>,
}

#[cfg(test)]
mod tests;
