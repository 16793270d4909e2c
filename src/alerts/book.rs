//! One open alert a rule: when it opens, when people are reminded, when it ends. The caller says what time it is.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::BTreeMap;
use std::time::Duration;

use precall_call::At;
use precall_store::alerts::AlertRow;

use super::rules::{RULES, Rule, Severity, rule};

/// An alert ends when its rule did not fire for this time. After a restart some rules need minutes until they see what
/// they saw before.
const FINE_FOR: Duration = Duration::from_secs(300);
/// Longest words of an alert.
const WORDS_MAX: usize = 600;

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alert {
    opened_at: At,
    /// When a message about it was last sent.
    told_at: Option<At>,
    /// Since when its rule does not fire.
    fine_since: Option<At>,
    ended_at: Option<At>,
    words: String,
}

/// What a message says of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    /// It is still open.
    Reminder,
    Resolved,
}

impl Turn {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Opened => "open",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert, as a message says it.
#[derive(Clone)]
pub(super) struct Notice {
    pub(super) rule: &'static Rule,
    pub(super) turn: Turn,
    pub(super) opened_at: At,
    pub(super) ended_at: Option<At>,
    pub(super) words: String,
}

/// The pending and open alerts.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Since when a rule fires that has no open alert.
    pending: BTreeMap<&'static str, At>,
    alerts: BTreeMap<&'static str, Alert>,
}

impl Book {
    /// Takes what each rule says now: why it fires, or nothing.
    pub(super) fn look(&mut self, says: impl Fn(&'static Rule) -> Option<String>, now: At) {
        for rule in &RULES {
            match says(rule) {
                Some(words) => self.fires(rule, words, now),
                None => {
                    self.pending.remove(rule.name);
                    if let Some(alert) = self.alerts.get_mut(rule.name) {
                        let since = *alert.fine_since.get_or_insert(now);
                        if now.since(since) >= FINE_FOR {
                            alert.ended_at.get_or_insert(since);
                        }
                    }
                }
            }
        }
    }

    fn fires(&mut self, rule: &'static Rule, words: String, now: At) {
        let words: String = words.chars().take(WORDS_MAX).collect();
        if let Some(alert) = self.alerts.get_mut(rule.name) {
            // It fires again before its end was told: it is the same alert.
            alert.fine_since = None;
            alert.ended_at = None;
            alert.words = words;
            return;
        }
        let since = *self.pending.entry(rule.name).or_insert(now);
        if now.since(since) >= Duration::from_secs(u64::from(rule.minutes).saturating_mul(60)) {
            self.pending.remove(rule.name);
            let alert = Alert { opened_at: now, told_at: None, fine_since: None, ended_at: None, words };
            self.alerts.insert(rule.name, alert);
        }
    }

    /// What is to be told now, the most serious first. In quiet hours only pages are.
    pub(super) fn due(&self, remind_after: Duration, is_quiet: bool, now: At) -> Vec<Notice> {
        let mut due: Vec<Notice> = self
            .alerts
            .iter()
            .filter_map(|(name, alert)| {
                let rule = rule(name)?;
                let turn = match (alert.ended_at, alert.told_at) {
                    (Some(_), _) => Turn::Resolved,
                    (None, None) => Turn::Opened,
                    (None, Some(told)) if now.since(told) >= remind_after => Turn::Reminder,
                    (None, Some(_)) => return None,
                };
                let waits = is_quiet && rule.severity < Severity::Page;
                let (opened_at, ended_at, words) = (alert.opened_at, alert.ended_at, alert.words.clone());
                (!waits).then_some(Notice { rule, turn, opened_at, ended_at, words })
            })
            .collect();
        due.sort_by_key(|notice| (std::cmp::Reverse(notice.rule.severity), notice.opened_at));
        due
    }

    /// These were told.
    pub(super) fn told(&mut self, notices: &[Notice], now: At) {
        for notice in notices {
            match notice.turn {
                Turn::Opened | Turn::Reminder => {
                    if let Some(alert) = self.alerts.get_mut(notice.rule.name) {
                        alert.told_at = Some(now);
                    }
                }
                Turn::Resolved => {
                    self.alerts.remove(notice.rule.name);
                }
            }
        }
    }

    /// The rows to keep.
    pub(super) fn rows(&self) -> Vec<AlertRow> {
        let row = |(name, alert): (&&'static str, &Alert)| AlertRow {
            rule: (*name).to_owned(),
            opened_at: alert.opened_at,
            told_at: alert.told_at,
            ended_at: alert.ended_at,
            words: alert.words.clone(),
        };
        self.alerts.iter().map(row).collect()
    }

    /// Takes over the kept rows. Of an alert that is in both, the older beginning counts, and the later message.
    pub(super) fn restore(&mut self, rows: Vec<AlertRow>) {
        for row in rows {
            // A rule that is no more.
            let Some(rule) = rule(&row.rule) else { continue };
            self.pending.remove(rule.name);
            let kept = Alert {
                opened_at: row.opened_at,
                told_at: row.told_at,
                fine_since: row.ended_at,
                ended_at: row.ended_at,
                words: row.words,
            };
            let known = self.alerts.remove(rule.name);
            let alert = match known {
                Some(known) => Alert {
                    opened_at: known.opened_at.min(kept.opened_at),
                    told_at: known.told_at.max(kept.told_at),
                    ..known
                },
                None => kept,
            };
            self.alerts.insert(rule.name, alert);
        }
    }
}

#[cfg(test)]
mod tests;
