//! Tests of the bypass.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::time::Duration;

use super::*;

fn row(line: &str, is_on: bool, changed_at: i64) -> BypassRow {
    let (reason, who) = ("the agent is broken".to_owned(), "anna".to_owned());
    BypassRow { line: line.to_owned(), is_on, until: None, reason, who, changed_at: At(changed_at) }
}

#[test]
fn a_bypass_covers_its_line_or_every_line_until_it_is_over() {
    let bypass = Bypass::default();
    let (one, two) = (LineId::new("+4930"), LineId::new("default"));
    let covers = || (bypass.covers(&one), bypass.covers(&two));
    assert!(bypass.take(vec![row("+4930", true, 1)]));
    assert_eq!(covers(), (true, false));
    bypass.take(vec![row("", true, 2), row("+4930", false, 2)]);
    assert_eq!(covers(), (true, true), "every line is every line");
    bypass.take(vec![row("", false, 3)]);
    assert_eq!((covers(), bypass.in_force()), ((false, false), vec![]));
    let soon = clock::wall().plus(Duration::from_secs(60));
    bypass.take(vec![BypassRow { until: Some(soon), ..row("", true, 4) }]);
    assert_eq!(covers(), (true, true));
    bypass.take(vec![BypassRow { until: Some(clock::wall()), ..row("", true, 5) }]);
    assert_eq!(covers(), (false, false), "its time is over");
}

#[test]
fn the_newest_word_counts_wherever_it_was_said() {
    let bypass = Bypass::default();
    assert!(bypass.take(vec![row("", true, 5)]));
    assert!(!bypass.take(vec![row("", false, 4)]) && !bypass.take(vec![row("", false, 5)]));
    assert!(bypass.covers(&LineId::new("default")));
    assert!(bypass.take(vec![row("", false, 6)]));
    bypass.restore("", Some(row("", true, 5)));
    assert!(bypass.covers(&LineId::new("default")));
    bypass.restore("", None);
    assert!(bypass.all().is_empty());
}
