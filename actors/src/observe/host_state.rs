//! The state of the host, as far as precall depends on it: its clock, and how many files precall may have open.
//!
//! Pure: no clock, no I/O, no actor.

use precall_base::open_files::{self, Open};
use precall_call::At;

#[cfg(test)]
mod tests;

/// From here on the difference of the clocks is a problem: as `precall check` compares clocks.
const OFF_MIN: i64 = 5;
/// Below this the clocks agree again.
const AGREES: i64 = 2;
/// Descriptors are short when less than a tenth of them is left.
const SHORT_OF: u64 = 10;

/// What a look at the host showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Seconds by which the host's clock is ahead of precall's own.
    pub(crate) clock_ahead: i64,
    /// Highest number of open files; none if the system does not say.
    pub(crate) files_max: Option<u64>,
    pub(crate) files: Open,
}

/// What is new for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The host's clock was set, or stood still with the host.
    ClockOff,
    /// The clocks agree again.
    ClockAgrees,
    /// The descriptors are used up, or nearly.
    FilesShort,
    /// There are enough of them again.
    FilesEnough,
}

/// What was seen, and since when.
#[derive(Debug)]
pub(crate) struct HostState {
    live_calls: usize,
    clock: Option<(At, i64)>,
    short: Option<(At, String)>,
    /// The limit is too low for `MAX_LIVE_CALLS`.
    low: Option<(At, String)>,
}

impl HostState {
    /// Nothing was seen yet. `live_calls` is `MAX_LIVE_CALLS`.
    pub(crate) fn new(live_calls: usize) -> Self {
        Self { live_calls, clock: None, short: None, low: None }
    }

    /// Takes another `MAX_LIVE_CALLS`.
    pub(crate) fn set_live_calls(&mut self, live_calls: usize) {
        self.live_calls = live_calls;
    }

    pub(crate) fn look(&mut self, seen: Seen, now: At) -> Vec<News> {
        let mut news = Vec::new();
        let off = seen.clock_ahead.saturating_abs();
        let was_off = self.clock.is_some();
        let is_off = off >= if was_off { AGREES } else { OFF_MIN };
        let since = self.clock.map_or(now, |(since, _)| since);
        self.clock = is_off.then_some((since, seen.clock_ahead));
        if is_off != was_off {
            news.push(if is_off { News::ClockOff } else { News::ClockAgrees });
        }
        let was_short = self.short.is_some();
        self.short = self.shortage(seen).map(|words| (dated(self.short.as_ref(), now), words));
        if self.short.is_some() != was_short {
            news.push(if was_short { News::FilesEnough } else { News::FilesShort });
        }
        self.low = self.lowness(seen).map(|words| (dated(self.low.as_ref(), now), words));
        news
    }

    /// What needs a person, and since when.
    pub(crate) fn problems(&self) -> Vec<(At, String)> {
        let clock = self.clock.map(|(since, ahead)| (since, clock_words(ahead)));
        // One remedy for both: the shortage says more.
        let files = self.short.clone().or_else(|| self.low.clone());
        clock.into_iter().chain(files).collect()
    }

    fn shortage(&self, seen: Seen) -> Option<String> {
        let open = match (seen.files, seen.files_max) {
            (Open::UsedUp, Some(most)) => format!("all {most}"),
            (Open::UsedUp, None) => "all".to_owned(),
            (Open::Count(open), Some(most)) if most.saturating_sub(open) < most / SHORT_OF => {
                format!("{open} of {most}")
            }
            (Open::Count(_) | Open::Unknown, _) => return None,
        };
        let remedy = open_files::remedy(open_files::needed(self.live_calls));
        Some(format!(
            "{open} descriptors for open files are in use, without one no call can connect: {remedy}"
        ))
    }

    fn lowness(&self, seen: Seen) -> Option<String> {
        let (needed, most) = (open_files::needed(self.live_calls), seen.files_max?);
        (most < needed).then(|| {
            let remedy = open_files::remedy(needed);
            format!(
                "MAX_LIVE_CALLS={} needs {needed} open files, the limit is {most}: {remedy}",
                self.live_calls
            )
        })
    }
}

fn dated(before: Option<&(At, String)>, now: At) -> At {
    before.map_or(now, |(since, _)| *since)
}

fn clock_words(ahead: i64) -> String {
    let off = ahead.saturating_abs();
    let (host, own) = if ahead > 0 { ("ahead of", "behind") } else { ("behind", "ahead") };
    format!(
        "the host's clock is {off} s {host} precall's own clock: it was set while precall ran. No live call is \
         affected. Times of events are {own} by as much; the difference shrinks by 36 s an hour"
    )
}
