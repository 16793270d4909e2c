//! Tests of page.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use jiff::Timestamp;
use precall_store::reads::call_list::Place;
use uuid::Uuid;

use super::{Page, cursor_of_place, limit, place_of_cursor, seq_of_cursor};
use crate::http::error::Code;

#[test]
fn a_cursor_leads_back_to_its_place() {
    for micros in [0, -5, 1_764_425_485_123_456] {
        let place = Place { started_at: Timestamp::from_microsecond(micros).unwrap(), id: Uuid::now_v7() };
        assert_eq!(place_of_cursor(Some(&cursor_of_place(&place))).unwrap(), place);
    }
    assert_eq!(place_of_cursor(None).unwrap(), Place::FIRST);
    assert_eq!(place_of_cursor(Some("")).unwrap(), Place::FIRST);
}

#[test]
fn other_text_is_not_a_cursor() {
    let time_without_calendar = "f_________8AAAAAAAAAAAAAAAAAAAAA";
    for cursor in ["x", "AAAA", "!", time_without_calendar, &"A".repeat(400)] {
        assert_eq!(place_of_cursor(Some(cursor)).unwrap_err().code, Code::BadCursor, "{cursor}");
    }
    for cursor in ["-1", "x", "99999999999999999999"] {
        assert_eq!(seq_of_cursor(Some(cursor)).unwrap_err().code, Code::BadCursor);
    }
    assert_eq!(seq_of_cursor(Some("12")).unwrap(), 12);
}

#[test]
fn the_extra_row_only_makes_a_cursor() {
    let page = |rows: Vec<u8>| Page::cut(rows, 2, |row| row.to_string(), |row| row);
    assert_eq!((page(vec![1, 2]).items, page(vec![1, 2]).next_cursor), (vec![1, 2], None));
    let more = page(vec![1, 2, 3]);
    assert_eq!((more.items, more.next_cursor.as_deref()), (vec![1, 2], Some("2")));
}

#[test]
fn the_limit_has_a_range() {
    assert_eq!(limit(None).unwrap(), 50);
    assert_eq!(limit(Some(200)).unwrap(), 200);
    assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
}
