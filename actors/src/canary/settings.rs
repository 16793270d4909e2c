//! Settings of the canary.

use std::sync::Arc;
use std::time::Duration;

use precall_base::phone_number::CallerNumber;
use precall_providers::threecx::settings::Settings as PbxSettings;

/// Settings of the canary.
#[derive(Clone, Debug, Default)]
pub struct CanarySettings {
    /// `CANARY_EVERY_MINUTES`; none: only when asked.
    pub every: Option<Duration>,
    /// `CANARY_CALLS_PER_DAY`: runs within 24 hours, those that were asked for included.
    pub calls_per_day: u32,
    /// The canary's own client of the PBX (`CANARY_CLIENT_ID`); none where it is not configured.
    pub pbx: Option<Arc<PbxSettings>>,
    /// `CANARY_NUMBER`, for route `callback`.
    pub number: Option<CallerNumber>,
}
