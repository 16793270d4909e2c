//! The targets, by where their bytes come from. Each names what its parser promises besides not to fail.

pub(crate) mod agent;
pub(crate) mod files;
pub(crate) mod pbx;
pub(crate) mod people;
pub(crate) mod settings;
pub(crate) mod spool;
pub(crate) mod webhooks;

/// The first byte, and the rest.
fn choice(input: &[u8]) -> Option<(u8, &[u8])> {
    input.split_first().map(|(first, rest)| (*first, rest))
}

/// A text that PostgreSQL and a line of a log can hold.
#[track_caller]
fn is_plain(text: &str, bytes_max: usize) {
    assert!(text.len() <= bytes_max, "{} bytes, more than {bytes_max}", text.len());
    assert!(!text.chars().any(char::is_control), "a control character in {text:?}");
}
