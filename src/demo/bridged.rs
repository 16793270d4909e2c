//! Checks what callers on the bridge heard: by the recordings of the simulated PBX and the reports of the simulated
//! agent. The service says only which callers had to wait for their voice.

use std::fmt;

use jiff::Timestamp;
use precall_call::At;
use precall_simulators::elevenlabs::{Said, SessionReport};
use serde::Serialize;

use super::heartbeat::Stalls;
use super::percentiles::Percentiles;
use super::sounds::{GREETING_HZ, HOLD_HZ};
use super::tones::{Recording, Run};

#[cfg(test)]
mod tests;

/// The longest silence between greeting or music and the agent, in milliseconds.
const GAP_MS: u64 = 60;
/// The longest time from an interruption until the agent is silent, in milliseconds.
const SILENCED_MS: u64 = 200;
/// How long an interrupted agent is silent, so that a recording shows that it stopped; in milliseconds.
const QUIET_MS: u64 = 900;
/// The wait for a later answer is filled with music, in milliseconds.
const FILLED_MS: u64 = 2_500;

/// Which checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// All checks, those of gaps and delays too.
    Timing,
    /// What was heard and in which order, without timing: a busy machine causes gaps.
    OrderAlone,
}

/// All calls of the bridge.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bridged {
    /// Calls that were checked.
    pub calls: usize,
    /// Calls in which greeting, music and agent were heard in this order, and nothing else.
    pub in_order: usize,
    /// Calls in which music was heard before the agent.
    pub held: usize,
    /// Calls in which music filled the wait for an answer.
    pub filled: usize,
    /// Silence between greeting or music and the agent, milliseconds.
    pub gap_ms: Percentiles,
    /// The longest of them.
    pub longest_gap_ms: u64,
    /// From interruptions until the agent was not heard any more, milliseconds.
    pub silenced_ms: Percentiles,
    /// The longest of them.
    pub longest_silenced_ms: u64,
    /// The problems, a line each.
    pub problems: Vec<String>,
    /// Silences and delays while the machine was late, a line each.
    pub of_machine: Vec<String>,
}

/// What a caller hears between the greeting and the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// The voice was there in time.
    Nothing,
    /// The voice came later.
    Music,
    /// It came so close to the end of the greeting that both orders are right.
    Either,
}

impl Between {
    /// From when the voice was there, in milliseconds after the greeting's end.
    pub(super) fn of(voice_after_greeting_ms: f64) -> Self {
        const CLOSE_MS: f64 = 500.0;
        if voice_after_greeting_ms.abs() < CLOSE_MS {
            Self::Either
        } else if voice_after_greeting_ms > 0.0 {
            Self::Music
        } else {
            Self::Nothing
        }
    }
}

/// A conversation as the simulated agent reports it.
pub(super) struct Conversed {
    /// The agent's tone; none if it did not begin.
    hz: Option<u32>,
    opened_at: Option<Timestamp>,
    said: Vec<Said>,
    violations: u64,
    heard_ms: u64,
}

impl From<&SessionReport> for Conversed {
    fn from(talk: &SessionReport) -> Self {
        Self {
            hz: talk.tone_hz,
            opened_at: talk.opened_at.parse().ok(),
            said: talk.said.clone(),
            violations: talk.violation_count,
            heard_ms: talk.user_audio.sound_ms,
        }
    }
}

/// One call, as seen from outside the service.
pub(super) struct Listened {
    pub(super) name: String,
    pub(super) recording: Recording,
    /// When the recording begins.
    pub(super) began: Option<Timestamp>,
    pub(super) talks: Vec<Conversed>,
    /// What the caller should hear between greeting and agent.
    pub(super) between: Between,
}

/// The result of one call.
#[derive(Debug, Default)]
struct Verdict {
    held: bool,
    filled: bool,
    gap_ms: Option<u64>,
    silenced_ms: Vec<u64>,
    out_of_order: Vec<String>,
    late: Vec<Late>,
}

/// A silence or a delay that is too long.
#[derive(Debug)]
struct Late {
    what: String,
    /// When, in milliseconds of the recording.
    from: u64,
    to: u64,
}

impl Bridged {
    /// Checks these calls.
    pub(super) fn of(calls: &[Listened], judge: Judge, stalls: &Stalls) -> Self {
        let (mut all, mut gaps, mut silenced) = (Self::default(), Vec::new(), Vec::new());
        for call in calls {
            let verdict = call.judged();
            all.calls = all.calls.saturating_add(1);
            all.in_order = all.in_order.saturating_add(usize::from(verdict.out_of_order.is_empty()));
            all.held = all.held.saturating_add(usize::from(verdict.held));
            all.filled = all.filled.saturating_add(usize::from(verdict.filled));
            gaps.extend(verdict.gap_ms);
            silenced.extend(&verdict.silenced_ms);
            let named = |problem: String| format!("{}: {problem}", call.name);
            all.problems.extend(verdict.out_of_order.into_iter().map(named));
            let late = if judge == Judge::Timing { verdict.late } else { Vec::new() };
            for late in late {
                let is_of_machine = call.at(late.from).zip(call.at(late.to));
                let is_of_machine = is_of_machine.is_some_and(|(from, to)| stalls.explain(from, to));
                let found = if is_of_machine { &mut all.of_machine } else { &mut all.problems };
                found.push(named(late.what));
            }
        }
        Self {
            gap_ms: Percentiles::of(gaps.iter().copied()),
            longest_gap_ms: gaps.into_iter().max().unwrap_or(0),
            silenced_ms: Percentiles::of(silenced.iter().copied()),
            longest_silenced_ms: silenced.into_iter().max().unwrap_or(0),
            ..all
        }
    }

