//! The rules: what fires, how bad it is, and for how long it must hold. They mean the same as
//! deploy/prometheus/alerts.yml where they have the same name.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use super::samples::{Samples, Series};

const MINUTE: Duration = Duration::from_secs(60);
const BOOK: &str = "docs/OPERATIONS.md#";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Needs a person in working hours.
    Ticket,
    /// Callers notice it now.
    Page,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// A rule.
pub(super) struct Rule {
    /// Its name, for ever.
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// So many minutes it must fire before an alert is opened.
    pub(super) minutes: u16,
    /// What is wrong, in a few words.
    pub(super) summary: &'static str,
    /// Section of docs/OPERATIONS.md.
    section: &'static str,
    /// Why it fires, in words; none if all is well.
    pub(super) fires: fn(&Seen<'_>) -> Option<String>,
}

impl Rule {
    /// The page of the documents that says what to do.
    pub(super) fn runbook(&self) -> String {
        format!("{BOOK}{}", self.section)
    }
}

/// A problem of `/health`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) area: &'static str,
    pub(super) words: String,
    pub(super) remedy: &'static str,
}

/// What the rules look at.
pub(super) struct Seen<'a> {
    pub(super) samples: &'a Samples,
    /// Why new calls are not taken; none if they are.
    pub(super) not_ready: Option<&'a str>,
    /// Everything that needs a person.
    pub(super) troubles: &'a [Trouble],
}

impl Seen<'_> {
    fn grown(&self, name: &str, minutes: u32, of: impl Fn(&Series) -> bool) -> f64 {
        let growth = self.samples.growth(name, MINUTE * minutes);
        growth.filter(|(series, _)| of(series)).map(|(_, count)| count).sum()
    }

    fn is_away(&self, service: &str) -> bool {
        let mut reachable = self.samples.now("precall_reachable_services");
        reachable.any(|(series, value)| series.label("service") == Some(service) && value == 0.0)
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.samples.now(name).map(|(_, value)| value).next()
    }

    /// The words of `/health` about these areas, or others if it has none.
    fn words(&self, areas: &[&str], otherwise: &str) -> String {
        let troubles = self.troubles.iter().filter(|trouble| areas.contains(&trouble.area));
        let words: Vec<&str> = troubles.map(|trouble| trouble.words.as_str()).collect();
        if words.is_empty() { otherwise.to_owned() } else { words.join("; ") }
    }
}

/// A whole number of things, in words.
fn some(count: f64, what: &str) -> String {
    format!("{count:.0} {what}")
}

/// Faults of precall and of those it depends on. Refusals by a rule are none.
fn is_fault(series: &Series) -> bool {
    let blamed = matches!(series.label("blame"), Some("provider" | "pbx" | "precall"));
    blamed && !matches!(series.label("cause"), Some("budget" | "dial_refused" | "loop"))
}

/// Areas of `/health` that a rule of their own speaks of.
const SPOKEN_OF: [&str; 5] = ["bypass", "canary", "threecx", "elevenlabs", "alerts"];

