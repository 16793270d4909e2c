//! What the PBX grants its API client: `PUT /sim/grants` with an object, which replaces all of them.

use serde::{Deserialize, Serialize};

/// The type of a route point (facts page, section 1.2).
pub(super) const ROUTE_POINT: &str = "Wroutepoint";
/// The longest name of a type.
const LONGEST_TYPE: usize = 64;

/// What the client may do, and what its DN is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Without it, everything under `/callcontrol` is answered with 403.
    pub call_control: bool,
    /// Without it, audio streams are answered with 403, before the participant is looked up.
    pub streams: bool,
    /// The type of the client's own DN.
    pub dn_type: String,
}

impl Default for Grants {
    fn default() -> Self {
        Self { call_control: true, streams: true, dn_type: ROUTE_POINT.to_owned() }
    }
}

impl Grants {
    /// Says what is wrong with grants that were told.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.dn_type.is_empty() || self.dn_type.len() > LONGEST_TYPE {
            true => Err(format!("dn_type has 1 to {LONGEST_TYPE} bytes")),
            false => Ok(()),
        }
    }
}
