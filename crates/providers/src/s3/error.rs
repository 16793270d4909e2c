//! What a store said instead of doing it, and what an administrator can change about it.

use roxmltree::Document;

use crate::http_exchange::{Failure, FailureKind, Response};

/// As long as any code of Amazon's.
const CODE_CHARS_MAX: usize = 40;

/// Why an object cannot be had. Never names the object: its name often holds a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// Nothing lies there.
    #[error("the object does not exist")]
    Missing,
    /// The bucket does not exist.
    #[error("the bucket does not exist: correct S3_BUCKET_NAME, S3_REGION or S3_ENDPOINT")]
    NoBucket,
    /// The keys do not open it.
    #[error(
        "the store refuses the keys ({0}): correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do in the bucket"
    )]
    Refused(String),
    /// The bucket lies in another region.
    #[error("the bucket lies elsewhere (status {0}): correct S3_REGION or S3_ENDPOINT")]
    Elsewhere(u16),
    /// More than may be read.
    #[error("the object is larger than may be read")]
    TooLarge,
    /// No connection, or none that lasted.
    #[error("the store cannot be reached ({0})")]
    Unreachable(String),
    /// It has trouble of its own, or does not know what is asked.
    #[error("the store answers with status {status} ({code})")]
    Status {
        /// Of the answer.
        status: u16,
        /// The store's own word, as far as it gives one.
        code: String,
    },
    /// Not what a store answers.
    #[error("the store's answer cannot be read")]
    Garbled,
}

impl S3Error {
    /// Of an answer that is no success.
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

    /// Whether the same may succeed later without anybody changing anything.
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

/// `<Error><Code>` of a body; empty where there is none, as after a HEAD.
fn code_of(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let Ok(document) = Document::parse(text) else { return String::new() };
    let code = document.root_element().children().find(|node| node.tag_name().name() == "Code");
    let code = code.and_then(|node| node.text()).unwrap_or_default();
    code.chars().filter(char::is_ascii_alphanumeric).take(CODE_CHARS_MAX).collect()
}
