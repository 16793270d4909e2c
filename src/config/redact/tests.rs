//! What is shown is short, on one line, and masked.
use super::{masked, shown};

#[test]
fn numbers_are_masked_and_extensions_are_not() {
    assert_eq!(masked("+441632960961, 900"), "+**********61, 900");
    assert_eq!(masked("queue-12345"), "queue-12345");
}

#[test]
fn what_is_shown_is_short_and_on_one_line() {
    assert_eq!(shown("a\nb"), "a b");
    assert_eq!(shown(&"x".repeat(80)), format!("{}...", "x".repeat(60)));
    assert!(!shown("https://user:pass@example.com").contains("pass"));
}
