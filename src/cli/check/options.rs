//! How to check.

use std::time::Duration;

/// Time limit of one request.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// How to check.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Time limit of one request.
    pub within: Duration,
    /// Whether to ask 3CX. Its answer is a new access token, and a running precall then needs a new one too.
    pub threecx: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { within: REQUEST_WITHIN, threecx: true }
    }
}
