//! What calls, clone jobs and the start tell the voice book, and what it answers.

use actix::{Message, Recipient};
use precall_call::{CallId, CloneJobId, NoVoice, VoiceId};
use precall_store::voices::{CachedVoice, UnfinishedClone};

use super::progress::CloneMoved;
use crate::caller_key::CallerKey;
use crate::voices::terms::{JobEnd, VoiceOutcome, VoiceRequest};

/// A call requests its caller's voice.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RequestVoice {
    /// The call and its caller's proof.
    pub request: VoiceRequest,
    /// The caller.
    pub key: CallerKey,
    /// Receives the outcome once.
    pub reply: Recipient<VoiceAnswer>,
    /// Hears how far the clone is, until the outcome.
    pub progress: Recipient<CloneMoved>,
}

/// The answer to a call that requested a voice.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct VoiceAnswer {
    /// The outcome.
    pub outcome: VoiceOutcome,
    /// The clone job that failed the call, if one did, and why, in words.
    pub failed: Option<FailedJob>,
}

/// Why a job gave its calls no voice.
#[derive(Clone, Debug)]
pub(crate) struct FailedJob {
    /// The job.
    pub job: CloneJobId,
    /// The reason that its calls are told.
    pub why: NoVoice,
    /// The provider's words, or ours.
    pub words: String,
}

/// A call no longer waits for a voice.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelRequest {
    /// The call.
    pub call: CallId,
}

/// Progress of a clone job.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum JobEvent {
    /// The upload has started: the provider may have the sample.
    Uploading(CloneJobId),
    /// The clone timeout has passed; the job continues.
    Late(CloneJobId),
    /// The job has ended. A failure comes with the provider's words, or ours.
    Ended(CloneJobId, JobEnd, Option<String>),
    /// The job's actor has stopped; it may have panicked.
    Down(CloneJobId),
}

/// Looks up the cached voice of a caller.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<VoiceId>")]
pub(crate) struct LookUpCached(pub CallerKey);

/// Removes a caller's clone from the cache. False if there was none.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub(crate) struct ForgetVoice(pub CallerKey);

/// Loads the cached clones of the database at the start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LoadCache(pub Vec<CachedVoice>);

/// Clone jobs whose outcome was lost in a crash.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ResolveUnfinished(pub Vec<UnfinishedClone>);
