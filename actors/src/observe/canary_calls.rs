//! Links a run of the canary with its call: which legs at the PBX are the canary's, and what happens to the call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_call::{AgentLoss, Call, CallId, Event, Grade, GreetingEnd, HandoffFailure, Purpose, Report};
use tokio::sync::mpsc;

/// News that wait for the run. A call has fewer events that a run hears of.
const NEWS_MAX: usize = 64;

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CanaryStep {
    /// The PBX, or ElevenLabs on route `callback`, takes the call.
    Dial,
    /// The PBX offers the call to precall.
    Offer,
    /// The call is answered.
    Answer,
    /// The greeting is heard.
    Greeting,
    /// The agent is connected.
    Agent,
    /// The agent is heard.
    AgentAudio,
    /// The call ends.
    HangUp,
    /// The agent and its telephone number exist at ElevenLabs. On route `callback` without `CANARY_NUMBER`.
    LookUp,
}

impl CanaryStep {
    /// All steps.
    pub const ALL: [Self; 8] = [
        Self::Dial,
        Self::Offer,
        Self::Answer,
        Self::Greeting,
        Self::Agent,
        Self::AgentAudio,
        Self::HangUp,
        Self::LookUp,
    ];

    /// The name in the API, in metrics and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Greeting => "greeting",
            Self::Agent => "agent",
            Self::AgentAudio => "agent_audio",
            Self::HangUp => "hang_up",
            Self::LookUp => "look_up",
        }
    }
}

/// What a run hears of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CanaryNews {
    /// precall took the call.
    Taken(CallId),
    /// precall did not take the call, for this reason. It takes none of others either.
    TurnedAway(String),
    /// The greeting began.
    GreetingStarted,
    /// The greeting is over.
    GreetingEnded,
    /// The agent was reached.
    AgentConnected,
    /// The first word of the agent was written into the leg.
    AgentSpoke,
    /// A step failed, for this reason.
    Failed(CanaryStep, String),
    /// The call is over, for this cause.
    Over(&'static str),
}

#[derive(Debug)]
struct Run {
    /// The id that all legs of its call have at the PBX.
    pbx_call: Option<String>,
    call: Option<CallId>,
    news: mpsc::Sender<CanaryNews>,
}

/// Whose calls the canary's are, and who hears of them.
#[derive(Debug, Default)]
pub struct CanaryCalls {
    /// The DN from which the canary calls.
    dn: Option<String>,
    run: Mutex<Option<Run>>,
}

impl CanaryCalls {
    /// `dn` is `CANARY_CLIENT_ID`.
    #[must_use]
    pub fn new(dn: Option<String>) -> Self {
        Self { dn, run: Mutex::default() }
    }

    /// A run begins. Its call is the next one that comes from the canary.
    pub(crate) fn begin(&self) -> mpsc::Receiver<CanaryNews> {
        let (news, heard) = mpsc::channel(NEWS_MAX);
        *self.lock() = Some(Run { pbx_call: None, call: None, news });
        heard
    }

    /// The PBX gave the call of the run this id.
    pub(crate) fn expect(&self, pbx_call: Option<String>) {
        if let Some(run) = &mut *self.lock() {
            run.pbx_call = pbx_call;
        }
    }

    /// The run is over. Later events of its call go nowhere.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    /// Whether a leg comes from the canary: the other party is the canary's DN, or the call is that of the run. No
    /// caller can imitate either: the PBX sets both.
    pub(crate) fn is_own(&self, party_dn: &str, pbx_call: Option<&str>) -> bool {
        let is_from_dn = self.dn.as_deref().is_some_and(|dn| dn.eq_ignore_ascii_case(party_dn));
        let expected = || self.lock().as_ref().and_then(|run| run.pbx_call.clone());
        is_from_dn || pbx_call.is_some_and(|call| expected().as_deref() == Some(call))
    }

    /// precall took the run's call.
    pub(crate) fn taken(&self, call: CallId) {
        if let Some(run) = &mut *self.lock() {
            run.call = Some(call);
            tell(run, CanaryNews::Taken(call));
        }
    }

    /// precall did not take the run's call.
    pub(crate) fn turned_away(&self, why: String) {
        if let Some(run) = &*self.lock() {
            tell(run, CanaryNews::TurnedAway(why));
        }
    }

