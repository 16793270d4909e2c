//! The outcomes of the last minutes, by area of work, and which areas are degraded. Health shows them: a service whose
//! every call fails must not look well.
//!
//! Pure: no clock, no I/O, no actor.

mod remedy;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use precall_call::{At, CallId};

use self::remedy::remedy;
pub(crate) use self::words::presentable;

/// The rules look at the outcomes of this time before the latest one. An area without an outcome for as long decays.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Most outcomes of an area; beyond it the oldest is forgotten early.
const OUTCOMES_MAX: usize = 64;
/// Most calls with a reason that has no outcome yet.
const REASONS_MAX: usize = 64;
/// Failures in a row that degrade an area, whatever came before.
const IN_A_ROW: usize = 3;
/// Fewest outcomes of which the share counts. From half of them failed, the area is degraded.
const SHARE_OF_MIN: usize = 4;
/// Refused webhooks that degrade an area, if none was accepted for [`REFUSED_FOR`].
const REFUSALS_MIN: usize = 3;
const REFUSED_FOR: Duration = Duration::from_secs(180);

/// An area of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Cloning voices.
    Clone,
    /// Bringing an agent to the caller, and keeping the agent there.
    Handoff,
    /// Greeting the caller.
    Greeting,
    /// The audio streams of legs at 3CX.
    LegAudio,
    /// Webhooks of 3CX.
    ThreeCxWebhook,
    /// Reports of ElevenLabs.
    ReportWebhook,
    /// Questions of ElevenLabs at the start of a transferred conversation.
    InitiationWebhook,
}

/// How an area gets degraded and well again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// All failed, the last three failed, or half of at least four failed. Decays only after a good probe.
    Work,
    /// At least three failed since the last success, and that was minutes ago: strangers may send anything to a
    /// webhook.
    Refusals,
}

impl Area {
    /// All areas, in the order in which problems are shown.
    pub const ALL: [Self; 7] = [
        Self::Handoff,
        Self::Greeting,
        Self::LegAudio,
        Self::Clone,
        Self::ThreeCxWebhook,
        Self::ReportWebhook,
        Self::InitiationWebhook,
    ];

    /// The name in health.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Handoff => "handoff",
            Self::Greeting => "greeting",
            Self::LegAudio => "threecx",
            Self::ThreeCxWebhook | Self::ReportWebhook | Self::InitiationWebhook => "webhooks",
        }
    }

    fn rule(self) -> Rule {
        match self {
            Self::Clone | Self::Handoff | Self::Greeting | Self::LegAudio => Rule::Work,
            Self::ThreeCxWebhook | Self::ReportWebhook | Self::InitiationWebhook => Rule::Refusals,
        }
    }
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthProblem {
    /// The area: `canary`, `clone`, `handoff`, `greeting`, `prompts`, `agent`, `webhooks`, `storage`, `replica`,
    /// `host`, `alerts`, `configuration`, `bypass`, `elevenlabs` or `threecx`.
    pub area: &'static str,
    /// Since when.
    pub since: At,
    /// What happened, in the words of the service that refused; bounded, without secrets and full numbers.
    pub words: String,
    /// What to do.
    pub remedy: &'static str,
    /// Failures within the window; zero where outcomes are not counted.
    pub failed: usize,
    /// Successes within the window.
    pub succeeded: usize,
    /// The last call that it happened to.
    pub call: Option<CallId>,
}

impl HealthProblem {
    /// A problem that is a state, not a count of outcomes.
    #[must_use]
    pub fn state(area: &'static str, since: At, words: &str) -> Self {
        let words = presentable(words);
        let remedy = remedy(area, &words);
        Self { area, since, words, remedy, failed: 0, succeeded: 0, call: None }
    }
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    at: At,
    call: Option<CallId>,
    failed: bool,
}

/// The outcomes of one area, oldest first.
#[derive(Debug, Default)]
struct History {
    outcomes: VecDeque<Outcome>,
    last_failure: Option<At>,
    words: String,
    /// When the first failure of the current problem happened.
    since: Option<At>,
}

/// What the probe of ElevenLabs found.
#[derive(Debug, Default)]
struct Probe {
    last_good: Option<At>,
    failing: Option<(At, String)>,
}

/// The outcomes of all areas. Memory: 64 outcomes and one text for each area, and 64 texts of calls.
#[derive(Debug, Default)]
pub struct Outcomes {
    histories: HashMap<Area, History>,
    /// Reasons that have no outcome yet.
    reasons: VecDeque<(Area, CallId, String)>,
    probe: Probe,
}

impl Outcomes {
    /// Keeps the words of a failure whose outcome follows: the provider's answer is known before the event of the
    /// call.
    pub fn reason(&mut self, area: Area, call: CallId, words: &str) {
        self.reasons.retain(|(of, whose, _)| (*of, *whose) != (area, call));
        if self.reasons.len() >= REASONS_MAX {
            self.reasons.pop_front();
        }
        self.reasons.push_back((area, call, presentable(words)));
    }

    /// Counts a success. A call that failed before in this area stays failed: a second attempt that succeeds does not
    /// undo the first.
    pub fn succeeded(&mut self, area: Area, call: Option<CallId>, now: At) {
        let has_failed = self.history_mut(area).of_call(call).is_some_and(|outcome| outcome.failed);
        if !has_failed {
            self.add(area, Outcome { at: now, call, failed: false });
        }
    }

