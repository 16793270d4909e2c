//! What several pages show. A state has a word, a shape and a colour; a time has its zone; an age has its unit.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

/// From this wait on a mailbox is marked.
pub(super) const SLOW_MAILBOX: Duration = Duration::from_millis(250);

/// How a light or a state looks. The style sheet has a shape and a colour for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Something waits, or works in part.
    Warn,
    /// Something is wrong.
    Bad,
    /// Nothing to judge.
    Quiet,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// A light with its words, such as "database ok".
pub(super) fn light(name: &str, tone: Tone, words: &str) -> Markup {
    html! { span class={ "light " (tone.class()) } data-light=(name) { (name) " " b { (words) } } }
}

/// A name of the engine in words: `voice_missing` is "voice missing".
pub(super) fn words(name: &str) -> String {
    // The log's name of an utterance: a line is a telephone line.
    if name == "line_spoken" { "utterance".to_owned() } else { name.replace('_', " ") }
}

/// A state of a call in words.
pub(super) fn state_words(name: &str) -> String {
    match name {
        "handing_off" => "handing over".to_owned(),
        "released" => "ended".to_owned(),
        name => words(name),
    }
}

/// The state of a call.
pub(super) fn state(name: &str) -> Markup {
    html! { span class={ "state s-" (name) } { (state_words(name)) } }
}

/// A moment in UTC. The script of the shell adds the local time as title.
pub(super) fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (at.strftime("%Y-%m-%d %H:%M:%S")) " UTC" } }
}

/// A duration in whole seconds, as `m:ss` or `h:mm:ss`.
pub(super) fn clock(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// An age in its largest unit: `8 s`, `12 min`, `3 h`, `5 d`.
pub(super) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_999 => format!("{} min", seconds / 60),
        seconds @ 6_000..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A short duration in milliseconds.
pub(super) fn millis(duration: Duration) -> String {
    match duration.as_millis() {
        0..=9 => format!("{:.1} ms", duration.as_secs_f64() * 1_000.0),
        millis => format!("{millis} ms"),
    }
}

/// Seconds in the unit that reads best: `2.5 ms`, `100 ms`, `35 s`.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", (seconds * 10_000.0).round() / 10.0) } else { format!("{seconds} s") }
}

/// A part of something as a bar, with its words. `part` is 0 to 1.
pub(super) fn bar(part: f64, words: &str) -> Markup {
    let width = format!("{:.1}", part.clamp(0.0, 1.0) * 100.0);
    html! {
        span .deadline {
            svg .bar-of viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                rect .track width="100" height="8" {}
                rect .done width=(width) height="8" {}
            }
            " " (words)
        }
    }
}

/// An action: a form that the script of the shell sends to the API after a confirmation. `confirm` is the question;
/// `fields` are inputs whose names are the fields of the JSON body.
pub(super) fn action(method: &str, path: &str, button: &str, confirm: &str, fields: &Markup) -> Markup {
    html! {
        form .action action=(path) data-method=(method) data-confirm=(confirm) {
            (fields)
            button type="submit" { (button) }
        }
    }
}

/// What a table shows when it has no row: what will appear, and how to make it appear.
pub(super) fn empty(text: &str) -> Markup {
    html! { p .empty { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_units() {
        for (seconds, shown) in
            [(-3, "0:00"), (9, "0:09"), (221, "3:41"), (3_600, "1:00:00"), (36_061, "10:01:01")]
        {
            assert_eq!(clock(seconds), shown);
        }
        for (seconds, shown) in
            [(0, "0 s"), (99, "99 s"), (100, "1 min"), (5_999, "99 min"), (6_000, "1 h"), (200_000, "2 d")]
        {
            assert_eq!(age(seconds), shown);
        }
        for (figure, words) in
            [(0.0025, "2.5 ms"), (0.1, "100 ms"), (1.0, "1 s"), (35.0, "35 s"), (2.5, "2.5 s")]
        {
            assert_eq!(super::seconds(figure), words);
        }
    }

    #[test]
    fn text_from_outside_stays_text() {
        let shown = state("<b>\"x").into_string();
        assert_eq!(shown, "<span class=\"state s-&lt;b&gt;&quot;x\">&lt;b&gt;&quot;x</span>");
    }
}
