//! Posts alerts to a webhook. Redirects are not followed: the signature is for one receiver.

use std::time::Duration;

use awc::http::Method;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use precall_base::redact::redact;
use url::Url;

use crate::http_client::HttpClient;
use crate::http_exchange::{Body, Failure, Progress, Request, exchange, http_client_with, within};
use crate::tls_roots::TlsRoots;

/// Of the answer only the status counts.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ERROR_CHARS: usize = 200;

/// A receiver of alerts. Not `Send`.
pub struct AlertWebhook {
    client: HttpClient,
    url: Url,
}

/// Why the receiver did not take it. Without the address: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct NotTaken {
    /// For people.
    pub words: String,
    /// Whether it may be taken when it is sent again.
    pub may_pass: bool,
}

impl AlertWebhook {
    /// Call it on the arbiter that will use it.
    #[must_use]
    pub fn new(url: Url, roots: &TlsRoots) -> Self {
        Self { client: http_client_with(roots), url }
    }

    /// Posts a JSON body with its signature header. `limit` is the deadline of the whole exchange.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub async fn post(
        &self,
        body: Bytes,
        (name, value): (&str, &str),
        limit: Duration,
    ) -> Result<(), NotTaken> {
        let unusable = || NotTaken { words: "the signature is no header".to_owned(), may_pass: false };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let value = HeaderValue::from_str(value).map_err(|_| unusable())?;
        let request = Request {
            endpoint: None,
            method: Method::POST,
            url: self.url.clone(),
            headers: vec![(name, value)],
            body: Some(Body::json(body)),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let progress = Progress::new();
        let exchanged = exchange(&self.client, request, &progress);
        let answer = within(&self.client, limit, &progress, exchanged).await;
        let answer = answer.map_err(|failure: Failure| NotTaken {
            words: redact(&failure.message, ERROR_CHARS, &[self.url.as_str()]),
            may_pass: true,
        })?;
        let status = answer.status;
        match status {
            _ if answer.is_success() => Ok(()),
            300..400 => Err(NotTaken {
                words: format!("it answers {status}: redirects are not followed"),
                may_pass: false,
            }),
            _ => Err(NotTaken {
                words: format!("it answers {status}"),
                may_pass: status >= 500 || matches!(status, 408 | 425 | 429),
            }),
        }
    }
}
