//! A running service at one address, asked with one key: for a command that makes several requests.

use std::pin::Pin;
use std::time::Duration;

use actix_web::web::Bytes;
use awc::SendClientRequest;
use awc::error::PayloadError;
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Secret;

const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Items on a page of a list.
const PAGE: usize = 200;

/// The service, the key and the HTTP client.
pub(in crate::cli) struct Session {
    base: String,
    key: Secret,
    client: awc::Client,
    within: Duration,
    is_masked: bool,
}

/// Why a request brought no answer that can be used.
#[derive(Debug)]
pub(in crate::cli) struct Refusal {
    /// For people, with the address.
    pub(in crate::cli) words: String,
    /// Status of the answer; `None` if the service did not answer.
    pub(in crate::cli) status: Option<u16>,
}

/// The open event stream.
pub(in crate::cli) struct Events(Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    detail: String,
    candidates: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

impl Refusal {
    fn unanswered(words: String) -> Self {
        Self { words, status: None }
    }
}

impl Session {
    /// `within` is the deadline of each request, with its answer.
    pub(super) fn new(base: String, key: Secret, within: Duration) -> Self {
        let client = awc::Client::builder().timeout(within).finish();
        Self { base, key, client, within, is_masked: false }
    }

    /// Asks for masked numbers, whatever the key may see: whoever asks every second must not fill the audit log.
    pub(in crate::cli) fn masked(self) -> Self {
        Self { is_masked: true, ..self }
    }

    /// The address of the service.
    pub(in crate::cli) fn base(&self) -> &str {
        &self.base
    }

    /// Reads a path below `/api/v1`.
    pub(in crate::cli) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        let url = self.url(path);
        let mut request = self.client.get(&url).bearer_auth(self.key.expose());
        if self.is_masked {
            request = request.insert_header(("x-masked", "true"));
        }
        self.exchange(&url, request.send()).await
    }

    /// Posts to a path below `/api/v1`.
    pub(in crate::cli) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Refusal> {
        let url = self.url(path);
        self.exchange(&url, self.client.post(&url).bearer_auth(self.key.expose()).send_json(body)).await
    }

    /// Puts to a path below `/api/v1`.
    pub(in crate::cli) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Refusal> {
        let url = self.url(path);
        self.exchange(&url, self.client.put(&url).bearer_auth(self.key.expose()).send_json(body)).await
    }

    /// Deletes a path below `/api/v1`.
    pub(in crate::cli) async fn delete(&self, path: &str) -> Result<(), Refusal> {
        let url = self.url(path);
        self.exchange(&url, self.client.delete(&url).bearer_auth(self.key.expose()).send()).await
    }

    /// The first items of a list, page by page. `query` may be empty.
    pub(in crate::cli) async fn list(
        &self,
        path: &str,
        query: &str,
        most: usize,
    ) -> Result<Vec<Value>, Refusal> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let and = if query.is_empty() { "" } else { "&" };
        while items.len() < most {
            let limit = PAGE.min(most.saturating_sub(items.len()));
            let page: Page = self.get(&format!("{path}?limit={limit}&cursor={cursor}{and}{query}")).await?;
            items.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = next,
                None => break,
            }
        }
        Ok(items)
    }

    /// Opens the event stream.
    pub(in crate::cli) async fn events(&self) -> Result<Events, Refusal> {
        let url = self.url("events");
        let asked = self.client.get(&url).bearer_auth(self.key.expose()).send();
        let answer = asked.await.map_err(|error| Refusal::unanswered(format!("{url}: {error}")))?;
        let status = answer.status();
        if !status.is_success() {
            let words = format!("{url} answers {}", status.as_u16());
            return Err(Refusal { words, status: Some(status.as_u16()) });
        }
        Ok(Events(Box::pin(answer)))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    async fn exchange<T: DeserializeOwned>(&self, url: &str, sent: SendClientRequest) -> Result<T, Refusal> {
        let exchange = async {
            let mut answer = sent.await.map_err(|error| error.to_string())?;
            let text = answer.body().limit(ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((answer.status(), text))
        };
        let (status, text) = match tokio::time::timeout(self.within, exchange).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(Refusal::unanswered(format!("{url}: {error}"))),
            Err(_) => return Err(Refusal::unanswered(format!("{url} does not answer"))),
        };
        if status.is_success() {
            // 204 has no body.
            let text: &[u8] = if text.is_empty() { b"null" } else { &text };
            return serde_json::from_slice(text).map_err(|error| {
                Refusal::unanswered(format!("{url} sent an answer that cannot be read: {error}"))
            });
        }
        let Refused { detail, candidates } = serde_json::from_slice(&text).unwrap_or_default();
        let candidates = candidates.iter().map(|id| format!("\n  {id}")).collect::<String>();
        let words = format!("{url} answers {}: {detail}{candidates}", status.as_u16());
        Err(Refusal { words, status: Some(status.as_u16()) })
    }
}

impl Events {
    /// Waits for the next piece of the stream. Whether it may say that something happened; `None` when the stream is
    /// over. The service sends a comment every few seconds.
    pub(in crate::cli) async fn next(&mut self) -> Option<bool> {
        let piece = self.0.next().await?.ok()?;
        Some(!piece.starts_with(b":"))
    }
}