/// Every rule.
pub(super) static RULES: [Rule; 22] = [
    Rule {
        name: "PrecallTakesNoCalls",
        severity: Severity::Page,
        minutes: 2,
        summary: "New calls are not taken",
        section: "precall-never-gets-ready",
        fires: |seen| seen.not_ready.map(ToOwned::to_owned),
    },
    Rule {
        name: "PrecallCallersFail",
        severity: Severity::Page,
        minutes: 2,
        summary: "Many calls fail",
        section: "how-a-call-can-end",
        fires: |seen| {
            let all = seen.grown("precall_released_calls_total", 10, |_| true);
            let failed = seen.grown("precall_released_calls_total", 10, is_fault);
            (failed >= 3.0 && failed > 0.2 * all).then(|| {
                let words = seen.words(&["handoff", "greeting", "clone"], "`precall status` says why");
                format!("{failed:.0} of {all:.0} calls of ten minutes failed: {words}")
            })
        },
    },
    Rule {
        name: "PrecallCanaryFails",
        severity: Severity::Page,
        minutes: 0,
        summary: "Test calls fail",
        section: "the-canary",
        fires: |seen| {
            let failed = seen.value("precall_canary_failed_in_a_row_runs")?;
            (failed >= 2.0).then(|| seen.words(&["canary"], "`precall canary --last` says at which step"))
        },
    },
    Rule {
        name: "PrecallPbxAway",
        severity: Severity::Page,
        minutes: 2,
        summary: "3CX cannot be reached",
        section: "the-pbx-is-away",
        fires: |seen| {
            seen.is_away("threecx").then(|| seen.words(&["threecx"], "precall has no connection to the PBX"))
        },
    },
    Rule {
        name: "PrecallProviderAway",
        severity: Severity::Page,
        minutes: 5,
        summary: "ElevenLabs cannot be reached",
        section: "elevenlabs-fails",
        fires: |seen| {
            let otherwise = "callers get the fallback destination or an apology instead of the agent";
            seen.is_away("elevenlabs").then(|| seen.words(&["elevenlabs"], otherwise))
        },
    },
    Rule {
        name: "PrecallLateSound",
        severity: Severity::Page,
        minutes: 5,
        summary: "Callers wait in silence",
        section: "gaps-in-the-audio",
        fires: |seen| {
            let buckets = "precall_time_to_first_sound_seconds_bucket";
            let late = seen
                .samples
                .quantile(0.95, buckets, MINUTE * 10, |_| true)
                .filter(|seconds| *seconds > 2.0)?;
            Some(format!("one caller of twenty hears nothing for {late:.1} s after the leg was connected"))
        },
    },
    Rule {
        name: "PrecallLateAnswers",
        severity: Severity::Page,
        minutes: 5,
        summary: "Answers of the agent come late",
        section: "answers-of-the-agent-come-late",
        fires: |seen| {
            let late = |share: &str| {
                let is_its = |series: &Series| series.label("share") == Some(share);
                let answers = seen.grown("precall_turn_seconds_count", 10, is_its);
                let buckets = "precall_turn_seconds_bucket";
                let seconds = seen.samples.quantile(0.8, buckets, MINUTE * 10, is_its)?;
                (answers >= 10.0 && seconds > 2.5).then_some(seconds)
            };
            let shares = [("provider", "ElevenLabs"), ("precall", "precall")];
            let words: Vec<String> = shares
                .into_iter()
                .filter_map(|(share, who)| Some((late(share)?, who)))
                .map(|(seconds, who)| format!("{who} takes more than {seconds:.1} s for one answer of five"))
                .collect();
            (!words.is_empty()).then(|| words.join(", "))
        },
    },
    Rule {
        name: "PrecallDatabaseAway",
        severity: Severity::Ticket,
        minutes: 2,
        summary: "PostgreSQL cannot be reached",
        section: "the-database-is-away",
        fires: |seen| {
            let otherwise = "calls go on, and their events wait in the spool";
            seen.is_away("database").then(|| seen.words(&["storage"], otherwise))
        },
    },
    Rule {
        name: "PrecallSpoolFills",
        severity: Severity::Ticket,
        minutes: 5,
        summary: "The spool will be full soon",
        section: "the-disk-of-the-spool-is-full-or-too-small",
        fires: |seen| {
            let days = seen.value("precall_spool_left_days").filter(|days| *days < 0.25)?;
            Some(format!("without the database it is full in {:.1} hours", days * 24.0))
        },
    },
    Rule {
        name: "PrecallSpoolDiskSmall",
        severity: Severity::Ticket,
        minutes: 5,
        summary: "The disk of the spool is nearly full",
        section: "the-disk-of-the-spool-is-full-or-too-small",
        fires: |seen| {
            let free = seen.value("precall_spool_free_bytes").filter(|bytes| *bytes < 1e9)?;
            Some(format!("{:.0} MB are free on the disk of SPOOL_DIR", free / 1e6))
        },
    },
    Rule {
        name: "PrecallEventsWait",
        severity: Severity::Ticket,
        minutes: 1,
        summary: "Events wait to be stored",
        section: "the-database-is-slow",
        fires: |seen| {
            let queued = seen.value("precall_queued_events").filter(|queued| *queued > 1_000.0)?;
            Some(some(queued, "events are not durable yet"))
        },
    },
    Rule {
        name: "PrecallDatabaseFills",
        severity: Severity::Ticket,
        minutes: 60,
        summary: "The database reaches its limit in two weeks",
        section: "retention",
        fires: |seen| {
            let days = seen.value("precall_database_left_days").filter(|days| *days < 14.0)?;
            Some(format!("at the growth since the start DATABASE_MAX_GB is reached in {days:.0} days"))
        },
    },
    Rule {
        name: "PrecallAgentsLost",
        severity: Severity::Ticket,
        minutes: 5,
        summary: "Agents are lost in conversations",
        section: "elevenlabs-fails",
        fires: |seen| {
            let lost = seen.grown("precall_lost_agents_total", 30, |_| true);
            (lost >= 3.0).then(|| some(lost, "conversations of half an hour lost their agent"))
        },
    },
    Rule {
        name: "PrecallStreamsSilent",
        severity: Severity::Ticket,
        minutes: 5,
        summary: "Audio streams of 3CX fall silent",
        section: "a-connection-is-open-but-silent",
        fires: |seen| {
            let silent = seen.grown("precall_silent_streams_total", 30, |_| true);
            (silent >= 3.0).then(|| some(silent, "audio streams of half an hour were open but dead"))
        },
    },
    Rule {
        name: "PrecallPanicked",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "A part of precall panicked",
        section: "how-a-call-can-end",
        fires: |seen| {
            let panics = seen.grown("precall_panicked_jobs_total", 60, |_| true);
            (panics > 0.0).then(|| {
                format!("{panics:.0} in an hour; contained and started again. Please report the log lines")
            })
        },
    },
    Rule {
        name: "PrecallNoVoiceSlots",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "No voice slot is free",
        section: "no-voice-slots",
        fires: |seen| {
            let is_slot = |series: &Series| series.label("reason") == Some("no_slot");
            let missing = seen.grown("precall_voice_missing_calls_total", 60, is_slot);
            (missing > 0.0).then(|| some(missing, "calls of an hour got the fallback voice"))
        },
    },
    Rule {
        name: "PrecallBudgetNearlyUsed",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "A budget is nearly used up",
        section: "callers-are-refused-with-cause-budget",
        fires: |seen| {
            let ratios = seen.samples.now("precall_budget_used_ratio");
            let mut used: Vec<String> = ratios
                .filter(|(_, ratio)| *ratio > 0.8)
                .map(|(series, ratio)| {
                    format!("{} {:.0} %", series.label("budget").unwrap_or("a budget"), ratio * 100.0)
                })
                .collect();
            used.sort();
            (!used.is_empty()).then(|| used.join(", "))
        },
    },
    Rule {
        name: "PrecallWebhooksRefused",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "Webhooks are refused",
        section: "webhooks-are-401-or-403",
        fires: |seen| {
            let of = |webhook: &str| {
                seen.grown("precall_answered_webhooks_total", 15, |series| {
                    let outcome = series.label("outcome").unwrap_or_default();
                    series.label("webhook") == Some(webhook)
                        && (outcome.starts_with("signature_")
                            || matches!(outcome, "address_not_trusted" | "secret_wrong"))
                })
            };
            let refused = ["3cx", "postcall", "initiation"].map(|webhook| (webhook, of(webhook)));
            let refused = refused.iter().filter(|(_, count)| *count >= 3.0);
            let words: Vec<String> =
                refused.map(|(webhook, count)| format!("{webhook}: {count:.0} in 15 minutes")).collect();
            (!words.is_empty()).then(|| words.join(", "))
        },
    },
    Rule {
        name: "PrecallKeysGuessed",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "Somebody guesses API keys",
        section: "webhooks-are-401-or-403",
        fires: |seen| {
            let is_key = |series: &Series| series.label("outcome") == Some("unauthenticated");
            let guessed = seen.grown("precall_refused_api_requests_total", 10, is_key);
            (guessed > 60.0).then(|| some(guessed, "requests of ten minutes had no right API key"))
        },
    },
    Rule {
        name: "PrecallPinsGuessed",
        severity: Severity::Ticket,
        minutes: 0,
        summary: "Somebody guesses PINs",
        section: "why-there-is-no-cloned-voice",
        fires: |seen| {
            let wrong = seen.grown("precall_refused_pins_total", 60, |_| true);
            (wrong > 20.0).then(|| some(wrong, "wrong PINs in an hour"))
        },
    },
    Rule {
        name: "PrecallBypassForgotten",
        severity: Severity::Ticket,
        minutes: 720,
        summary: "The bypass is on for twelve hours",
        section: "bypass",
        fires: |seen| {
            let lines = seen.value("precall_bypassed_lines").filter(|lines| *lines > 0.0)?;
            Some(some(lines, "lines send new calls to the fallback destination"))
        },
    },
    Rule {
        name: "PrecallNeedsAPerson",
        severity: Severity::Ticket,
        minutes: 10,
        summary: "`precall status` has problems",
        section: "problems",
        fires: |seen| {
            // The database has a rule of its own while it is away.
            let is_storage = |area: &str| area == "storage" && seen.is_away("database");
            let others = seen
                .troubles
                .iter()
                .filter(|trouble| !SPOKEN_OF.contains(&trouble.area) && !is_storage(trouble.area));
            let words: Vec<String> = others
                .map(|trouble| format!("{}: {}. {}", trouble.area, trouble.words, trouble.remedy))
                .collect();
            (!words.is_empty()).then(|| words.join("\n"))
        },
    },
];

/// The rule of this name.
pub(super) fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests;
