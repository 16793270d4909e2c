//! Errors of S3 requests, with a hint for the administrator.

use precall_base::redact::redact;
use roxmltree::Document;

use crate::http_exchange::{Failure, FailureKind, Response};

/// Longest error code of Amazon.
const CODE_CHARS_MAX: usize = 40;

/// A failed request. Never names the object: object names often contain a telephone number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// The object does not exist.
    #[error("the object does not exist")]
    Missing,
    /// The bucket does not exist.
    #[error("the bucket does not exist: correct S3_BUCKET_NAME, S3_REGION or S3_ENDPOINT")]
    NoBucket,
    /// The store rejects the keys.
    #[error(
        "the store rejects the keys ({0}): \
         check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and their permissions on the bucket"
    )]
    Refused(String),
    /// The bucket is in another region.
    #[error("the bucket is in another region (status {0}): correct S3_REGION or S3_ENDPOINT")]
    Elsewhere(u16),
    /// The object is larger than the caller's limit.
    #[error("the object is too large")]
    TooLarge,
    /// No connection, or it broke.
    #[error("the store cannot be reached ({0})")]
    Unreachable(String),
    /// Any other status.
    #[error("the store answers with status {status} ({code})")]
    Status {
        /// HTTP status.
        status: u16,
        /// The store's error code, or `no code`.
        code: String,
    },
    /// The response cannot be parsed.
    #[error("the store's answer cannot be parsed")]
    Garbled,
}

impl S3Error {
    /// The error of a response that is not 2xx.
    pub(super) fn of_answer(answer: &Response) -> Self {
        let code = code_of(&answer.body);
        match (answer.status, code.as_str()) {
            (404, "NoSuchBucket") => Self::NoBucket,
            (404, _) => Self::Missing,
            (401 | 403, "") => Self::Refused(format!("status {}", answer.status)),
            (401 | 403, _) => Self::Refused(code),
            (301 | 302 | 307 | 308, _) => Self::Elsewhere(answer.status),
            (400, "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError") => {
                Self::Elsewhere(answer.status)
            }
            (status, "") => Self::Status { status, code: "no code".to_owned() },
            (status, _) => Self::Status { status, code },
        }
    }

    /// Whether a retry may succeed without a change of the set-up.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Garbled => true,
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 409 | 429),
            Self::Missing | Self::NoBucket | Self::Refused(_) | Self::Elsewhere(_) | Self::TooLarge => false,
        }
    }
}

impl From<Failure> for S3Error {
    fn from(failed: Failure) -> Self {
        match failed.kind {
            FailureKind::Garbled if failed.status.is_some_and(|status| status < 300) => Self::TooLarge,
            FailureKind::Garbled => Self::Garbled,
            FailureKind::Unreachable | FailureKind::Unwritable | FailureKind::Lost | FailureKind::Timeout => {
                Self::Unreachable(failed.message)
            }
        }
    }
}

/// `<Error><Code>` of a body; empty if there is none, as after a HEAD.
fn code_of(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let Ok(document) = Document::parse(text) else { return String::new() };
    let code = document.root_element().children().find(|node| node.tag_name().name() == "Code");
    let code = code.and_then(|node| node.text()).unwrap_or_default();
    redact(code, CODE_CHARS_MAX, &[]).chars().filter(char::is_ascii_alphanumeric).collect()
}
