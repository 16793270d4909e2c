//! The digits that a search for a number uses.

use super::*;

#[test]
fn a_search_uses_the_digits_that_every_spelling_of_a_number_has() {
    assert_eq!(digits_of("+12025550123").as_deref(), Some("25550123"));
    assert_eq!(digits_of("+49301234567").as_deref(), Some("01234567"));
    assert_eq!(digits_of("+493012345"), None, "too short: it would match everywhere");
    assert_eq!(digits_of("101"), None);
}