    /// Counts a failure, once for each call. The reason of this call replaces `words`, if there is one.
    pub fn failed(&mut self, area: Area, call: Option<CallId>, words: &str, now: At) {
        let place = self.reasons.iter().position(|(of, whose, _)| *of == area && Some(*whose) == call);
        let reason = place.and_then(|place| self.reasons.remove(place)).map(|(_, _, words)| words);
        self.add(area, Outcome { at: now, call, failed: true });
        let history = self.history_mut(area);
        history.last_failure = Some(now);
        history.words = reason.unwrap_or_else(|| presentable(words));
    }

    /// As [`Self::failed`], for a failure that says nothing new: the words of the last failure stay, if the area is
    /// degraded already.
    pub fn failed_again(&mut self, area: Area, call: Option<CallId>, words: &str, now: At) {
        let history = self.history_mut(area);
        let words = if history.since.is_some() { history.words.clone() } else { words.to_owned() };
        self.failed(area, call, &words, now);
    }

    /// Takes the result of a probe of ElevenLabs; the words of a bad one.
    pub fn probed(&mut self, result: Result<(), &str>, now: At) {
        match result {
            Ok(()) => self.probe = Probe { last_good: Some(now), failing: None },
            Err(words) => {
                let since = self.probe.failing.as_ref().map_or(now, |(since, _)| *since);
                self.probe.failing = Some((since, presentable(words)));
            }
        }
    }

    /// The degraded areas at this time.
    #[must_use]
    pub fn problems(&self, now: At) -> Vec<HealthProblem> {
        let probe = self.probe.failing.as_ref();
        let probe = probe.map(|(since, words)| HealthProblem::state("elevenlabs", *since, words));
        let of_areas = Area::ALL.into_iter().filter_map(|area| self.problem(area, now));
        probe.into_iter().chain(of_areas).collect()
    }

    fn problem(&self, area: Area, now: At) -> Option<HealthProblem> {
        let history = self.histories.get(&area)?;
        let last = history.outcomes.back()?;
        if !history.is_degraded(area.rule()) || self.is_decayed(area, history, last.at, now) {
            return None;
        }
        let (failed, succeeded) = history.counts();
        let call = history.outcomes.iter().rev().find(|outcome| outcome.failed)?.call;
        Some(HealthProblem {
            area: area.name(),
            since: history.since.unwrap_or(last.at),
            words: history.words.clone(),
            remedy: remedy(area.name(), &history.words),
            failed,
            succeeded,
            call,
        })
    }

    /// No outcome for the length of the window, and where a provider can be probed, a good probe since the failure.
    fn is_decayed(&self, area: Area, history: &History, last: At, now: At) -> bool {
        let is_old = now.since(last) >= WINDOW;
        let is_answering = self.probe.failing.is_none() && self.probe.last_good > history.last_failure;
        is_old && (area.rule() != Rule::Work || is_answering)
    }

    fn add(&mut self, area: Area, outcome: Outcome) {
        let rule = area.rule();
        let history = self.history_mut(area);
        if outcome.call.is_some() {
            history.outcomes.retain(|known| known.call != outcome.call);
        }
        history.outcomes.retain(|known| outcome.at.since(known.at) < WINDOW);
        if history.outcomes.len() >= OUTCOMES_MAX {
            history.outcomes.pop_front();
        }
        history.outcomes.push_back(outcome);
        history.since = match history.since {
            _ if !history.is_degraded(rule) => None,
            Some(since) => Some(since),
            None => history.outcomes.iter().find(|outcome| outcome.failed).map(|outcome| outcome.at),
        };
    }

    fn history_mut(&mut self, area: Area) -> &mut History {
        self.histories.entry(area).or_default()
    }
}

impl History {
    fn of_call(&self, call: Option<CallId>) -> Option<&Outcome> {
        call.and_then(|call| self.outcomes.iter().find(|outcome| outcome.call == Some(call)))
    }

    fn counts(&self) -> (usize, usize) {
        let failed = self.outcomes.iter().filter(|outcome| outcome.failed).count();
        (failed, self.outcomes.len().saturating_sub(failed))
    }

    fn is_degraded(&self, rule: Rule) -> bool {
        let (failed, succeeded) = self.counts();
        match rule {
            Rule::Work => {
                let all = failed.saturating_add(succeeded);
                let last = self.outcomes.iter().rev().take(IN_A_ROW);
                let in_a_row = last.filter(|outcome| outcome.failed).count();
                let share = all >= SHARE_OF_MIN && failed.saturating_mul(2) >= all;
                failed > 0 && (succeeded == 0 || in_a_row == IN_A_ROW || share)
            }
            Rule::Refusals => self.is_refusing(),
        }
    }

    fn is_refusing(&self) -> bool {
        let refused = self.outcomes.iter().rev().take_while(|outcome| outcome.failed).count();
        let accepted = self.outcomes.iter().rev().find(|outcome| !outcome.failed).map(|outcome| outcome.at);
        let last = self.outcomes.back().map(|outcome| outcome.at);
        let for_long = accepted.zip(last).is_none_or(|(accepted, last)| last.since(accepted) >= REFUSED_FOR);
        refused >= REFUSALS_MIN && for_long
    }
}
