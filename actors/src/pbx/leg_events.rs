//! What the feed tells of the legs that are ours.

use actix::Message;
use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::participant::Participant;

/// News of one leg of ours.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct PbxLegEvent {
    /// Which leg.
    pub leg: LegAddress,
    /// When the frame or the list that led to it was received.
    pub at: At,
    /// What happened.
    pub what: PbxLegChange,
}

/// What can happen to a leg.
#[expect(clippy::large_enum_variant, reason = "most news is a sight; the others are as rare as calls")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PbxLegChange {
    /// First sight, and each change of status or party.
    Seen(Participant),
    /// It is no more. The same id may come again after the PBX restarted: then it is another leg.
    Gone,
    /// The other side pressed keys: `0` to `9`, `*`, `#`, one or several, as they came.
    Keys(String),
}

/// What is known was compared with the PBX's own list. Not said of a list that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Synced {
    /// Every leg of ours, by id.
    pub legs: Vec<LegAddress>,
}

/// Asks the PBX whether this leg is still there, and how it is; what is found is told like any other news.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct LookAt {
    /// Which leg.
    pub leg: LegAddress,
}
