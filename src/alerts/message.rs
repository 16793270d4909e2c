//! What a message says: a subject and a text for people, JSON for programs. One message has everything that is due.
//!
//! Pure: no clock, no I/O, no actor.

use std::fmt::Write as _;

use jiff::Timestamp;
use precall_base::redact::hide;
use precall_call::At;
use serde::Serialize;

use super::book::{Notice, Turn};

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(super) subject: String,
    pub(super) text: String,
    /// JSON.
    pub(super) body: String,
}

/// The body of the webhook.
#[derive(Serialize)]
struct Body<'a> {
    installation: &'a str,
    version: &'static str,
    sent_at: Option<Timestamp>,
    alerts: Vec<Alert>,
}

#[derive(Serialize)]
struct Alert {
    name: &'static str,
    severity: &'static str,
    status: &'static str,
    summary: &'static str,
    words: String,
    opened_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    runbook: String,
}

fn time(at: At) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}

fn minute(at: At) -> String {
    time(at).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// The message about these alerts; none if there are none. `now` is the time of the host's clock.
pub(super) fn of(notices: &[Notice], installation: &str, now: At) -> Option<Message> {
    let first = notices.first()?;
    let mut subject = format!("[{installation}] {}", headline(first));
    if let Some(more) = notices.len().checked_sub(1).filter(|more| *more > 0) {
        let _ = write!(subject, " (and {more} more)");
    }
    let mut text = String::new();
    for notice in notices {
        let _ = writeln!(text, "{}", headline(notice));
        for line in hide(&notice.words).lines() {
            let _ = writeln!(text, "  {line}");
        }
        let _ = write!(
            text,
            "  {} ({}), since {}",
            notice.rule.name,
            notice.rule.severity.name(),
            minute(notice.opened_at)
        );
        if let Some(ended) = notice.ended_at {
            let _ = write!(text, ", until {}", minute(ended));
        }
        let _ = writeln!(text, "\n  What to do: {}\n", notice.rule.runbook());
    }
    let _ = writeln!(text, "precall {}, installation {installation}", env!("CARGO_PKG_VERSION"));
    let alerts = notices.iter().map(|notice| Alert {
        name: notice.rule.name,
        severity: notice.rule.severity.name(),
        status: notice.turn.name(),
        summary: notice.rule.summary,
        words: hide(&notice.words).into_owned(),
        opened_at: time(notice.opened_at),
        ended_at: notice.ended_at.and_then(time),
        runbook: notice.rule.runbook(),
    });
    Some(Message { subject, text, body: body(installation, now, alerts.collect()) })
}

/// The message of `precall alerts test`.
pub(crate) fn test(installation: &str, now: At) -> Message {
    let subject = format!("[{installation}] Test of precall's alerts");
    let text = "This is a test. Nothing is wrong: somebody ran `precall alerts test`.\n".to_owned();
    Message { subject, text, body: body(installation, now, Vec::new()) }
}

fn body(installation: &str, now: At, alerts: Vec<Alert>) -> String {
    let body = Body { installation, version: env!("CARGO_PKG_VERSION"), sent_at: time(now), alerts };
    serde_json::to_string(&body).unwrap_or_default()
}

fn headline(notice: &Notice) -> String {
    let summary = notice.rule.summary;
    match notice.turn {
        Turn::Opened => summary.to_owned(),
        Turn::Reminder => format!("Still: {summary}"),
        Turn::Resolved => format!("Over: {summary}"),
    }
}

#[cfg(test)]
mod tests;
