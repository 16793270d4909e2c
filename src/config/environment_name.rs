//! Whether an installation serves real callers or one developer.

use super::value::words;

/// What the installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Real callers: everything is signed.
    Production,
    /// One developer's machine: unsigned webhooks are possible, and only loopback is bound.
    Development,
}

words!(Environment, "production or development",
    "production" => Environment::Production,
    "development" => Environment::Development,
);
