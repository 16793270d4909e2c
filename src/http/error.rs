//! Every problem of the HTTP server: code, status and title in one table. Internal faults show no detail to clients.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use precall_actors::api::Busy;
use precall_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::openapi::names::{components, list};
use crate::signature::SignatureError;

/// The media type of every problem (RFC 9457).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Defines each code with its name, status and title.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// What is wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name for clients.
            #[must_use]
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status.
            #[must_use]
            pub(crate) fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// A sentence for people.
            #[must_use]
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    /// Not JSON, or nested too deeply.
    BadJson = "bad_json", 400, "The body is not valid JSON";
    /// A field is missing or has a wrong value.
    BadField = "bad_field", 400, "A field is missing or wrong";
    /// The body has neither the PBX's call id nor a caller.
    NoCall = "no_call", 400, "The body names no call";
    /// An event of 3CX that precall does not know.
    UnknownEventType = "unknown_event_type", 400, "The event type is not known";
    /// The connection failed before the end of the body.
    BodyBroken = "body_broken", 400, "The body is incomplete";
    /// A query parameter is wrong.
    BadQuery = "bad_query", 400, "The query is wrong";
    /// The cursor was not made by precall.
    BadCursor = "bad_cursor", 400, "The cursor is not valid";
    /// The number is not in E.164.
    BadNumber = "bad_number", 400, "The number is not in E.164";
    /// The API key is missing or unknown.
    Unauthenticated = "unauthenticated", 401, "An API key is required";
    /// The signature header is missing.
    SignatureMissing = "signature_missing", 401, "The signature is missing";
    /// The signature header cannot be read.
    SignatureMalformed = "signature_malformed", 401, "The signature cannot be read";
    /// The signature's time is outside the window.
    SignatureExpired = "signature_expired", 401, "The signature is too old or from the future";
    /// The signature does not match the body and the secret.
    SignatureWrong = "signature_wrong", 401, "The signature is wrong";
    /// The header of the initiation webhook is missing or wrong.
    SecretWrong = "secret_wrong", 401, "The secret is missing or wrong";
    /// The scope of the key is too low.
    Forbidden = "forbidden", 403, "The API key does not allow this";
    /// A WebSocket of a web page that is neither precall's nor in `CORS_ORIGINS`.
    OriginNotAllowed = "origin_not_allowed", 403, "This web page may not connect";
    /// The sender's address is not in the list of trusted addresses.
    AddressNotTrusted = "address_not_trusted", 403, "The sender's address is not trusted";
    /// The path does not exist.
    NotFound = "not_found", 404, "There is nothing at this path";
    /// No call has this id.
    CallNotFound = "call_not_found", 404, "There is no such call";
    /// No caller has this number.
    CallerNotFound = "caller_not_found", 404, "There is no such caller";
    /// The caller is mapped to a sample that does not exist.
    SampleNotFound = "sample_not_found", 404, "The caller's sample does not exist";
    /// No speaker has this id, or the speaker is erased.
    SpeakerNotFound = "speaker_not_found", 404, "There is no such speaker";
    /// No API key of the database has this id.
    KeyNotFound = "key_not_found", 404, "There is no such API key";
    /// The number has no line, or the line has no such version.
    LineNotFound = "line_not_found", 404, "There is no such line, or no such version of it";
    /// No webhook has this id.
    WebhookNotFound = "webhook_not_found", 404, "There is no such webhook";
    /// The path does not support this method.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body came too slowly.
    BodyTimeout = "body_timeout", 408, "The body came too slowly";
    /// The webhook was readable when it came, or it was replayed before.
    NotQuarantined = "not_quarantined", 409, "The webhook is not quarantined";
    /// The webhook is still unreadable.
    StillUnreadable = "still_unreadable", 409, "The webhook still cannot be read";
    /// The call of the webhook is too old to start.
    CallerGone = "caller_gone", 409, "The call is too old to be started";
    /// Another API key has or had this name.
    NameTaken = "name_taken", 409, "The name is taken";
    /// The caller has a live call.
    CallerIsLive = "caller_is_live", 409, "The caller has a live call";
    /// The call has ended.
    CallNotLive = "call_not_live", 409, "The call has ended";
    /// The call has done that, or cannot do it in its state.
    NotPossible = "not_possible", 409, "The call cannot do that now";
    /// `SUPERVISION` is off, or was when the call came in, or its notice does not mention it.
    SupervisionOff = "supervision_off", 409, "Supervision is off for this call";
    /// The caller did not hear the notice to its end.
    NoticeNotHeard = "notice_not_heard", 409, "The caller has not heard the notice yet";
    /// precall has no audio of the caller's leg.
    NotBridged = "not_bridged", 409, "The caller does not hear precall on a leg of their own";
    /// No agent is connected with the caller on the bridge.
    NotConversing = "not_conversing", 409, "No agent is talking with the caller";
    /// The call, or the installation, has its limit of listeners.
    TooManyListeners = "too_many_listeners", 409, "Too many listen already";
    /// A test call is under way.
    CanaryBusy = "canary_busy", 409, "A test call is under way";
    /// Test calls are not configured.
    CanaryOff = "canary_off", 409, "Test calls are not configured";
    /// `SAMPLE_PLAYBACK` is off.
    PlaybackOff = "playback_off", 409, "Samples are not played here";
    /// Several calls have this id.
    SeveralCalls = "several_calls", 409, "Several calls have this id";
    /// `If-Match` or `If-None-Match` does not hold.
    ChangedMeanwhile = "changed_meanwhile", 412, "It is not as the client expects: read it again";
    /// The same request with the same `Idempotency-Key` is being carried out.
    RequestRunning = "request_running", 409, "This request is being carried out";
    /// The `Idempotency-Key` was used for another request.
    KeyOfAnother = "key_of_another", 422, "The Idempotency-Key was used for another request";
    /// The configuration that was read again is wrong.
    ConfigRefused = "config_refused", 422, "The configuration is wrong, nothing was changed";
    /// The body is above its limit.
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    /// The body is compressed, or in another content coding.
    UnsupportedCoding = "unsupported_coding", 415, "The body must not be in a content coding";
    /// The range begins behind the end.
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range is not within the content";
    /// No voice can be cloned from the sample, or it is no recording.
    SampleRefused = "sample_refused", 422, "The sample cannot be used";
    /// The request is no WebSocket handshake.
    UpgradeRequired = "upgrade_required", 426, "This path is a WebSocket";
    /// The source is above its rate or its connections.
    TooManyFromSource = "too_many_from_source", 429, "Too many requests from this address";
    /// The source has sent too many wrong API keys.
    TooManyWrongKeys = "too_many_wrong_keys", 429, "Too many wrong API keys from this address";
    /// The key has its limit of event streams open.
    TooManyStreams = "too_many_streams", 429, "Too many event streams with this API key";
    /// A fault of precall. Its log has the details.
    Internal = "internal", 500, "precall has an internal error";
    /// `MAX_LIVE_CALLS` is reached.
    AtCapacity = "at_capacity", 503, "The limit of live calls is reached";
    /// Neither database nor spool can store the data.
    CannotKeep = "cannot_keep", 503, "precall cannot store data at the moment";
    /// The data was not stored in time.
    NotInTime = "not_in_time", 503, "The data was not stored in time";
    /// The folder or bucket of samples cannot be read or written.
    SamplesUnreachable = "samples_unreachable", 503, "precall cannot reach its samples at the moment";
    /// precall is shutting down.
    Draining = "draining", 503, "precall is shutting down";
    /// ElevenLabs does not response.
    ProviderUnreachable = "provider_unreachable", 503, "ElevenLabs cannot be reached";
    /// The database cannot be reached.
    DatabaseUnreachable = "database_unreachable", 503, "The database cannot be reached";
    /// The database did not answer in time.
    DatabaseSlow = "database_slow", 503, "The database did not answer in time";
    /// The limit of large bodies, uploads, plays or event streams is reached.
    TooManyAtOnce = "too_many_at_once", 503, "Too many requests of this kind at once";
}

