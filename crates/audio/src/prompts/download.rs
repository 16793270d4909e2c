//! Downloads a recording: completely or not at all, within bounds.

use std::time::Duration;

use awc::http::Version;
use awc::http::header::USER_AGENT;
use awc::{Client, Connector};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use url::Url;

use super::decode::FILE_BYTES_MAX;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// For head and body together.
const DOWNLOAD_MAX: Duration = Duration::from_secs(30);
/// File hosts redirect, but not endlessly.
const REDIRECTS_MAX: u8 = 5;

/// Why a download failed. The texts leave the address out: it may contain a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DownloadError {
    /// No connection, or it broke before the answer.
    #[error("its address cannot be reached")]
    Unreachable,
    /// A status other than success.
    #[error("its address answers with status {0}")]
    Status(u16),
    /// The connection broke within the body.
    #[error("its download broke off")]
    BrokenOff,
    /// Larger than [`FILE_BYTES_MAX`].
    #[error("it is larger than 20 MiB")]
    TooLarge,
    /// The download took too long.
    #[error("its download took longer than {} s", DOWNLOAD_MAX.as_secs())]
    Late,
}

/// A client for downloads. Not `Send`.
pub(super) fn client() -> Client {
    let connector = Connector::new()
        .max_http_version(Version::HTTP_11)
        .timeout(CONNECT_MAX)
        .handshake_timeout(CONNECT_MAX);
    Client::builder()
        .connector(connector)
        // awc's timeout covers the head only; `DOWNLOAD_MAX` covers the whole exchange.
        .disable_timeout()
        .max_redirects(REDIRECTS_MAX)
        .no_default_headers()
        .add_default_header((USER_AGENT, concat!("precall/", env!("CARGO_PKG_VERSION"))))
        .finish()
}

/// Downloads the whole file.
pub(super) async fn download(client: &Client, url: &Url) -> Result<Bytes, DownloadError> {
    tokio::time::timeout(DOWNLOAD_MAX, fetch(client, url)).await.unwrap_or(Err(DownloadError::Late))
}

async fn fetch(client: &Client, url: &Url) -> Result<Bytes, DownloadError> {
    let limit = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
    let sending = client.get(url.as_str()).send();
    let mut response = sending.await.map_err(|_| DownloadError::Unreachable)?;
    if !response.status().is_success() {
        return Err(DownloadError::Status(response.status().as_u16()));
    }
    let declared = response.headers().get("content-length").and_then(|length| length.to_str().ok());
    let declared: Option<usize> = declared.and_then(|length| length.trim().parse().ok());
    let mut received = BytesMut::new();
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|_| DownloadError::BrokenOff)?;
        if received.len().saturating_add(chunk.len()) > limit {
            return Err(DownloadError::TooLarge);
        }
        received.extend_from_slice(&chunk);
    }
    // awc does not report a connection that closes within the body.
    if declared.is_some_and(|declared| declared != received.len()) {
        return Err(DownloadError::BrokenOff);
    }
    Ok(received.freeze())
}
