//! Identifies a leg at the PBX.

use std::fmt;
use std::sync::Arc;

/// A DN: an internal number of the PBX. Letters are allowed (3CX facts, section 1.0), so it is never parsed as a
/// number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dn(Arc<str>);

impl Dn {
    /// The DN as the PBX writes it.
    #[must_use]
    pub fn new(dn: &str) -> Self {
        Self(Arc::from(dn))
    }

    /// The DN as the PBX writes it.
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

/// Id of a leg at the PBX. One counter for the whole PBX; it starts again when the PBX restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantId(pub u64);

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Address of a leg in requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LegAddress {
    /// Our DN, which owns the leg.
    pub dn: Dn,
    /// The leg.
    pub participant: ParticipantId,
}
