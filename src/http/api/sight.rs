//! What a key may see: numbers and words of callers, or masks of them.

use actix_web::HttpResponse;
use precall_base::phone_number::E164;
use precall_base::redact::hide;
use serde_json::Value;
use uuid::Uuid;

use crate::config::{Principal, Scope};
use crate::http::audit_trail;

/// What a key may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// No number and nothing that was said.
    Masked,
    /// Everything: scope `pii`.
    Whole,
}

impl Sight {
    pub(crate) fn of(principal: &Principal) -> Self {
        let may_see = principal.scopes.allow(Scope::Pii) && !principal.wants_masks;
        if may_see { Self::Whole } else { Self::Masked }
    }

    /// A number, an extension, or what a PBX wrote in place of one. Extensions are not personal.
    pub(crate) fn number(self, text: String) -> String {
        match self {
            Self::Whole => text,
            Self::Masked => match text.parse::<E164>() {
                Ok(number) => number.to_string(),
                Err(_) => hide(&text).into_owned(),
            },
        }
    }

    /// Personal data other than a number: what was said, or where a recording is.
    pub(crate) fn personal<T>(self, data: Option<T>) -> Option<T> {
        data.filter(|_| self == Self::Whole)
    }
}

/// The answer to a look. If the key may see personal data, the look gets an audit row.
pub(crate) fn seen(
    principal: &Principal,
    answer: HttpResponse,
    action: &'static str,
    subject: Option<Uuid>,
    detail: impl Into<Option<Value>>,
) -> HttpResponse {
    match Sight::of(principal) {
        Sight::Masked => answer,
        Sight::Whole => audit_trail::seen(answer, action, subject, detail),
    }
}

#[cfg(test)]
mod tests {
    //! Tests of what a key may see.

    use super::Sight::{Masked, Whole};

    #[test]
    fn numbers_are_masked_and_extensions_are_not() {
        for (number, shown) in [
            ("+4915112345678", "+49*****678"),
            ("0151 12345678", "*****678"),
            ("101", "101"),
            ("anonymous", "anonymous"),
            ("erased", "erased"),
        ] {
            assert_eq!(Masked.number(number.to_owned()), shown);
            assert_eq!(Whole.number(number.to_owned()), number);
        }
        assert_eq!((Masked.personal(Some("words")), Whole.personal(Some("words"))), (None, Some("words")));
    }
}
