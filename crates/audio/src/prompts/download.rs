//! Downloads a recording: completely or not at all, within bounds, and not from where a redirect has no business.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use awc::http::Version;
use awc::http::header::{LOCATION, USER_AGENT};
use awc::{Client, Connector};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use precall_providers::body_progress::BodyProgress;
use url::{Host, Url};

use super::decode::FILE_BYTES_MAX;
use super::public_address::is_public;

#[cfg(test)]
mod tests;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// For all redirects, head and body together.
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
    /// A redirect into a private network, or to another service of the same host.
    #[error("its address redirects to a private address: set the address of the recording itself")]
    Private,
    /// A redirect to another host without encryption.
    #[error("its address redirects to http on another host, which must be https")]
    Open,
    /// A redirect to no web address.
    #[error("its address redirects to something that is no http or https address")]
    NoAddress,
    /// Too many redirects.
    #[error("its address redirects more than {REDIRECTS_MAX} times")]
    Endless,
    /// The connection broke within the body.
    #[error("its download broke off")]
    BrokenOff,
    /// The body stopped or trickled.
    #[error("its download stopped before its end")]
    Stopped,
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
        // Each redirect is looked at before it is followed.
        .disable_redirects()
        .no_default_headers()
        .add_default_header((USER_AGENT, concat!("precall/", env!("CARGO_PKG_VERSION"))))
        .finish()
}

/// Downloads the whole file. The configured address may be a private one, a redirect may not lead to one.
pub(super) async fn download(client: &Client, url: &Url) -> Result<Bytes, DownloadError> {
    tokio::time::timeout(DOWNLOAD_MAX, follow(client, url)).await.unwrap_or(Err(DownloadError::Late))
}

async fn follow(client: &Client, configured: &Url) -> Result<Bytes, DownloadError> {
    let (mut url, mut address) = (configured.clone(), None);
    for _ in 0..=REDIRECTS_MAX {
        match fetch(client, &url, address).await? {
            Fetched::File(content) => return Ok(content),
            Fetched::Elsewhere(location) => {
                url = redirect(&url, &location)?;
                address =
                    if is_same_service(configured, &url) { None } else { Some(public_address(&url).await?) };
            }
        }
    }
    Err(DownloadError::Endless)
}

/// Where a redirect leads.
fn redirect(from: &Url, location: &str) -> Result<Url, DownloadError> {
    let to = from.join(location).map_err(|_| DownloadError::NoAddress)?;
    if matches!(to.scheme(), "http" | "https") && to.has_host() {
        Ok(to)
    } else {
        Err(DownloadError::NoAddress)
    }
}

/// Whether the administrator named this host and port, or the host's usual web ports.
fn is_same_service(configured: &Url, to: &Url) -> bool {
    const USUAL: [u16; 2] = [80, 443];
    let (Some(port), Some(wanted)) = (configured.port_or_known_default(), to.port_or_known_default()) else {
        return false;
    };
    let is_usual = USUAL.contains(&port) && USUAL.contains(&wanted);
    configured.host() == to.host() && (port == wanted || is_usual)
}

/// The address to connect to, so that the name cannot lead elsewhere a moment later. Nobody has configured this host:
/// it must be public and encrypted.
async fn public_address(url: &Url) -> Result<SocketAddr, DownloadError> {
    if url.scheme() != "https" {
        return Err(DownloadError::Open);
    }
    let port = url.port_or_known_default().ok_or(DownloadError::NoAddress)?;
    let addresses: Vec<SocketAddr> = match url.host().ok_or(DownloadError::NoAddress)? {
        Host::Ipv4(ip) => vec![(ip, port).into()],
        Host::Ipv6(ip) => vec![(ip, port).into()],
        Host::Domain(name) => {
            let found = tokio::net::lookup_host((name, port)).await;
            found.map_err(|_| DownloadError::Unreachable)?.collect()
        }
    };
    first_of_public(&addresses)
}

/// The first of the addresses of a name, if all of them are public: which one is taken must not matter.
fn first_of_public(addresses: &[SocketAddr]) -> Result<SocketAddr, DownloadError> {
    if addresses.iter().any(|address| !is_public(address.ip())) {
        return Err(DownloadError::Private);
    }
    addresses.first().copied().ok_or(DownloadError::Unreachable)
}

enum Fetched {
    File(Bytes),
    /// The target of a redirect, as it was sent.
    Elsewhere(String),
}

async fn fetch(client: &Client, url: &Url, address: Option<SocketAddr>) -> Result<Fetched, DownloadError> {
    let limit = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
    let mut request = client.get(url.as_str());
    if let Some(address) = address {
        request = request.address(address);
    }
    let mut response = request.send().await.map_err(|_| DownloadError::Unreachable)?;
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    if let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status().as_u16(), location) {
        return Ok(Fetched::Elsewhere(location.to_owned()));
    }
    if !response.status().is_success() {
        return Err(DownloadError::Status(response.status().as_u16()));
    }
    let declared = response.headers().get("content-length").and_then(|length| length.to_str().ok());
    let declared: Option<usize> = declared.and_then(|length| length.trim().parse().ok());
    let mut received = BytesMut::new();
    let mut body = BodyProgress::new(Instant::now());
    loop {
        let next = tokio::time::timeout_at(body.deadline().into(), response.next());
        let Some(chunk) = next.await.map_err(|_| DownloadError::Stopped)? else { break };
        let chunk = chunk.map_err(|_| DownloadError::BrokenOff)?;
        if received.len().saturating_add(chunk.len()) > limit {
            return Err(DownloadError::TooLarge);
        }
        received.extend_from_slice(&chunk);
        body.received(chunk.len(), Instant::now());
    }
    // awc does not report a connection that closes within the body.
    if declared.is_some_and(|declared| declared != received.len()) {
        return Err(DownloadError::BrokenOff);
    }
    Ok(Fetched::File(received.freeze()))
}
