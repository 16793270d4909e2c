//! One leg, and which changes of it can be believed.
//!
//! Pure: no clock, no I/O, no actor.

use precall_call::At;
use precall_providers::threecx::participant::{Participant, ParticipantStatus};

#[derive(Debug, Default)]
pub(crate) struct Leg {
    /// As it was told; none before the first sight.
    pub known: Option<Participant>,
    /// The connection that confirmed it last.
    pub connection: u64,
    /// When it was last heard of.
    pub tick: u64,
    pub fetch: Fetch,
    pub keys: String,
}

#[derive(Debug, Default)]
pub(crate) enum Fetch {
    #[default]
    Idle,
    Running {
        generation: u64,
        at: At,
        /// An event came meanwhile.
        again: Option<At>,
    },
}

/// A leg never goes back from being answered; a word that is not known says nothing.
pub(crate) fn rank(status: &ParticipantStatus) -> u8 {
    match status {
        ParticipantStatus::Dialing | ParticipantStatus::Ringing | ParticipantStatus::Other(_) => 0,
        ParticipantStatus::Connected => 1,
    }
}

/// Whether the same number stands for another leg after a gap in what we heard. Nobody can tell a transfer during the gap from
/// a restart of the PBX; taken for a new call, the worst is a second greeting, taken for the old one, somebody hears another
/// caller's conversation.
pub(crate) fn is_another_leg(known: &Participant, seen: &Participant) -> bool {
    rank(&seen.status) < rank(&known.status)
        || seen.call_id != known.call_id
        || seen.leg_id != known.leg_id
        || seen.party_caller_id != known.party_caller_id
        || seen.party.dn != known.party.dn
}
