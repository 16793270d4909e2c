//! Who a call is: everything about it that no rule depends on, and that only this call's own rows and dials may show.

use std::sync::Arc;

use precall_base::phone_number::CallerNumber;
use precall_call::CallId;

use crate::call::line::Line;
use crate::caller_key::CallerKey;

/// Shared by a call's actors.
#[derive(Debug)]
pub struct CallContext {
    /// Our id.
    pub id: CallId,
    /// Which PBX.
    pub pbx: String,
    /// The PBX's id.
    pub threecx_call_id: Option<String>,
    /// Who rang.
    pub caller: CallerNumber,
    /// What was called, as it is stored.
    pub called: Option<String>,
    /// The line.
    pub line: Arc<Line>,
}

impl CallContext {
    /// The caller as rows name one: E.164, or the extension.
    #[must_use]
    pub fn caller_id(&self) -> Option<&str> {
        stored_number(&self.caller)
    }

    /// The caller's key of voices and budgets; none without a number.
    #[must_use]
    pub fn caller_key(&self) -> Option<CallerKey> {
        let caller = self.caller_id()?.to_owned();
        Some(CallerKey { account: self.line.account.clone(), caller })
    }
}

/// A number as rows name it.
#[must_use]
pub fn stored_number(number: &CallerNumber) -> Option<&str> {
    match number {
        CallerNumber::Public(e164) => Some(e164.as_e164()),
        CallerNumber::Internal(extension) => Some(extension.as_str()),
        CallerNumber::Withheld | CallerNumber::Unreadable => None,
    }
}
