//! Requests to the voice rules, the orders they give, and the outcomes of clone jobs.
//!
//! Pure: no clock, no I/O, no actor.

use std::num::NonZeroUsize;
use std::time::Duration;

use precall_call::{At, CallId, CloneJobId, NoVoice, Proof, ProofWay, VoiceId, VoicePolicy, VoiceSource};
use precall_store::voices::{ConsentRule, Covered, Mapping};

use crate::caller_key::CallerKey;

/// A call's request for its caller's voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceRequest {
    /// The call.
    pub call: CallId,
    /// The line's policy. It applies if the caller's mapping has none.
    pub policy: VoicePolicy,
    /// Whether the caller has proved their identity.
    pub proof: Proof,
    /// When the call stops waiting. The job with the earliest `due` starts first.
    pub due: At,
}

/// What the database and the sample store say about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedCaller {
    /// `None`: the caller has no mapping.
    pub mapping: Option<Mapping>,
    /// Mark of the sample as it is now; `None` if the sample store did not answer.
    pub mark: Option<String>,
}

/// What a job clones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneOrder {
    /// `voice_sample_url`.
    pub sample: String,
    /// Mark of the sample, if known.
    pub mark: Option<String>,
    /// Samples that a consent covers. `None`: no consent is required.
    pub covered: Option<Vec<Covered>>,
    /// The existing clone and the SHA-256 of its sample. The job uploads nothing if the sample has the same hash.
    pub existing: Option<(VoiceId, String)>,
}

/// What the voice book must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceOrder {
    /// Read the caller's mapping and pass it to
    /// [`VoiceRules::mapping_read`](crate::voices::rules::VoiceRules::mapping_read).
    ReadMapping {
        /// The caller.
        key: CallerKey,
        /// The job.
        job: CloneJobId,
    },
    /// Start a clone job.
    StartJob {
        /// The job's id.
        job: CloneJobId,
        /// The caller.
        key: CallerKey,
        /// What it clones.
        order: CloneOrder,
        /// The call that requested it first; `None` for a prefetch.
        call: Option<CallId>,
    },
    /// Stop a job that has not started its upload.
    StopJob(CloneJobId, CallerKey),
    /// Send the outcome to a call.
    Answer(CallId, VoiceOutcome),
    /// Call [`VoiceRules::request`](crate::voices::rules::VoiceRules::request) again with a new job: the job that
    /// this call waited for has read no mapping, so nobody has checked who may hear the voice.
    RequestAgain(VoiceRequest, CallerKey),
}

/// How a clone job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The clone exists.
    Cloned(CachedClone),
    /// The sample has not changed; the cached clone stays valid.
    Unchanged {
        /// The current mark of the sample.
        mark: Option<String>,
    },
    /// No clone was made.
    Failed(NoVoice, Failure),
}

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The next attempt may succeed.
    Transient,
    /// The same sample would fail again. Not retried for [`REFUSED_FOR`](crate::voices::rules::REFUSED_FOR) or until
    /// the sample changes.
    Permanent,
    /// The provider failed. The circuit breaker counts it.
    Provider,
}

/// Limits of the voice rules.
#[derive(Clone, Copy, Debug)]
pub struct VoiceLimits {
    /// Maximum of clone jobs that run at once.
    pub concurrency: usize,
    /// Maximum of voices in memory.
    pub capacity: NonZeroUsize,
    /// `CACHE_TTL`.
    pub ttl: Duration,
    /// Whether a clone requires a consent.
    pub consent: ConsentRule,
}

/// The answer to a [`VoiceRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceOutcome {
    /// The voice is ready.
    Ready {
        /// The voice.
        voice: VoiceId,
        /// The job that made it; `None` from the cache.
        job: Option<CloneJobId>,
        /// Cache or new clone.
        source: VoiceSource,
    },
    /// There is no voice for this call.
    Missing(NoVoice),
    /// The caller must prove their identity first.
    NeedsProof(ProofWay),
}

/// How far the clone is that a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneStage {
    /// The clone job waits for its turn, or prepares its upload.
    Queued,
    /// The job uploads the sample, and ElevenLabs makes the voice.
    Uploading,
    /// The call has the voice.
    Ready,
    /// The call has no cloned voice.
    Failed,
}

impl CloneStage {
    /// All stages.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Uploading, Self::Ready, Self::Failed];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Uploading => "uploading",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// A clone and the sample it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedClone {
    /// The voice.
    pub voice: VoiceId,
    /// SHA-256 of its sample, lower-case hex; `None` for rows that an older service wrote.
    pub sample_sha256: Option<String>,
    /// Reference of its sample; `None` if not known, for example after a restart.
    pub sample: Option<String>,
    /// Mark of its sample when the job read it; `None` if not known.
    pub mark: Option<String>,
}

impl CachedClone {
    /// Whether the clone was made from this sample. Unknown values count as equal.
    pub(crate) fn is_of(&self, sample: &str, mark: Option<&str>) -> bool {
        let same_place = self.sample.as_deref().is_none_or(|of| of == sample);
        let same_mark = match (self.mark.as_deref(), mark) {
            (Some(of), Some(now)) => of == now,
            (None, _) | (_, None) => true,
        };
        same_place && same_mark
    }
}
