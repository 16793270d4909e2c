//! When a run is due, and how many runs failed in a row.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use precall_call::At;
use precall_store::canary::CanaryRun;

/// Runs that failed in a row make a problem. One may be chance, and is a line in the log.
const PROBLEM_FROM: u32 = 2;

/// When the next run is due; none without a schedule. `last`: when the schedule last began a run, in this process or in
/// an earlier one.
pub(super) fn next(every: Option<Duration>, last: Option<At>, now: At) -> Option<At> {
    let every = every?;
    let Some(last) = last else { return Some(now) };
    let due = last.plus(every);
    // A clock that was set back must not stop the schedule.
    Some(if due > now.plus(every) { now } else { due })
}

/// Runs that failed one after another. Skipped and interrupted runs prove nothing, and do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    failed: u32,
    since: Option<At>,
    words: String,
}

impl Streak {
    /// From stored runs, the newest first.
    pub(super) fn of(runs: &[CanaryRun]) -> Self {
        let mut streak = Self::default();
        for run in runs.iter().rev() {
            streak.take(run);
        }
        streak
    }

    /// A run ended.
    pub(super) fn take(&mut self, run: &CanaryRun) {
        match run.outcome.as_deref() {
            Some("passed") => *self = Self::default(),
            Some("failed") => {
                self.failed = self.failed.saturating_add(1);
                self.since.get_or_insert(run.started_at);
                self.words = format!(
                    "step {}: {}",
                    run.step.as_deref().unwrap_or("unknown"),
                    run.words.as_deref().unwrap_or("no reason given")
                );
            }
            Some(_) | None => {}
        }
    }

    /// How many.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// What needs a person, and since when.
    pub(super) fn problem(&self) -> Option<(At, String)> {
        let since = self.since.filter(|_| self.failed >= PROBLEM_FROM)?;
        Some((since, format!("{} test calls failed in a row, the last at {}", self.failed, self.words)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn run(second: i64, outcome: &str) -> CanaryRun {
        CanaryRun {
            id: uuid::Uuid::nil(),
            started_at: At(second * 1_000_000),
            ended_at: None,
            asked_by: None,
            route: "bridge".to_owned(),
            outcome: Some(outcome.to_owned()),
            step: (outcome == "failed").then(|| "agent".to_owned()),
            words: (outcome == "failed").then(|| "refused".to_owned()),
            steps: Vec::new(),
            call: None,
            agent_ms: None,
        }
    }

    #[test]
    fn the_schedule_goes_on_from_the_last_run() {
        let now = At(10_000_000_000);
        assert_eq!(next(None, None, now), None);
        assert_eq!(next(Some(MINUTE), None, now), Some(now), "the first run is due at once");
        let last = At(now.0 - 20_000_000);
        assert_eq!(next(Some(MINUTE), Some(last), now), Some(last.plus(MINUTE)));
        let ahead = now.plus(MINUTE * 60);
        assert_eq!(next(Some(MINUTE), Some(ahead), now), Some(now), "the clock was set back");
    }

    #[test]
    fn two_failures_in_a_row_are_a_problem_and_one_is_none() {
        let mut streak = Streak::of(&[run(1, "failed")]);
        assert_eq!(streak.problem(), None);
        for outcome in ["skipped", "interrupted"] {
            streak.take(&run(2, outcome));
        }
        assert_eq!(streak.failed(), 1);
        streak.take(&run(3, "failed"));
        let (since, words) = streak.problem().unwrap();
        assert_eq!(since, At(1_000_000), "since the first of them");
        assert!(words.contains("step agent: refused"), "{words}");
        streak.take(&run(4, "passed"));
        assert_eq!(streak, Streak::default());
    }

    #[test]
    fn stored_runs_give_the_same_streak() {
        let newest_first = [run(4, "failed"), run(3, "skipped"), run(2, "failed"), run(1, "passed")];
        assert_eq!(Streak::of(&newest_first).failed(), 2);
    }
}
