//! Tests of keypad.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use precall_call::At;

use super::{Entry, PAUSE, PinPad};
use crate::call::pin::Pin;

const START: At = At(1_700_000_000_000_000);

fn pin(digits: &str) -> Entry {
    Entry::Pin(Pin::parse(digits).unwrap())
}

/// Keys, half a second apart; a space is a pause.
fn typed(keys: &str) -> Vec<Entry> {
    let (mut pad, mut now, mut entries) = (PinPad::default(), START, Vec::new());
    for key in keys.chars() {
        if key == ' ' {
            now = now.plus(PAUSE);
            entries.extend(pad.waited(now));
            continue;
        }
        now = now.plus(PAUSE / 8);
        entries.extend(pad.waited(now));
        entries.extend(pad.pressed(key, now));
    }
    entries
}

#[test]
fn a_pin_ends_with_a_hash_its_twelfth_digit_or_a_pause() {
    assert_eq!(typed("4711#"), [pin("4711")]);
    assert_eq!(typed("4711 "), [pin("4711")]);
    assert_eq!(typed("471147114711"), [pin("471147114711")]);
    assert_eq!(typed("4711"), [], "who types may go on");
    assert_eq!(typed("4711#0815#"), [pin("4711"), pin("0815")]);
    assert_eq!(typed("4711471147110815#"), [pin("471147114711"), pin("0815")]);
}

#[test]
fn a_star_takes_back_what_was_typed() {
    assert_eq!(typed("99*4711#"), [pin("4711")]);
    assert_eq!(typed("4711*"), []);
}

#[test]
fn a_key_alone_keeps_its_meaning_and_a_slip_is_nothing() {
    assert_eq!(typed("0 "), [Entry::Key('0')]);
    assert_eq!(typed("0#"), [Entry::Key('0')]);
    assert_eq!(typed("*"), [Entry::Key('*')]);
    assert_eq!(typed("#"), [Entry::Key('#')]);
    assert_eq!(typed("12# 123 4711#"), [pin("4711")]);
    assert_eq!(typed("A4711B#"), [pin("4711")]);
}

#[test]
fn a_pause_ends_what_was_typed_though_nobody_looked_in_time() {
    let mut pad = PinPad::default();
    for key in "4711".chars() {
        assert_eq!(pad.pressed(key, START), []);
    }
    assert_eq!(pad.waited(START.plus(PAUSE / 2)), None);
    assert_eq!(pad.pressed('0', START.plus(PAUSE)), [pin("4711")]);
    assert!(!pad.is_empty());
    assert!(!format!("{pad:?}").contains('0'));
}
