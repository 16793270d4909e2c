//! The words of the voice book: what it is told, and what it orders.

use std::num::NonZeroUsize;
use std::time::Duration;

use actix::Message;
use precall_call::{At, CallId, CloneJobId, NoVoice, Proof, ProofWay, VoiceId, VoicePolicy, VoiceSource};
use precall_store::voices::{ConsentRule, Covered, Mapping};

use crate::caller_key::CallerKey;

/// A call that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Which.
    pub call: CallId,
    /// Who may hear the voice, where the mapping does not say.
    pub policy: VoicePolicy,
    /// Whether the caller proved to be who the number says.
    pub proof: Proof,
    /// Until when the call waits. Whose wait is shortest comes first.
    pub due: At,
}

/// What is known of a caller when a call asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// None: nothing is mapped.
    pub mapping: Option<Mapping>,
    /// By what it would be seen that the sample is another one now; none where it could not be looked at.
    pub mark: Option<String>,
}

/// What a job is to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneOrder {
    /// `voice_sample_url`.
    pub sample: String,
    /// Its mark, as far as it is known.
    pub mark: Option<String>,
    /// Samples that may be uploaded; none where no consent is needed.
    pub covered: Option<Vec<Covered>>,
    /// A clone that exists: made of this very sample it is used, and nothing is uploaded.
    pub existing: Option<(VoiceId, String)>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the caller's mapping, and tell [`Book::mapped`](crate::voices::rules::Book::mapped).
    ReadMapping {
        /// Whose.
        key: CallerKey,
        /// For which job.
        job: CloneJobId,
    },
    /// Start a clone job.
    StartJob {
        /// Its id.
        job: CloneJobId,
        /// Whose voice.
        key: CallerKey,
        /// Of what.
        order: CloneOrder,
        /// The call that asked first; none where a voice is cloned ahead.
        call: Option<CallId>,
    },
    /// Stop a job that has not uploaded anything.
    StopJob(CloneJobId, CallerKey),
    /// Tell a call.
    Tell(CallId, VoiceOutcome),
    /// [`Book::want`](crate::voices::rules::Book::want) again, for a new job: what this call waited for says nothing of who may hear it.
    AskAgain(Asker, CallerKey),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// There is a voice.
    Cloned(CachedClone),
    /// The sample is the one that the cached voice was made of.
    Unchanged {
        /// Of the sample as it lies there now.
        mark: Option<String>,
    },
    /// There is none.
    Failed(NoVoice, Failure),
}

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing.
    Passing,
    /// The same sample would fail again: not tried for [`REFUSED_FOR`](crate::voices::rules::REFUSED_FOR), or until it is another one.
    Lasting,
    /// The provider fails: it is left alone when that goes on.
    OfProvider,
}

/// The rules' limits.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Clone jobs at once.
    pub concurrency: usize,
    /// Voices in memory.
    pub capacity: NonZeroUsize,
    /// `CACHE_TTL`.
    pub ttl: Duration,
    /// Whether a clone needs a consent.
    pub consent: ConsentRule,
}

/// What became of the voice this call waited for.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum VoiceOutcome {
    /// It can be used.
    Ready {
        /// The voice.
        voice: VoiceId,
        /// The job that made it.
        job: Option<CloneJobId>,
        /// Where it came from.
        source: VoiceSource,
    },
    /// There will be none.
    Missing(NoVoice),
    /// There may be one for who proves to be the caller.
    NeedsProof(ProofWay),
}

/// A clone, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedClone {
    /// The voice.
    pub voice: VoiceId,
    /// SHA-256 of its sample, lower-case hex; none for rows of the service before this one.
    pub sample_sha256: Option<String>,
    /// Where its sample lay; none where that is not known, as after a start.
    pub sample: Option<String>,
    /// Its sample's mark when it was read; none where that is not known.
    pub mark: Option<String>,
}

impl CachedClone {
    /// Whether the sample that lies there now is the one it was made of, as far as can be told. What is not known speaks for it.
    pub(crate) fn is_of(&self, sample: &str, mark: Option<&str>) -> bool {
        let same_place = self.sample.as_deref().is_none_or(|of| of == sample);
        let same_mark = match (self.mark.as_deref(), mark) {
            (Some(of), Some(now)) => of == now,
            (None, _) | (_, None) => true,
        };
        same_place && same_mark
    }
}
