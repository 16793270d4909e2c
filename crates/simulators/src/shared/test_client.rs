//! What the tests of both provider simulators share: an answer, read, and a wait for a condition.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test may fail loudly.

use std::future::Future;
use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(10);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) async fn reply<S>(mut response: awc::ClientResponse<S>) -> Reply
where
    S: futures_util::Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin,
{
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = response.body().limit(64 * 1024 * 1024).await.unwrap();
    Reply { status: response.status().as_u16(), headers, body }
}

/// Asks until there is an answer; a deadline ends it.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WITHIN, asking).await.unwrap_or_else(|_| panic!("never: {what}"))
}
