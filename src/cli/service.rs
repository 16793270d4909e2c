//! The running service, as the commands of operators ask it: over its API.

use std::time::Duration;

use awc::SendClientRequest;
use awc::http::StatusCode;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_base::clock;
use precall_base::invisible::trimmed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Exit, environment, unusable};
use crate::config::{Config, Secret};

/// The longest request deletes voices at ElevenLabs.
const WITHIN: Duration = Duration::from_secs(70);
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Items on a page of a list.
const PAGE: usize = 200;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Service {
    /// Address of the service; without it, HOST and PORT of this environment
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// File with an API key; without it, the key is in PRECALL_API_KEY
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<std::path::PathBuf>,
}

/// Where the service is, and how its answer to an order is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Print the answer as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) service: Service,
}

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

impl Service {
    /// Reads a path below `/api/v1`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Exit> {
        self.exchange(path, |client, url, key| client.get(url).bearer_auth(key).send()).await
    }

    /// Reads a path below `/api/v1`; none if there is nothing (404).
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Exit> {
        let asked = self.ask(path, |client, url, key| client.get(url).bearer_auth(key).send()).await?;
        if asked.status == StatusCode::NOT_FOUND { Ok(None) } else { asked.read().map(Some) }
    }

    /// Posts to a path below `/api/v1`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        self.exchange(path, |client, url, key| client.post(url).bearer_auth(key).send_json(body)).await
    }

    /// Puts to a path below `/api/v1`.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        self.exchange(path, |client, url, key| client.put(url).bearer_auth(key).send_json(body)).await
    }

    /// Deletes a path below `/api/v1`.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Exit> {
        self.exchange(path, |client, url, key| client.delete(url).bearer_auth(key).send()).await
    }

    /// The first items of a list, page by page. `query` may be empty.
    pub(super) async fn list(&self, path: &str, query: &str, most: usize) -> Result<Vec<Value>, Exit> {
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

    async fn exchange<T: DeserializeOwned>(
        &self,
        path: &str,
        send: impl FnOnce(&awc::Client, &str, &str) -> SendClientRequest,
    ) -> Result<T, Exit> {
        self.ask(path, send).await?.read()
    }

    async fn ask(
        &self,
        path: &str,
        send: impl FnOnce(&awc::Client, &str, &str) -> SendClientRequest,
    ) -> Result<Asked, Exit> {
        let (base, key) = (self.base()?, self.key()?);
        let url = format!("{base}/api/v1/{path}");
        let client = awc::Client::builder().timeout(WITHIN).finish();
        let exchange = async {
            let mut answer = send(&client, &url, key.expose()).await.map_err(|error| error.to_string())?;
            let text = answer.body().limit(ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((answer.status(), text))
        };
        let (status, text) = match tokio::time::timeout(WITHIN, exchange).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(failed(&format!("{url}: {error}"))),
            Err(_) => return Err(failed(&format!("{url} does not answer"))),
        };
        Ok(Asked { url, status, text })
    }

    fn base(&self) -> Result<String, Exit> {
        if let Some(url) = &self.url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let set = environment().map_err(|error| unusable(&error))?;
        let server = Config::server_from_map(&set).map_err(|error| unusable(&error))?;
        Ok(format!("http://{}", server.probe_address()))
    }

    fn key(&self) -> Result<Secret, Exit> {
        let text = match &self.key_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| unusable(&format!("--key-file {}: {error}", file.display())))?,
            None => std::env::var("PRECALL_API_KEY").unwrap_or_default(),
        };
        read_key(&text).map_err(|why| unusable(&why))
    }
}

/// An answer of the service.
struct Asked {
    url: String,
    status: StatusCode,
    text: Bytes,
}

impl Asked {
    fn read<T: DeserializeOwned>(self) -> Result<T, Exit> {
        let Self { url, status, text } = self;
        if status.is_success() {
            let text: &[u8] = if text.is_empty() { b"null" } else { &text };
            let read = serde_json::from_slice(text);
            return read
                .map_err(|error| failed(&format!("{url} sent an answer that cannot be read: {error}")));
        }
        let Refused { detail, candidates } = serde_json::from_slice(&text).unwrap_or_default();
        let candidates = candidates.iter().map(|id| format!("\n  {id}")).collect::<String>();
        Err(failed(&format!("{url} answers {}: {detail}{candidates}", status.as_u16())))
    }
}

/// The key in a text, without spaces and a byte order mark around it.
fn read_key(text: &str) -> Result<Secret, &'static str> {
    let key = trimmed(text);
    if key.is_empty() {
        return Err("give an API key: --key-file FILE, or PRECALL_API_KEY (`precall keys new` makes one)");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the key has a space, or a character that nobody sees: copy it again");
    }
    Ok(Secret::new(key))
}

/// An answer, or a part of it, in the form that the command needs.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Exit> {
    serde_json::from_value(answer).map_err(|error| failed(&format!("the answer cannot be read: {error}")))
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    Timestamp::from_microsecond(clock::wall().0).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A text as a segment of a path, or as a value of a query.
pub(super) fn in_url(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub(super) fn failed(why: &str) -> Exit {
    eprintln!("precall: {why}");
    Exit::Failed
}

#[cfg(test)]
mod tests;
