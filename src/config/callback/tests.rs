//! Own numbers.
use precall_base::phone_number::Region;

use super::own_number;

#[test]
fn own_numbers_are_brought_to_one_form() {
    let britain: Option<Region> = "GB".parse().ok();
    assert!(britain.is_some());
    assert!(own_number("+44 1632 960961", None).is_some());
    assert_eq!(own_number("01632 960961", britain), own_number("+44 1632 960961", None));
    assert!(own_number("900", None).is_some());
    assert_eq!(own_number("01632960961", None), None);
    assert_eq!(own_number("reception", britain), None);
}
