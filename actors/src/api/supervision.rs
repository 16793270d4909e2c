//! Live supervision, for the edge.

use precall_call::{CallId, Operator, Telling};
use tokio::sync::oneshot;

use super::EngineHandle;
use crate::admission::call_supervisor::{ANSWER_WITHIN, SuperviseCall};
use crate::call::supervision::{
    ActorMailbox, Listening, Supervise, SupervisionAnswer, SupervisionRefusal, SupervisionView,
};

impl EngineHandle {
    /// What an operator may do with a live call now.
    ///
    /// # Errors
    /// If the call is not live, or did not answer in time.
    pub async fn supervision(&self, call: CallId) -> Result<SupervisionView, SupervisionRefusal> {
        self.supervise(call, Supervise::Look).await
    }

    /// The actors of a live call that run now, with how long a message waits in the mailbox of each.
    ///
    /// # Errors
    /// If the call is not live, or did not answer in time.
    pub async fn mailboxes(&self, call: CallId) -> Result<Vec<ActorMailbox>, SupervisionRefusal> {
        self.supervise(call, Supervise::Mailboxes).await
    }

    /// Begins to listen to a live call. Dropping the result ends it.
    ///
    /// # Errors
    /// Why nobody may listen, or one more may not.
    pub async fn listen(&self, call: CallId) -> Result<Listening, SupervisionRefusal> {
        self.supervise(call, Supervise::Listen).await
    }

    /// Tells the agent of a live call something. Answers when it is durable.
    ///
    /// # Errors
    /// Why the agent was not told; after `NotInTime` it may have been.
    pub async fn tell_agent(
        &self,
        call: CallId,
        what: Telling,
        text: String,
        by: Operator,
    ) -> Result<(), SupervisionRefusal> {
        self.supervise(call, |answer| Supervise::Tell { what, text, by, answer }).await
    }

    /// How many listen to a call, from memory.
    #[must_use]
    pub fn listeners(&self, call: CallId) -> usize {
        self.services.listeners.of(call)
    }

    async fn supervise<T>(
        &self,
        call: CallId,
        ask: impl FnOnce(SupervisionAnswer<T>) -> Supervise,
    ) -> Result<T, SupervisionRefusal> {
        let (answer, received) = oneshot::channel();
        self.supervisor.do_send(SuperviseCall { call, asked: ask(answer) });
        match tokio::time::timeout(ANSWER_WITHIN, received).await {
            Ok(Ok(answer)) => answer,
            // The call's actor stopped before it read the question.
            Ok(Err(_)) => Err(SupervisionRefusal::NotLive),
            Err(_) => Err(SupervisionRefusal::NotInTime),
        }
    }
}
