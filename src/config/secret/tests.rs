//! Secrets are never shown.
use super::Secret;

#[test]
fn printing_a_secret_shows_only_its_length() {
    let secret = Secret::new("hunter2-and-more");
    assert_eq!(format!("{secret}"), "set (16 characters)");
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert!(!format!("{:#?}", Some(&secret)).contains("hunter2"));
}

#[test]
fn equal_text_is_equal() {
    assert_eq!(Secret::new("a"), Secret::new("a"));
    assert_ne!(Secret::new("a"), Secret::new("ab"));
}
