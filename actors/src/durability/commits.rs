//! The last commits of events: how long they took, and how many events they had.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;
use std::time::Duration;

use precall_call::At;

/// The last commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitView {
    /// All commits since the start.
    pub commits: u64,
    /// When the last one was done.
    pub last: Option<At>,
    /// Events of the last commit.
    pub batch: usize,
    /// Most events of one of the last commits.
    pub batch_max: usize,
    /// The median of the last commits.
    pub p50: Duration,
    /// 99 of 100 of the last commits took no longer.
    pub p99: Duration,
}

/// Commits that the figures are about.
const KEPT: usize = 512;

/// The last commits, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    all: u64,
    last: Option<At>,
    kept: VecDeque<(Duration, usize)>,
}

impl Commits {
    /// One more commit, done at `now`.
    pub(crate) fn done(&mut self, took: Duration, entries: usize, now: At) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((took, entries));
        self.all = self.all.saturating_add(1);
        self.last = Some(now);
    }

    pub(crate) fn view(&self) -> CommitView {
        let mut times: Vec<Duration> = self.kept.iter().map(|(took, _)| *took).collect();
        times.sort_unstable();
        let at = |percent: usize| {
            let place = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
            times.get(place).copied().unwrap_or_default()
        };
        CommitView {
            commits: self.all,
            last: self.last,
            batch: self.kept.back().map_or(0, |(_, entries)| *entries),
            batch_max: self.kept.iter().map(|(_, entries)| *entries).max().unwrap_or(0),
            p50: at(50),
            p99: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_about_the_last_commits() {
        let mut commits = Commits::default();
        assert_eq!(commits.view(), CommitView::default());
        for n in 0..1_000_u32 {
            let millis = u64::from(n % 100) + 1;
            commits.done(Duration::from_millis(millis), usize::try_from(n).unwrap_or(0), At(i64::from(n)));
        }
        let view = commits.view();
        assert_eq!((view.commits, view.last, view.batch, view.batch_max), (1_000, Some(At(999)), 999, 999));
        assert!(
            (45..=55).contains(&view.p50.as_millis()) && view.p99 >= Duration::from_millis(98),
            "{view:?}"
        );
        assert_eq!(commits.kept.len(), KEPT);
    }
}
