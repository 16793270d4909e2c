//! What the HTTP server needs to know. Built from the configuration once; nothing here is read from the environment.

use std::num::NonZeroU32;
use std::path::PathBuf;

use precall_actors::voices::samples::SampleStore;
use precall_base::phone_number::Region;
use precall_call::VoiceId;
use slog::Logger;

use crate::config::{ApiKeys, CorsOrigins, Secret, Sender};
use crate::trusted_addresses::AddressList;

/// Where `/metrics` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsPlace {
    /// Beside everything else.
    Here,
    /// On a listener of its own (`METRICS_ADDR`), see [`metrics_server`](super::metrics_server).
    Elsewhere,
}

/// The settings of the HTTP server.
#[derive(Clone)]
pub struct Settings {
    /// Who posts to `/webhook/3cx`, and how it proves that.
    pub threecx: Sender,
    /// Who posts to `/webhook/elevenlabs/...`, and how it proves that.
    pub elevenlabs: Sender,
    /// `X-Initiation-Secret`; without it the initiation webhook does not exist.
    pub initiation_secret: Option<Secret>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: AddressList,
    /// Requests of one address within a second, of each kind.
    pub source_limit: NonZeroU32,
    /// Bytes of a webhook's body at most.
    pub body_limit: usize,
    /// Bytes of a `post_call_transcription` at most.
    pub transcription_limit: usize,
    /// Where recordings go; none keeps none.
    pub recordings: Option<PathBuf>,
    /// Where samples lie, and uploads are put.
    pub samples: SampleStore,
    /// The voice of callers without a clone; none leaves the agent's own.
    pub fallback_voice: Option<VoiceId>,
    /// `DEFAULT_REGION`: where numbers without a country are.
    pub region: Region,
    /// Whose pages may use the API.
    pub cors_origins: CorsOrigins,
    /// Who may use the API; without any it is closed.
    pub api_keys: ApiKeys,
    /// Where metrics are answered.
    pub metrics: MetricsPlace,
    /// Where the edge's own lines go.
    pub log: Logger,
}