    /// Whether every caller heard what they should.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.calls > 0 && self.problems.is_empty()
    }
}

impl Listened {
    /// The time of a moment of the recording, in milliseconds of it.
    fn at(&self, ms: u64) -> Option<At> {
        let began = self.began?.as_microsecond();
        Some(At(began.saturating_add(i64::try_from(ms).ok()?.saturating_mul(1_000))))
    }

    fn judged(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let [talk] = self.talks.as_slice() else {
            verdict.out_of_order.push(format!("{} conversations with the agent", self.talks.len()));
            return verdict;
        };
        let Some(agent) = talk.hz else {
            verdict.out_of_order.push("the conversation did not begin".to_owned());
            return verdict;
        };
        let runs = self.recording.runs(&[agent, GREETING_HZ, HOLD_HZ]);
        // The notice has a voice's tone, which may be the agent's.
        let runs: Vec<Run> = runs.into_iter().skip_while(|run| run.hz == agent).collect();
        self.judge_order(agent, &runs, &mut verdict);
        self.judge_gap(agent, &runs, &mut verdict);
        for said in &talk.said {
            self.judge_interruption(agent, talk, said, &mut verdict);
        }
        if talk.violations > 0 {
            verdict
                .out_of_order
                .push(format!("the service broke the agent's contract {} times", talk.violations));
        }
        if talk.heard_ms == 0 {
            verdict.out_of_order.push("the agent did not hear the caller".to_owned());
        }
        verdict
    }

    fn judge_order(&self, agent: u32, runs: &[Run], verdict: &mut Verdict) {
        let heard: Vec<u32> = runs.iter().map(|run| run.hz).collect();
        let first = heard.iter().position(|hz| *hz == agent).unwrap_or(heard.len());
        let (before, after) = heard.split_at(first);
        verdict.held = before.contains(&HOLD_HZ);
        let is_right = match self.between {
            Between::Nothing => before == [GREETING_HZ],
            Between::Music => before == [GREETING_HZ, HOLD_HZ],
            Between::Either => before == [GREETING_HZ] || before == [GREETING_HZ, HOLD_HZ],
        };
        if !is_right {
            let expected = self.between;
            verdict.out_of_order.push(format!("before the agent: {before:?} Hz in place of {expected:?}"));
        }
        let stalls = self.stalls();
        verdict.filled = stalls && after.contains(&HOLD_HZ);
        if stalls && !verdict.filled {
            verdict.out_of_order.push("nothing filled the wait for an answer".to_owned());
        }
        let may_be_heard = |hz: &u32| *hz == agent || (stalls && *hz == HOLD_HZ);
        if after.is_empty() || !after.iter().all(may_be_heard) {
            verdict.out_of_order.push(format!("after the agent ({agent} Hz) began: {after:?} Hz"));
        }
    }

    /// Whether the agent kept the caller waiting for an answer.
    fn stalls(&self) -> bool {
        let said: Vec<&Said> = self.talks.iter().flat_map(|talk| &talk.said).collect();
        said.windows(2).any(|pair| match pair {
            [one, next] => {
                let over = one.began_after_ms.saturating_add(one.length_ms);
                one.interrupted_after_ms.is_none() && next.began_after_ms.saturating_sub(over) > FILLED_MS
            }
            _ => false,
        })
    }

    fn judge_gap(&self, agent: u32, runs: &[Run], verdict: &mut Verdict) {
        let Some(pair) = runs.windows(2).find(|pair| pair.last().is_some_and(|run| run.hz == agent)) else {
            return;
        };
        if let [before, first] = pair {
            let gap = self.recording.longest_silence(before.to.saturating_sub(100), first.from + 100);
            verdict.gap_ms = Some(gap);
            if gap >= GAP_MS {
                let what = format!("{gap} ms of silence before the agent's first sound");
                verdict.late.push(Late { what, from: before.to.saturating_sub(100), to: first.from + 100 });
            }
        }
    }

    fn judge_interruption(&self, agent: u32, talk: &Conversed, said: &Said, verdict: &mut Verdict) {
        let Some(after) = said.interrupted_after_ms else { return };
        let (Some(opened), Some(began)) = (talk.opened_at, self.began) else {
            return verdict.out_of_order.push("an interruption has no time".to_owned());
        };
        let opened = opened.as_millisecond().saturating_sub(began.as_millisecond());
        let at = u64::try_from(opened).unwrap_or(0).saturating_add(after);
        let silenced = self.recording.last_heard(agent, at, at + QUIET_MS);
        verdict.silenced_ms.push(silenced);
        if silenced > SILENCED_MS {
            let what = format!("the interrupted agent was heard for {silenced} ms more");
            verdict.late.push(Late { what, from: at, to: at + silenced });
        }
    }
}

impl fmt::Display for Bridged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on the bridge:")?;
        writeln!(f, "  heard in their order     {} of {}", self.in_order, self.calls)?;
        writeln!(f, "  music before the agent   {}, music for a late answer {}", self.held, self.filled)?;
        writeln!(f, "  silence before the agent {} (longest {} ms)", self.gap_ms, self.longest_gap_ms)?;
        write!(
            f,
            "  silenced after           {} (longest {} ms)",
            self.silenced_ms, self.longest_silenced_ms
        )?;
        for problem in &self.problems {
            write!(f, "\n  WRONG {problem}")?;
        }
        for late in &self.of_machine {
            write!(f, "\n  while the machine was late: {late}")?;
        }
        Ok(())
    }
}
