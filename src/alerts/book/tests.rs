//! When an alert opens, reminds and ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::time::Duration;

use precall_call::At;

use super::{Book, Turn};

const REMIND: Duration = Duration::from_secs(6 * 3_600);
/// A page after two minutes.
const PBX: &str = "PrecallPbxAway";
/// A ticket after two minutes.
const DATABASE: &str = "PrecallDatabaseAway";
/// A ticket at once.
const PANIC: &str = "PrecallPanicked";

fn minute(n: i64) -> At {
    At(1_764_000_000_000_000 + n * 60_000_000)
}

/// A book with a clock of its own.
struct Told {
    book: Book,
    minute: i64,
    is_quiet: bool,
    takes: bool,
}

impl Told {
    fn new() -> Self {
        Self { book: Book::default(), minute: 0, is_quiet: false, takes: true }
    }

    /// One look at this minute while these rules fire; what is sent.
    fn at(&mut self, minute: i64, firing: &[&str]) -> Vec<(&'static str, Turn)> {
        assert!(minute >= self.minute, "time goes on");
        self.minute = minute;
        let now = self::minute(minute);
        self.book.look(|rule| firing.contains(&rule.name).then(|| format!("at {minute}")), now);
        let due = self.book.due(REMIND, self.is_quiet, now);
        if self.takes {
            self.book.told(&due, now);
        }
        due.iter().map(|notice| (notice.rule.name, notice.turn)).collect()
    }

    /// The same, each minute up to this one.
    fn until(&mut self, minute: i64, firing: &[&str]) -> Vec<(&'static str, Turn)> {
        (self.minute + 1..=minute).flat_map(|minute| self.at(minute, firing)).collect()
    }
}

#[test]
fn an_alert_is_sent_once_reminded_and_resolved_once() {
    let mut told = Told::new();
    assert_eq!(told.until(2, &[PBX]), [], "it must hold for two minutes");
    assert_eq!(told.at(3, &[PBX]), [(PBX, Turn::Opened)]);
    assert_eq!(told.until(362, &[PBX]), []);
    assert_eq!(told.until(363, &[PBX]), [(PBX, Turn::Reminder)]);
    assert_eq!(told.until(722, &[PBX]), []);
    assert_eq!(told.until(730, &[PBX]), [(PBX, Turn::Reminder)]);
    assert_eq!(told.until(734, &[]), []);
    assert_eq!(told.until(736, &[]), [(PBX, Turn::Resolved)]);
    assert_eq!(told.until(2_000, &[]), []);
    assert_eq!(told.book.rows(), []);
}

#[test]
fn what_is_over_before_its_time_is_never_sent() {
    let mut told = Told::new();
    for n in 0..20 {
        assert_eq!(told.at(n, if n % 2 == 0 { &[PBX] } else { &[] }), [], "minute {n}");
    }
}

#[test]
fn an_alert_that_comes_and_goes_is_one() {
    let mut told = Told::new();
    assert_eq!(told.at(0, &[PANIC]), [(PANIC, Turn::Opened)]);
    for n in 1..60 {
        assert_eq!(told.at(n, if n % 4 == 0 { &[PANIC] } else { &[] }), [], "minute {n}");
    }
    assert_eq!(told.until(70, &[]), [(PANIC, Turn::Resolved)]);
    assert_eq!(told.at(71, &[PANIC]), [(PANIC, Turn::Opened)], "a new one");
}

#[test]
fn in_quiet_hours_only_pages_go_out() {
    let mut told = Told::new();
    told.is_quiet = true;
    assert_eq!(told.until(10, &[PBX, DATABASE]), [(PBX, Turn::Opened)]);
    assert_eq!(told.until(16, &[DATABASE]), [(PBX, Turn::Resolved)]);
    told.is_quiet = false;
    assert_eq!(told.at(17, &[DATABASE]), [(DATABASE, Turn::Opened)]);
}

#[test]
fn what_began_and_ended_in_quiet_hours_is_told_after_them_in_one_message() {
    let mut told = Told::new();
    told.is_quiet = true;
    assert_eq!(told.until(10, &[DATABASE]), []);
    assert_eq!(told.until(60, &[]), []);
    told.is_quiet = false;
    assert_eq!(told.at(61, &[]), [(DATABASE, Turn::Resolved)]);
    assert_eq!(told.at(62, &[]), []);
}

#[test]
fn a_reminder_waits_for_the_end_of_quiet_hours() {
    let mut told = Told::new();
    assert_eq!(told.until(3, &[DATABASE]), [(DATABASE, Turn::Opened)]);
    told.is_quiet = true;
    assert_eq!(told.until(500, &[DATABASE]), []);
    told.is_quiet = false;
    assert_eq!(told.at(501, &[DATABASE]), [(DATABASE, Turn::Reminder)]);
}

#[test]
fn what_no_channel_took_stays_due() {
    let mut told = Told::new();
    told.takes = false;
    assert_eq!(told.until(4, &[PBX]), [(PBX, Turn::Opened), (PBX, Turn::Opened)]);
    told.takes = true;
    assert_eq!(told.at(5, &[PBX]), [(PBX, Turn::Opened)]);
    assert_eq!(told.at(6, &[PBX]), []);
}

#[test]
fn a_restart_neither_sends_twice_nor_forgets() {
    let mut before = Told::new();
    assert_eq!(before.until(3, &[PBX]), [(PBX, Turn::Opened)]);
    let mut after = Told::new();
    after.minute = 10;
    after.book.restore(before.book.rows());
    // Some minutes pass until it is seen again that 3CX is away.
    assert_eq!(after.until(12, &[]), []);
    assert_eq!(after.until(20, &[PBX]), []);
    assert_eq!(after.book.rows()[0].opened_at, minute(3));
    let mut well = Told::new();
    well.minute = 20;
    well.book.restore(after.book.rows());
    assert_eq!(well.until(40, &[]), [(PBX, Turn::Resolved)]);
}

#[test]
fn what_was_opened_before_the_kept_rows_were_read_is_one_alert_with_them() {
    let mut before = Told::new();
    before.until(3, &[DATABASE]);
    let mut after = Told::new();
    after.minute = 10;
    after.takes = false;
    after.until(14, &[DATABASE]);
    after.takes = true;
    after.book.restore(before.book.rows());
    assert_eq!(after.at(15, &[DATABASE]), [], "it was told before the restart");
    assert_eq!(after.book.rows()[0].opened_at, minute(3));
}

#[test]
fn pages_come_first_and_words_are_bounded() {
    let mut book = Book::default();
    for n in 0..4 {
        book.look(|rule| [PBX, DATABASE, PANIC].contains(&rule.name).then(|| "x".repeat(5_000)), minute(n));
    }
    let due = book.due(REMIND, false, minute(4));
    assert_eq!(due.iter().map(|notice| notice.rule.name).collect::<Vec<_>>(), [PBX, PANIC, DATABASE]);
    assert!(due.iter().all(|notice| notice.words.len() == 600));
}

#[test]
fn a_row_of_a_rule_that_is_no_more_is_left_out() {
    let mut book = Book::default();
    let mut told = Told::new();
    told.at(0, &[PANIC]);
    let mut rows = told.book.rows();
    rows[0].rule = "PrecallSings".to_owned();
    book.restore(rows);
    assert_eq!(book.rows(), []);
}
