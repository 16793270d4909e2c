//! The settings that a reload of the configuration replaces.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use precall_audio::prompts::{PromptOrder, PromptSettings};
use precall_base::phone_number::CallerNumber;
use precall_providers::elevenlabs::Settings as ProviderSettings;
use precall_providers::threecx::settings::Settings as PbxSettings;
use tokio::sync::oneshot;

use crate::call::line::Line;
use crate::limits::budgets::BudgetLimits;
use crate::limits::dial_guard::{Countries, DialLimits};

/// The settings that a reload replaces, all at once. Calls that live keep what they began with.
#[derive(Clone, Debug)]
pub struct ReloadableSettings {
    /// The line of numbers without a line of their own; the other lines take from it what they do not set.
    pub default_line: Line,
    /// `TRUSTED_TRUNKS`: DNs of trunks whose caller numbers are trusted.
    pub trusted_trunks: Vec<String>,
    /// `CALLBACK_COUNTRIES`.
    pub countries: Countries,
    /// `OWN_NUMBERS`.
    pub own_numbers: HashSet<CallerNumber>,
    /// `CALLBACK_LIMIT_*`.
    pub limits: DialLimits,
    /// `START_PATIENCE_SECONDS`.
    pub start_patience: Duration,
    /// `MAX_LIVE_CALLS`.
    pub max_live_calls: usize,
    /// `BUDGET_*`.
    pub budgets: BudgetLimits,
    /// `AGENT_CONCURRENCY`.
    pub agent_concurrency: Option<usize>,
    /// `THREECX_SIMULTANEOUS_CALLS`.
    pub pbx_calls: Option<u64>,
    /// Address and key of ElevenLabs. A reload takes the key.
    pub provider: Arc<ProviderSettings>,
    /// What callers hear on the routes with a live leg; `None` on route `callback`.
    pub live_leg: Option<LiveLegSettings>,
}

/// The part of it for the routes with a live leg.
#[derive(Clone)]
pub struct LiveLegSettings {
    /// Address, client and secret of the PBX. A reload takes the secret.
    pub client: Arc<PbxSettings>,
    /// How precall prepares prompts.
    pub prompts: PromptSettings,
    /// The prompts that a line plays to its callers.
    pub prompt_order: Arc<dyn Fn(&Line) -> PromptOrder + Send + Sync>,
    /// `GREETING_LEAD_SILENCE_MS`.
    pub lead_silence: Duration,
}

impl fmt::Debug for LiveLegSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, prompts, prompt_order: _, lead_silence } = self;
        f.debug_struct("LiveLegSettings")
            .field("client", client)
            .field("prompts", prompts)
            .field("lead_silence", lead_silence)
            .finish_non_exhaustive()
    }
}

/// Asks for the lines to be read again, with new settings or with the old ones.
#[derive(Debug)]
pub(crate) struct ReloadAsked {
    /// The new settings.
    pub(crate) settings: Option<Arc<ReloadableSettings>>,
    /// Told when new calls use them.
    pub(crate) done: oneshot::Sender<()>,
}
