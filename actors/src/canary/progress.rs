//! How far a run is: its steps, what it heard of its call, and how it may end.

use precall_base::clock;
use precall_call::{At, CallId};

use crate::call::services::CallServices;
use crate::observe::canary_calls::{CanaryNews, CanaryStep};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// A step failed, in the words of the service that refused.
    Failed(CanaryStep, String),
    /// It proves nothing: callers needed its place, or precall takes no calls.
    Interrupted(String),
}

impl RunEnd {
    pub(super) fn failed(step: CanaryStep, words: impl ToString) -> Self {
        Self::Failed(step, words.to_string())
    }
}

/// The steps of a run and what it heard of its call.
#[derive(Debug)]
pub(super) struct Progress {
    step_began: At,
    /// Done steps with their milliseconds.
    pub(super) done: Vec<(CanaryStep, i64)>,
    pub(super) call: Option<CallId>,
    pub(super) has_greeting: bool,
    pub(super) greeting_ended: bool,
    /// When the agent was connected.
    pub(super) agent_since: Option<At>,
    pub(super) agent_spoke: bool,
    /// Why the call is over.
    pub(super) over: Option<&'static str>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            step_began: clock::now(),
            done: Vec::new(),
            call: None,
            has_greeting: false,
            greeting_ended: false,
            agent_since: None,
            agent_spoke: false,
            over: None,
        }
    }

    /// A step is done.
    pub(super) fn done(&mut self, step: CanaryStep) {
        let now = clock::now();
        let took = now.since(self.step_began).as_millis();
        self.done.push((step, i64::try_from(took).unwrap_or(i64::MAX)));
        self.step_began = now;
    }

    /// Takes news of the call while `step` is done.
    ///
    /// # Errors
    /// When the news end the run.
    pub(super) fn take(&mut self, news: CanaryNews, step: CanaryStep) -> Result<(), RunEnd> {
        match news {
            CanaryNews::Taken(call) => self.call = Some(call),
            CanaryNews::TurnedAway(why) => return Err(RunEnd::Interrupted(why)),
            CanaryNews::GreetingStarted => self.has_greeting = true,
            CanaryNews::GreetingEnded => self.greeting_ended = true,
            CanaryNews::AgentConnected => {
                self.agent_since.get_or_insert_with(clock::now);
            }
            CanaryNews::AgentSpoke => self.agent_spoke = true,
            // The canary hangs up itself at last: what the call makes of that is no failure.
            CanaryNews::Failed(..) if step == CanaryStep::HangUp => {}
            CanaryNews::Failed(step, words) => return Err(RunEnd::Failed(step, words)),
            CanaryNews::Over(cause) => {
                self.over = Some(cause);
                if step != CanaryStep::HangUp {
                    return Err(RunEnd::failed(step, format!("the call ended, cause {cause}")));
                }
            }
        }
        Ok(())
    }

    /// How long the agent was connected so far, in milliseconds.
    pub(super) fn agent_ms(&self) -> Option<i32> {
        let took = clock::now().since(self.agent_since?).as_millis();
        Some(i32::try_from(took).unwrap_or(i32::MAX))
    }
}

/// Why callers need the place of a run; none while there is room.
pub(super) fn crowded(services: &CallServices, max_live_calls: usize) -> Option<String> {
    if services.board.count() >= max_live_calls {
        return Some("callers use every place (MAX_LIVE_CALLS)".to_owned());
    }
    let seats = &services.agent_seats;
    let no_seat = seats.max().is_some_and(|max| seats.held() >= max);
    no_seat.then(|| "callers use every seat (AGENT_CONCURRENCY)".to_owned())
}
