//! Settings of the HTTP server, built from the configuration at the start and at each reload.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use precall_actors::voices::samples::SampleStore;
use precall_base::phone_number::Region;
use precall_call::VoiceId;
use slog::Logger;

use super::fair_share::Rates;
use crate::config::{ApiKeys, CorsOrigins, Secret, Sender};
use crate::trusted_addresses::AddressList;

/// Who sees figures on a listener: metrics, capacity, problems, version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Everybody who reaches it: the listener for management, and the main one if there is no other.
    Open,
    /// Requests with an API key of scope `read`: the main listener beside one for management (`METRICS_ADDR`).
    WithKey,
}

/// The settings of the HTTP server.
#[derive(Clone)]
pub(crate) struct Settings {
    /// The sender of `/webhook/3cx`: its secret and its addresses.
    pub(crate) threecx: Sender,
    /// The token of 3CX webhooks that are not signed; `None`: every one must be signed.
    pub(crate) threecx_token: Option<Secret>,
    /// The sender of `/webhook/elevenlabs/...`: its secret and its addresses.
    pub(crate) elevenlabs: Sender,
    /// `X-Initiation-Secret`. Unset: the initiation webhook answers 404.
    pub(crate) initiation_secret: Option<Secret>,
    /// The one before, which is still taken.
    pub(crate) initiation_secret_previous: Option<Secret>,
    /// Proxies whose `X-Forwarded-For` is used.
    pub(crate) trusted_proxies: AddressList,
    /// Requests per second of one source, for each kind of request.
    pub(crate) source_limit: NonZeroU32,
    /// What each source has asked within that limit.
    pub(crate) rates: Arc<Rates>,
    /// Largest webhook body, in bytes.
    pub(crate) body_limit: usize,
    /// Largest `post_call_transcription`, in bytes.
    pub(crate) transcription_limit: usize,
    /// Folder for recordings; `None` keeps no recordings.
    pub(crate) recordings: Option<PathBuf>,
    /// Samples and uploads.
    pub(crate) samples: SampleStore,
    /// Voice for callers without a clone; `None` keeps the agent's own voice.
    pub(crate) fallback_voice: Option<VoiceId>,
    /// `DEFAULT_REGION`: the region of numbers without a country code.
    pub(crate) region: Region,
    /// `TRANSFER_DESTINATIONS`: names of persons to whom operators may send callers.
    pub(crate) persons: Arc<[String]>,
    /// `SUPERVISION`: operators may listen to live calls.
    pub(crate) supervision: bool,
    /// `SAMPLE_PLAYBACK`: keys of the scope `voice` may play the samples of callers.
    pub(crate) sample_playback: bool,
    /// Whether `FALLBACK_DESTINATION` is set.
    pub(crate) has_fallback: bool,
    /// Origins whose pages may use the API.
    pub(crate) cors_origins: CorsOrigins,
    /// API keys. Without keys the API refuses every request.
    pub(crate) api_keys: ApiKeys,
    /// Who sees figures on this listener.
    pub(crate) figures: Figures,
    /// Logger of the HTTP server.
    pub(crate) log: Logger,
}

/// The settings that count now. All servers share them; a request takes them as they are when it comes.
#[derive(Clone)]
pub(crate) struct CurrentSettings(Arc<ArcSwap<Settings>>);

impl CurrentSettings {
    /// The settings of the start.
    #[must_use]
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// The settings now.
    #[must_use]
    pub(crate) fn now(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Replaces all settings at once.
    pub(crate) fn replace(&self, mut settings: Settings) {
        let before = self.now();
        if before.source_limit == settings.source_limit {
            // A reload must not give a flood new room.
            settings.rates = Arc::clone(&before.rates);
        }
        self.0.store(Arc::new(settings));
    }
}
