//! A run on route `callback`: calls `CANARY_NUMBER` as a caller is called back. Without a number it rings nobody, and
//! looks up what such a call needs.

use std::time::Duration;

use actix::Addr;
use precall_base::clock;
use precall_base::phone_number::CallerNumber;
use precall_providers::elevenlabs::ProviderError;
use tokio::sync::{mpsc, oneshot};

use super::progress::{Progress, RunEnd, crowded};
use crate::admission::call_supervisor::{CallCanaryNumber, CallSupervisor};
use crate::call::services::CallServices;
use crate::observe::canary_calls::{CanaryNews, CanaryStep};

/// Time for the supervisor to take the call.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// Time for ElevenLabs to take a dial.
const DIALLED_WITHIN: Duration = Duration::from_secs(30);
/// Time for the greeting's telephone to ring, and for the greeting.
const GREETED_WITHIN: Duration = Duration::from_secs(120);
/// Time for the agent's dial.
const AGENT_WITHIN: Duration = Duration::from_secs(60);
/// Time for the agent's telephone to ring, for the conversation, and for its report.
const REPORTED_WITHIN: Duration = Duration::from_secs(240);
const OVER_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks at the room for callers.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time limit of one look-up.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(10);

/// What a run is made with.
pub(super) struct CallbackRun<'a> {
    pub(super) services: &'a CallServices,
    pub(super) supervisor: &'a Addr<CallSupervisor>,
    pub(super) max_live_calls: usize,
    pub(super) news: mpsc::Receiver<CanaryNews>,
    pub(super) progress: &'a mut Progress,
}

impl CallbackRun<'_> {
    /// Calls the number and waits for the report of the agent.
    ///
    /// # Errors
    /// Which step failed.
    pub(super) async fn go(mut self, number: CallerNumber) -> Result<(), RunEnd> {
        let (answer, taken) = oneshot::channel();
        self.supervisor.do_send(CallCanaryNumber { number, answer });
        match tokio::time::timeout(TAKEN_WITHIN, taken).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(why))) => return Err(RunEnd::Interrupted(why)),
            Ok(Err(_)) | Err(_) => {
                return Err(RunEnd::failed(CanaryStep::Dial, "precall did not take the call in time"));
            }
        }
        self.wait(CanaryStep::Dial, DIALLED_WITHIN, |progress| progress.has_greeting).await?;
        self.wait(CanaryStep::Greeting, GREETED_WITHIN, |progress| progress.greeting_ended).await?;
        self.wait(CanaryStep::Agent, AGENT_WITHIN, |progress| progress.agent_since.is_some()).await?;
        self.wait(CanaryStep::AgentAudio, REPORTED_WITHIN, |progress| progress.agent_spoke).await?;
        self.wait(CanaryStep::HangUp, OVER_WITHIN, |progress| progress.over.is_some()).await
    }

    async fn wait(
        &mut self,
        step: CanaryStep,
        limit: Duration,
        is_done: impl Fn(&Progress) -> bool,
    ) -> Result<(), RunEnd> {
        let until = clock::now().plus(limit);
        while !is_done(self.progress) {
            let left = until.since(clock::now());
            if left.is_zero() {
                return Err(RunEnd::failed(step, format!("not done within {} s", limit.as_secs())));
            }
            // The end of the call and the report that ends it are one event.
            let taking = if step == CanaryStep::AgentAudio { CanaryStep::HangUp } else { step };
            tokio::select! {
                Some(news) = self.news.recv() => {
                    if let (CanaryNews::Failed(at, words), CanaryStep::AgentAudio) = (&news, step) {
                        return Err(RunEnd::Failed(*at, words.clone()));
                    }
                    self.progress.take(news, taking)?;
                    if step == CanaryStep::AgentAudio && !self.progress.agent_spoke
                        && let Some(cause) = self.progress.over
                    {
                        return Err(RunEnd::failed(step, format!("the call ended, cause {cause}")));
                    }
                }
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {
                    if let Some(why) = crowded(self.services, self.max_live_calls) {
                        return Err(RunEnd::Interrupted(why));
                    }
                }
            }
        }
        self.progress.done(step);
        Ok(())
    }
}

/// Looks up the agent and its telephone number. It proves less than a call: no telephone rings.
///
/// # Errors
/// What ElevenLabs refused.
pub(super) async fn look_up(
    services: &CallServices,
    agent_id: &str,
    phone_number_id: &str,
    progress: &mut Progress,
) -> Result<(), RunEnd> {
    let failed = |what: &str, error: ProviderError| {
        RunEnd::failed(CanaryStep::LookUp, format!("{what} could not be looked up: {error}"))
    };
    let clients = services.clients.here();
    clients.bulk.agent(agent_id, LOOK_UP_WITHIN).await.map_err(|error| failed("the agent", error))?;
    let number = clients.bulk.phone_number(phone_number_id, LOOK_UP_WITHIN).await;
    number.map_err(|error| failed("the telephone number", error))?;
    progress.done(CanaryStep::LookUp);
    Ok(())
}
