//! What the edge asks of the voice book.

use std::time::Duration;

use precall_base::clock;
use precall_call::NoVoice;
use precall_store::voices;
use tokio::sync::oneshot;

use super::{ANSWER_WITHIN, EngineHandle};
use crate::admission::contract::Busy;
use crate::caller_key::{CallerKey, DEFAULT_ACCOUNT};
use crate::voices::reconcile_rules::Approval;
use crate::voices::voice_book::{
    CheckEntitlements, CloneAhead, CloneFor, ClonedAhead, ForgetVoice, NotReconciled, Reconcile, Reconciled,
    RevokeVoices,
};

/// Time limit of a reconcile round: a list and some deletions.
const RECONCILED_WITHIN: Duration = Duration::from_secs(60);

impl EngineHandle {
    /// Removes a caller's clone from the cache. False if there was none.
    ///
    /// # Errors
    /// If the database did not store it.
    pub async fn forget_voice(&self, caller: &str) -> Result<bool, Busy> {
        let dropped = async {
            let client = self.services.pool.get().await.map_err(|_| Busy::CannotKeep)?;
            let rows = voices::drop_cached(&**client, DEFAULT_ACCOUNT, caller, clock::wall()).await;
            rows.map_err(|_| Busy::CannotKeep)
        };
        let rows = tokio::time::timeout(ANSWER_WITHIN, dropped).await.map_err(|_| Busy::TooSlow)??;
        let key = CallerKey::of_default_account(caller);
        let forgotten = self.services.voice_book.send(ForgetVoice(key)).await.unwrap_or(false);
        Ok(forgotten || rows > 0)
    }

    /// Revokes the voices of these callers after a withdrawn consent: empties the cache, stops clone jobs that have
    /// not uploaded, and switches bridge conversations to the fallback voice.
    pub fn revoke_voices(&self, callers: Vec<String>) {
        let keys = callers.iter().map(|caller| CallerKey::of_default_account(caller)).collect();
        self.services.voice_book.do_send(RevokeVoices { keys, why: NoVoice::NoConsent });
        // Their samples are deleted too.
        self.erasure.wake.notify_one();
    }

    /// Mappings or consents changed: check permissions now, not at the next interval.
    pub fn look_at_voices(&self) {
        self.services.voice_book.do_send(CheckEntitlements);
    }

    /// Reconciles the voices at the provider with the database.
    ///
    /// # Errors
    /// Why the round failed or did not start.
    pub async fn reconcile_voices(&self, approval: Approval) -> Result<Reconciled, NotReconciled> {
        let (reply, answer) = oneshot::channel();
        self.services.voice_book.do_send(Reconcile { approval, reply: Some(reply) });
        let answer = tokio::time::timeout(RECONCILED_WITHIN, answer).await;
        let late = || NotReconciled::Provider("it takes longer than 60 s, see the log".to_owned());
        answer.map_err(|_| late())?.map_err(|_| late())?
    }

    /// Clones voices of at most `most` frequent callers without one, in free slots only.
    ///
    /// # Errors
    /// Why it failed, as text for people.
    pub async fn clone_ahead(&self, most: usize) -> Result<ClonedAhead, String> {
        let (reply, answer) = oneshot::channel();
        self.services.voice_book.do_send(CloneAhead { most, reply });
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(|| Err("it takes longer than 3 s".to_owned()))
    }

    /// Clones the voice of this caller for the next call, into a free slot. False if a clone is under way.
    ///
    /// # Errors
    /// Why it failed, as text for people.
    pub async fn clone_for(&self, caller: &str) -> Result<bool, String> {
        let (reply, answer) = oneshot::channel();
        let key = CallerKey::of_default_account(caller);
        self.services.voice_book.do_send(CloneFor { key, reply });
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(|| Err("it takes longer than 3 s".to_owned()))
    }
}
