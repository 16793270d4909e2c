//! The one table of what can be wrong with an exchange: code, status, title. Our own trouble never says more than that.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use precall_actors::api::Busy;
use precall_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::signature::SignatureError;

/// The media type of every problem (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Gives every code its name, status and title, in one place.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// What was wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that clients may rely on.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The status of the answer.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// What people read.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    /// Not JSON, or too deeply nested to be meant.
    BadJson = "bad_json", 400, "The body is not usable JSON";
    /// A field is missing or cannot be what it should be.
    BadField = "bad_field", 400, "A field is missing or wrong";
    /// Neither the PBX's id of the call nor a caller.
    NoCall = "no_call", 400, "The body names no call";
    /// An event of 3CX that precall does not know.
    UnknownEventType = "unknown_event_type", 400, "The event type is not known";
    /// The body ended before it should, or was not readable.
    BodyBroken = "body_broken", 400, "The body did not arrive whole";
    /// A parameter of the query cannot be read.
    BadQuery = "bad_query", 400, "The query is wrong";
    /// The cursor is not one that we gave.
    BadCursor = "bad_cursor", 400, "The cursor is not one of ours";
    /// Not a number in E.164.
    BadNumber = "bad_number", 400, "The number is not in E.164";
    /// No key, or one that is not known.
    Unauthenticated = "unauthenticated", 401, "An API key is required";
    /// The signature header is missing.
    SignatureMissing = "signature_missing", 401, "The signature is missing";
    /// The signature header cannot be read.
    SignatureMalformed = "signature_malformed", 401, "The signature cannot be read";
    /// The signature is of another time.
    SignatureExpired = "signature_expired", 401, "The signature is too old or of the future";
    /// The signature is of another body or secret.
    SignatureWrong = "signature_wrong", 401, "The signature is wrong";
    /// The header of the initiation webhook is missing or wrong.
    SecretWrong = "secret_wrong", 401, "The secret is missing or wrong";
    /// The key does not allow it.
    Forbidden = "forbidden", 403, "The API key does not allow this";
    /// The sender's address is not in the list.
    AddressNotTrusted = "address_not_trusted", 403, "The sender's address is not trusted";
    /// There is nothing there.
    NotFound = "not_found", 404, "There is nothing at this path";
    /// No call has this id.
    CallNotFound = "call_not_found", 404, "There is no such call";
    /// Nobody is known by this number.
    CallerNotFound = "caller_not_found", 404, "There is no such caller";
    /// No speaker has this id, or the one who had it is erased.
    SpeakerNotFound = "speaker_not_found", 404, "There is no such speaker";
    /// No webhook has this id.
    WebhookNotFound = "webhook_not_found", 404, "There is no such webhook";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body came too slowly.
    BodyTimeout = "body_timeout", 408, "The body came too slowly";
    /// It could be read when it came, or was replayed before.
    NotQuarantined = "not_quarantined", 409, "The webhook is not quarantined";
    /// Nobody can read it still.
    StillUnreadable = "still_unreadable", 409, "The webhook still cannot be read";
    /// What it asks for makes no sense any more.
    CallerGone = "caller_gone", 409, "The caller of that time is gone";
    /// A call of this caller goes on.
    CallerIsLive = "caller_is_live", 409, "A call of this caller goes on";
    /// The call is over.
    CallNotLive = "call_not_live", 409, "The call is over";
    /// The body is larger than it may be.
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    /// No voice can be made of it.
    SampleRefused = "sample_refused", 422, "The sample cannot be used";
    /// Our fault.
    Internal = "internal", 500, "Something is wrong here";
    /// As many calls as are allowed are live.
    AtCapacity = "at_capacity", 503, "As many calls as are allowed are live";
    /// What would be acknowledged cannot be kept.
    CannotKeep = "cannot_keep", 503, "Nothing can be kept at the moment";
    /// It was not durable in time.
    NotInTime = "not_in_time", 503, "It was not kept in time";
    /// The folder or the bucket of samples does not take it.
    SamplesUnreachable = "samples_unreachable", 503, "Samples cannot be kept at the moment";
    /// The program is being stopped.
    Draining = "draining", 503, "The program is being stopped";
    /// The provider cannot be asked.
    ProviderUnreachable = "provider_unreachable", 503, "The provider cannot be asked";
    /// The database cannot be read.
    DatabaseUnreachable = "database_unreachable", 503, "The database cannot be reached";
    /// The database took too long.
    DatabaseSlow = "database_slow", 503, "The database did not answer in time";
    /// As many large bodies or streams as are allowed are open.
    TooManyAtOnce = "too_many_at_once", 503, "Too much of this is going on at once";
    /// One source asks for more than its share.
    TooManyFromSource = "too_many_from_source", 503, "Too much comes from this address";
}

/// What became of an exchange: the status of the answer or the code of the problem. Travels in the answer's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Outcome(pub &'static str);

/// Why a request has no other answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was wrong.
    pub code: Code,
    /// More of it, for people; never quotes secrets, numbers or our inside.
    pub detail: Cow<'static, str>,
}

impl Problem {
    /// A problem with a sentence of its own.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// A problem whose title says all.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { code, detail: Cow::Borrowed(code.title()) }
    }

    /// Seconds after which it makes sense to try again: every 503 says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<&'static str> {
        match self.code {
            Code::NotInTime | Code::TooManyFromSource => Some("1"),
            Code::AtCapacity | Code::TooManyAtOnce | Code::DatabaseSlow => Some("2"),
            Code::CannotKeep
            | Code::SamplesUnreachable
            | Code::DatabaseUnreachable
            | Code::ProviderUnreachable => Some("5"),
            Code::Draining => Some("10"),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

/// A problem as it is sent (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `urn:precall:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "urn:precall:problem:call_not_found")]
    kind: String,
    /// The same for every problem of this code.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What was wrong this time.
    detail: &'a str,
    /// What clients may rely on.
    #[schema(example = "call_not_found")]
    code: &'a str,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponseBuilder::new(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        if let Some(seconds) = self.retry_after() {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.code == Code::Unauthenticated {
            answer.insert_header((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"precall\""),
            ));
        }
        let mut answer = answer.body(self.body());
        answer.extensions_mut().insert(Outcome(self.code.name()));
        answer
    }
}

impl Problem {
    /// The JSON of it.
    #[must_use]
    pub fn body(&self) -> String {
        let body = ProblemBody {
            kind: format!("urn:precall:problem:{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.name(),
        };
        // A struct of strings and a number cannot fail to be written.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::of(match busy {
            Busy::AtCapacity => Code::AtCapacity,
            Busy::CannotKeep => Code::CannotKeep,
            Busy::TooSlow => Code::NotInTime,
            Busy::Draining => Code::Draining,
        })
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        Self::of(match error {
            SignatureError::Missing => Code::SignatureMissing,
            SignatureError::Malformed => Code::SignatureMalformed,
            SignatureError::TooOld | SignatureError::TooNew => Code::SignatureExpired,
            SignatureError::Wrong => Code::SignatureWrong,
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of(match error {
            // Only writers hear of it, and this process ends.
            StoreError::Unavailable(_) | StoreError::Superseded => Code::DatabaseUnreachable,
            StoreError::TooSlow => Code::DatabaseSlow,
            StoreError::Refused(_) | StoreError::Unreadable(_) | StoreError::Schema(_) => Code::Internal,
        })
    }
}

#[cfg(test)]
mod tests;
