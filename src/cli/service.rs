//! The running service, as the commands of operators ask it: over its API.

mod session;

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_base::clock;
use precall_base::invisible::trimmed;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use self::session::{Refusal, Session};
use super::{Exit, environment, unusable};
use crate::config::{Config, Secret};

/// The longest request deletes voices at ElevenLabs.
pub(super) const WITHIN: Duration = Duration::from_secs(70);
const NOT_FOUND: u16 = 404;

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

impl Service {
    /// Reads a path below `/api/v1`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Exit> {
        self.session(WITHIN)?.get(path).await.map_err(|refusal| failed(&refusal.words))
    }

    /// Reads a path below `/api/v1` whose answer may be missing: an older service or one without a database has none.
    pub(super) async fn look<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        self.session(WITHIN).ok()?.get(path).await.ok()
    }

    /// Reads a path below `/api/v1`; none if there is nothing (404).
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Exit> {
        match self.session(WITHIN)?.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if refusal.status == Some(NOT_FOUND) => Ok(None),
            Err(refusal) => Err(failed(&refusal.words)),
        }
    }

    /// Posts to a path below `/api/v1`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        self.session(WITHIN)?.post(path, body).await.map_err(|refusal| failed(&refusal.words))
    }

    /// Puts to a path below `/api/v1`.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        self.session(WITHIN)?.put(path, body).await.map_err(|refusal| failed(&refusal.words))
    }

    /// Deletes a path below `/api/v1`.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Exit> {
        self.session(WITHIN)?.delete(path).await.map_err(|refusal| failed(&refusal.words))
    }

    /// The first items of a list, page by page. `query` may be empty.
    pub(super) async fn list(&self, path: &str, query: &str, most: usize) -> Result<Vec<Value>, Exit> {
        self.session(WITHIN)?.list(path, query, most).await.map_err(|refusal| failed(&refusal.words))
    }

    /// Address and key, read once, for several requests. `within` is the deadline of each request.
    pub(super) fn session(&self, within: Duration) -> Result<Session, Exit> {
        Ok(Session::new(self.base()?, self.key()?, within))
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
    serde_json::from_value(answer).map_err(|error| unreadable(&error))
}

/// An answer is not as this precall expects it.
pub(super) fn unreadable(error: &serde_json::Error) -> Exit {
    failed(&format!("the answer cannot be read: {error}"))
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
