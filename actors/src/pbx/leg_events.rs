//! Messages of the feed about our own legs.

use actix::Message;
use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::participant::Participant;

/// A change of one of our legs.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) struct PbxLegEvent {
    /// The leg.
    pub leg: LegAddress,
    /// When the frame or list behind the change was received.
    pub at: At,
    /// The change.
    pub what: PbxLegChange,
}

/// Changes of a leg.
#[expect(clippy::large_enum_variant, reason = "most changes are `Seen`; the others are as rare as calls")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PbxLegChange {
    /// The leg appeared, or its status or party changed.
    Seen(Participant),
    /// The leg is gone. After a restart of the PBX the same id is another leg.
    Gone,
    /// The other side pressed keys: one or more of `0` to `9`, `*`, `#`, in order.
    Keys(String),
}

/// The known legs were compared with the PBX's list. Not sent if the list request failed.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) struct Synced {
    /// All our legs, by id.
    pub legs: Vec<LegAddress>,
}

/// Asks the PBX for the current state of this leg. The feed reports what changed.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct LookAt {
    /// The leg.
    pub leg: LegAddress,
    /// Whether the feed must report the leg even if nothing has changed.
    pub is_unknown: bool,
}
