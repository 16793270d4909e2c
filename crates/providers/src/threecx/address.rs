//! Where a leg is at the PBX.

use std::fmt;
use std::sync::Arc;

/// A number inside the PBX. Letters are allowed (3CX facts, section 1.0), so it is never parsed as an integer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dn(Arc<str>);

impl Dn {
    /// As the PBX says it.
    #[must_use]
    pub fn new(dn: &str) -> Self {
        Self(Arc::from(dn))
    }

    /// As the PBX says it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One leg of a call at the PBX. Counts up over the whole PBX and starts again when it restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(pub u64);

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What every request about a leg names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LegAddress {
    /// The DN that owns the leg: ours.
    pub dn: Dn,
    /// The leg.
    pub participant: ParticipantId,
}
