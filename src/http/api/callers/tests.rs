//! Tests of callers.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn a_cursor_leads_back_to_its_number() {
    assert_eq!(number_of_cursor(None).unwrap(), "");
    assert_eq!(number_of_cursor(Some(&URL_SAFE_NO_PAD.encode("+4930"))).unwrap(), "+4930");
    for cursor in ["!", "_w", "AA"] {
        assert_eq!(number_of_cursor(Some(cursor)).unwrap_err().code, Code::BadCursor, "{cursor}");
    }
}
