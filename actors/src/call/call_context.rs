//! Identity of a call: its ids, numbers and line. No rule depends on it; only the call's own rows and dials may show
//! it.

use std::sync::Arc;

use precall_base::phone_number::CallerNumber;
use precall_call::CallId;

use crate::call::line::Line;
use crate::caller_key::CallerKey;

/// Identity of one call, shared by its actors.
#[derive(Debug)]
pub struct CallContext {
    /// precall's id.
    pub id: CallId,
    /// The name of the PBX.
    pub pbx: String,
    /// The PBX's id.
    pub threecx_call_id: Option<String>,
    /// The caller's number.
    pub caller: CallerNumber,
    /// The called number, as stored.
    pub called: Option<String>,
    /// The line that was called.
    pub line: Arc<Line>,
    /// Whether it is a test call of precall itself. It counts in no statistic, budget or limit.
    pub canary: bool,
}

impl CallContext {
    /// The caller's number as stored: E.164, or the extension.
    #[must_use]
    pub fn caller_id(&self) -> Option<&str> {
        stored_number(&self.caller)
    }

    /// The caller's key for voices and budgets. `None` without a number.
    #[must_use]
    pub fn caller_key(&self) -> Option<CallerKey> {
        let caller = self.caller_id()?.to_owned();
        Some(CallerKey { account: self.line.account.clone(), caller })
    }
}

/// A number as stored: E.164, or the extension.
#[must_use]
pub fn stored_number(number: &CallerNumber) -> Option<&str> {
    match number {
        CallerNumber::Public(e164) => Some(e164.as_e164()),
        CallerNumber::Internal(extension) => Some(extension.as_str()),
        CallerNumber::Withheld | CallerNumber::Unreadable => None,
    }
}
