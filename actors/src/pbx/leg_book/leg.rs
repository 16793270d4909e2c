//! State of one leg, and which of its changes are credible.
//!
//! Pure: no clock, no I/O, no actor.

use precall_call::At;
use precall_providers::threecx::participant::{Participant, ParticipantStatus};

#[derive(Debug, Default)]
pub(crate) struct Leg {
    /// As last reported; none before the first report.
    pub known: Option<Participant>,
    /// Number of the connection that last confirmed it.
    pub connection: u64,
    /// Number of the input that last updated it.
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
        /// When an event came during the request: the request is repeated.
        again: Option<At>,
    },
}

/// An answered leg never becomes unanswered; an unknown status changes nothing.
pub(crate) fn rank(status: &ParticipantStatus) -> u8 {
    match status {
        ParticipantStatus::Dialing | ParticipantStatus::Ringing | ParticipantStatus::Other(_) => 0,
        ParticipantStatus::Connected => 1,
    }
}

/// Whether the same id is another leg after a gap in the events. A transfer during the gap and a restart of the PBX
/// look alike. If a transfer is taken for a new call, the caller may get a second greeting. If a new call is taken
/// for the old one, a caller hears the conversation of another caller.
pub(crate) fn is_another_leg(known: &Participant, seen: &Participant) -> bool {
    rank(&seen.status) < rank(&known.status)
        || seen.call_id != known.call_id
        || seen.leg_id != known.leg_id
        || seen.party_caller_id != known.party_caller_id
        || seen.party.dn != known.party.dn
}