/// The outcome of a request for the metrics: a status word or the code of the problem. Stored in the extensions of the
/// response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome(pub(crate) &'static str);

/// By how much the time of a refused signature is off, in words. Stored in the extensions of the response. The answer
/// says it as well: it tells no more than the header `Date` that every answer has.
#[derive(Clone, Debug)]
pub(crate) struct ClockOff(pub(crate) String);

/// An error response (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong.
    pub(crate) code: Code,
    /// Details for people. Never contains secrets, numbers or internals.
    pub(crate) detail: Cow<'static, str>,
    /// The calls that have the id of the request, newest first; else empty.
    pub(crate) candidates: Vec<Uuid>,
}

impl Problem {
    /// A problem with its own detail.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), candidates: Vec::new() }
    }

    /// A problem whose detail is its title.
    #[must_use]
    pub(crate) fn of(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// Several calls have the id of the request, newest first.
    #[must_use]
    pub(crate) fn several_calls(calls: &[Uuid]) -> Self {
        let detail = "the id is of several calls: use one of `candidates`, the newest is the first";
        Self { candidates: calls.to_vec(), ..Self::new(Code::SeveralCalls, detail) }
    }

    /// With `several_calls`: the calls, newest first.
    pub(crate) fn candidates(&self) -> &[Uuid] {
        &self.candidates
    }

    /// Seconds until a retry makes sense. Every 429 and 503 has them.
    #[must_use]
    pub(crate) fn retry_after(&self) -> Option<&'static str> {
        match self.code {
            Code::NotInTime | Code::TooManyFromSource => Some("1"),
            Code::AtCapacity | Code::TooManyAtOnce | Code::TooManyStreams | Code::DatabaseSlow => Some("2"),
            Code::CannotKeep
            | Code::SamplesUnreachable
            | Code::DatabaseUnreachable
            | Code::ProviderUnreachable => Some("5"),
            Code::Draining => Some("10"),
            Code::TooManyWrongKeys => Some("60"),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

components! {
    /// The stable name of a problem.
    ProblemCode = list(Code::ALL.iter().map(|code| code.name()));
}

/// The JSON of a problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:precall:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(
        rename = "type",
        example = "urn:precall:problem:call_not_found",
        max_length = 64,
        pattern = "^urn:precall:problem:[a-z_]+$"
    )]
    kind: String,
    /// The same for every problem of this code.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// The stable name for clients.
    #[schema(value_type = ProblemCode)]
    code: &'a str,
    /// With `several_calls`: precall's ids of the calls, newest first.
    #[serde(skip_serializing_if = "<[Uuid]>::is_empty")]
    #[schema(max_items = 11)]
    candidates: &'a [Uuid],
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.code == Code::Unauthenticated {
            response.insert_header((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"precall\""),
            ));
        }
        let mut response = response.body(self.body());
        response.extensions_mut().insert(Outcome(self.code.name()));
        if self.code == Code::SignatureExpired {
            response.extensions_mut().insert(ClockOff(self.detail.clone().into_owned()));
        }
        response
    }
}

impl Problem {
    /// The problem as JSON.
    #[must_use]
    pub(crate) fn body(&self) -> String {
        let body = ProblemBody {
            kind: format!("urn:precall:problem:{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.name(),
            candidates: &self.candidates,
        };
        // Serialising strings and a number cannot fail.
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
        match error {
            SignatureError::Missing => Self::of(Code::SignatureMissing),
            SignatureError::Malformed => Self::of(Code::SignatureMalformed),
            SignatureError::TooOld { .. } | SignatureError::TooNew { .. } => {
                Self::new(Code::SignatureExpired, error.to_string())
            }
            SignatureError::Wrong => Self::of(Code::SignatureWrong),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of(match error {
            // `Superseded` happens to writers only, and ends the process.
            StoreError::Unavailable(_) | StoreError::Superseded => Code::DatabaseUnreachable,
            StoreError::TooSlow => Code::DatabaseSlow,
            StoreError::Refused(_)
            | StoreError::Unusable(_)
            | StoreError::Unreadable(_)
            | StoreError::Schema(_) => Code::Internal,
        })
    }
}

#[cfg(test)]
mod tests;
