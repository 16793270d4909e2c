//! The key of a caller for budgets, voices and clone jobs.
//! Pure: no clock, no I/O, no actor.

use precall_base::phone_number::E164;

/// The account of callers that are managed by the API: precall has no account management yet.
pub(crate) const DEFAULT_ACCOUNT: &str = "default";

/// A caller of an account. The same number in two accounts is two callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey {
    /// `account_id` of the line.
    pub account: String,
    /// The caller as in database rows: E.164 or the extension.
    pub caller: String,
}

impl CallerKey {
    /// The caller for logs. A public number is masked, an extension is not.
    #[must_use]
    pub(crate) fn masked(&self) -> String {
        self.caller.parse::<E164>().map_or_else(|_| self.caller.clone(), |number| number.to_string())
    }

    /// The key of a caller in [`DEFAULT_ACCOUNT`].
    #[must_use]
    pub(crate) fn of_default_account(caller: &str) -> Self {
        Self { account: DEFAULT_ACCOUNT.to_owned(), caller: caller.to_owned() }
    }
}
