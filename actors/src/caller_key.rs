//! The key of a caller for budgets, voices and clone jobs.
//! Pure: no clock, no I/O, no actor.

/// The account of all lines: precall has no account management yet.
pub const DEFAULT_ACCOUNT: &str = "default";

/// A caller of an account. The same number in two accounts is two callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey {
    /// `account_id` of the line.
    pub account: String,
    /// The caller as in database rows: E.164 or the extension.
    pub caller: String,
}

impl CallerKey {
    /// The key of a caller in [`DEFAULT_ACCOUNT`].
    #[must_use]
    pub fn of_default_account(caller: &str) -> Self {
        Self { account: DEFAULT_ACCOUNT.to_owned(), caller: caller.to_owned() }
    }
}
