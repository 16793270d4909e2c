//! Settings of the HTTP server, built from the configuration once.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use precall_actors::voices::samples::SampleStore;
use precall_base::phone_number::Region;
use precall_call::VoiceId;
use slog::Logger;

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