    /// Tells the run what an event means. `words`: the words of the service that refused.
    pub(crate) fn observe(
        &self,
        call: CallId,
        before: &Call,
        event: &Event,
        words: Option<&str>,
        after: &Call,
    ) {
        let run = self.lock();
        let Some(run) = run.as_ref().filter(|run| run.call == Some(call)) else { return };
        for news in news(before, event, words, after) {
            tell(run, news);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that does not listen any more has ended.
fn tell(run: &Run, news: CanaryNews) {
    let _ = run.news.try_send(news);
}

fn news(before: &Call, event: &Event, words: Option<&str>, after: &Call) -> Vec<CanaryNews> {
    let because = |what: &str| match words {
        Some(words) => format!("{what}: {words}"),
        None => what.to_owned(),
    };
    let failed = |step, what: &str| CanaryNews::Failed(step, because(what));
    let mut news: Vec<CanaryNews> = match event {
        Event::GreetingStarted { .. } => Some(CanaryNews::GreetingStarted),
        // On route `callback` a greeting is over when its report comes, and the handoff begins then.
        Event::GreetingEnded { end: GreetingEnd::Played | GreetingEnd::Skipped }
        | Event::HandoffStarted { .. } => Some(CanaryNews::GreetingEnded),
        Event::GreetingEnded { end } => {
            Some(failed(CanaryStep::Greeting, &format!("the greeting ended: {}", end.name())))
        }
        Event::AnswerRefused => Some(failed(CanaryStep::Answer, "3CX did not let precall answer the call")),
        Event::AudioLost => {
            let step = if before.is_greeting() { CanaryStep::Greeting } else { CanaryStep::AgentAudio };
            Some(failed(step, "no audio reaches precall's leg"))
        }
        Event::HandoffSucceeded { .. } => Some(CanaryNews::AgentConnected),
        Event::HandoffFailed { why, .. } => Some(failed(CanaryStep::Agent, why.name())),
        Event::AgentSpoke { .. } => Some(CanaryNews::AgentSpoke),
        // Without a leg of precall the report alone says that the agent spoke.
        Event::Reported(report) if is_of_agent(report, after) => reported(report),
        Event::AgentLost { why, .. } => Some(failed(CanaryStep::AgentAudio, lost(*why))),
        Event::AgentEnded { .. } => {
            Some(failed(CanaryStep::AgentAudio, "the agent ended the conversation before it was heard"))
        }
        _ => None,
    }
    .into_iter()
    .collect();
    if let (Some(release), false) = (after.release(), before.is_released()) {
        news.push(CanaryNews::Over(release.cause.name()));
    }
    news
}

fn is_of_agent(report: &Report, call: &Call) -> bool {
    let agent = call.conversation(Purpose::Agent).and_then(|agent| agent.id.as_ref());
    !call.policy.on_live_leg() && agent == Some(&report.conversation)
}

fn reported(report: &Report) -> Option<CanaryNews> {
    match report.grade {
        Grade::Completed if report.has_words => Some(CanaryNews::AgentSpoke),
        Grade::Completed => {
            let words = "the report of the conversation has no words of the agent".to_owned();
            Some(CanaryNews::Failed(CanaryStep::AgentAudio, words))
        }
        Grade::Failed => {
            let why = report.failure.map_or("no reason given", HandoffFailure::name);
            let words = format!("no conversation took place: {why}");
            Some(CanaryNews::Failed(CanaryStep::AgentAudio, words))
        }
        Grade::Initiated => None,
    }
}

fn lost(why: AgentLoss) -> &'static str {
    match why {
        AgentLoss::Lost => "the agent's session was lost",
        AgentLoss::Refused => "ElevenLabs refused the agent's session",
        AgentLoss::Stalled => "the agent did not speak for too long",
        AgentLoss::OverrideRefused => "ElevenLabs refused a setting of the agent's session",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_the_canarys_by_its_dn_or_by_its_call() {
        let calls = CanaryCalls::new(Some("Canary".to_owned()));
        assert!(calls.is_own("canary", None));
        assert!(!calls.is_own("10000", Some("17")), "no run");
        let _heard = calls.begin();
        assert!(!calls.is_own("10000", None), "an unknown id is not the same id");
        calls.expect(Some("17".to_owned()));
        assert!(calls.is_own("10000", Some("17")));
        assert!(!calls.is_own("10000", Some("18")));
        calls.end();
        assert!(!calls.is_own("10000", Some("17")));
        assert!(!CanaryCalls::default().is_own("", None), "without a canary every leg is a caller's");
    }
}
