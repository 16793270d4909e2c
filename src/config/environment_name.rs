//! Whether an installation serves real callers or one developer.

use super::value::words;

/// What the installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Real callers. Every webhook must be signed.
    Production,
    /// One developer's machine. Webhooks may be unsigned, and precall listens on loopback addresses only.
    Development,
}

words!(Environment,
    "production" => Environment::Production,
    "development" => Environment::Development,
);
