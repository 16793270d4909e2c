//! What exists once per PBX client. A process can have several.

use std::fmt;
use std::sync::Arc;

use actix::Recipient;
use precall_audio::Media;
use precall_providers::threecx::client::ThreeCx;

use crate::pbx::held_legs::HeldLegs;
use crate::pbx::leaving_legs::LeavingLegs;
use crate::pbx::leg_events::LookAt;
use crate::pbx::pbx_feed::StopFeed;
use crate::pbx::pbx_health::PbxState;
use crate::runtime::per_arbiter::PerArbiter;

/// One PBX, as calls use it.
pub struct PbxSide {
    /// Audio to and from its legs.
    pub media: Media,
    /// Legs that hear hold music before their call is known.
    pub held: HeldLegs,
    /// Legs that are being sent away or dropped.
    pub leaving: LeavingLegs,
    /// State of the connection.
    pub state: Arc<PbxState>,
    /// Client for commands to its legs.
    pub client: PerArbiter<ThreeCx>,
    /// Asks the feed whether a leg is still there.
    pub look: Recipient<LookAt>,
    /// Ends the feed.
    pub(crate) stop_feed: Recipient<StopFeed>,
}

impl fmt::Debug for PbxSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PbxSide")
    }
}
