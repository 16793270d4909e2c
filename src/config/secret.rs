//! A value that is never printed: printing it shows its length only.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// A key, password or shared secret. Neither `Debug` nor `Display` shows it.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The text, for the code that sends or checks it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its length in characters, the only fact that may be shown.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set ({} characters)", self.length())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Compares in constant time, so that the time tells nothing about the content.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests;
