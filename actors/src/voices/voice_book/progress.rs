//! Tells the calls that wait for a clone job how far it is.

use actix::{Message, Recipient};
use precall_base::clock;
use precall_call::{At, CallId, CloneJobId};

use super::{VoiceAnswer, VoiceBook};
use crate::voices::terms::CloneStage;

/// The clone that a call waits for has reached a stage.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloneMoved {
    /// `Queued` or `Uploading`. The outcome comes as an answer.
    pub stage: CloneStage,
    /// When.
    pub at: At,
}

/// Who hears of the voice of one call.
pub(super) struct WaitingCall {
    /// Receives the outcome once.
    pub(super) reply: Recipient<VoiceAnswer>,
    /// Hears how far the clone is.
    pub(super) progress: Recipient<CloneMoved>,
}

impl VoiceBook {
    /// Tells one call. It may have joined a job that others began.
    pub(super) fn tell_stage(&self, call: CallId) {
        if let (Some(waiting), Some(stage)) = (self.waiting.get(&call), self.rules.clone_stage(call)) {
            waiting.progress.do_send(CloneMoved { stage, at: clock::now() });
        }
    }

    /// Tells all calls that wait for a job.
    pub(super) fn tell_stage_of(&self, job: CloneJobId) {
        for call in self.rules.waiting_calls(job) {
            self.tell_stage(call);
        }
    }
}
