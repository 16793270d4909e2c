//! Tests of keypad.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use precall_call::At;

use super::{ENTRY_PAUSE, PadEntry, PinPad};
use crate::call::pin::Pin;

const START: At = At(1_700_000_000_000_000);

fn pin(digits: &str) -> PadEntry {
    PadEntry::Pin(Pin::parse(digits).unwrap())
}

/// Presses keys half a second apart; a space is a pause.
fn typed(keys: &str) -> Vec<PadEntry> {
    let (mut pad, mut now, mut entries) = (PinPad::default(), START, Vec::new());
    for key in keys.chars() {
        if key == ' ' {
            now = now.plus(ENTRY_PAUSE);
            entries.extend(pad.expire(now));
            continue;
        }
        now = now.plus(ENTRY_PAUSE / 8);
        entries.extend(pad.expire(now));
        entries.extend(pad.press(key, now));
    }
    entries
}

#[test]
fn a_pin_ends_with_a_hash_the_twelfth_digit_or_a_pause() {
    assert_eq!(typed("4711#"), [pin("4711")]);
    assert_eq!(typed("4711 "), [pin("4711")]);
    assert_eq!(typed("471147114711"), [pin("471147114711")]);
    assert_eq!(typed("4711"), [], "the entry has not ended");
    assert_eq!(typed("4711#0815#"), [pin("4711"), pin("0815")]);
    assert_eq!(typed("4711471147110815#"), [pin("471147114711"), pin("0815")]);
}

#[test]
fn a_star_clears_the_entry() {
    assert_eq!(typed("99*4711#"), [pin("4711")]);
    assert_eq!(typed("4711*"), []);
}

#[test]
fn a_single_key_keeps_its_meaning_and_short_entries_are_dropped() {
    assert_eq!(typed("0 "), [PadEntry::Key('0')]);
    assert_eq!(typed("0#"), [PadEntry::Key('0')]);
    assert_eq!(typed("*"), [PadEntry::Key('*')]);
    assert_eq!(typed("#"), [PadEntry::Key('#')]);
    assert_eq!(typed("12# 123 4711#"), [pin("4711")]);
    assert_eq!(typed("A4711B#"), [pin("4711")]);
}

#[test]
fn a_pause_ends_the_entry_even_if_expire_was_not_called() {
    let mut pad = PinPad::default();
    for key in "4711".chars() {
        assert_eq!(pad.press(key, START), []);
    }
    assert_eq!(pad.expire(START.plus(ENTRY_PAUSE / 2)), None);
    assert_eq!(pad.press('0', START.plus(ENTRY_PAUSE)), [pin("4711")]);
    assert!(!pad.is_empty());
    assert!(!format!("{pad:?}").contains('0'));
}
