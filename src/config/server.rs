//! Where we listen, with how many threads, and which proxies are believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::environment_name::Environment;
use super::problem::Problems;
use super::value::{List, Read};
use super::values::Values;
use super::variables::Section;
use crate::trusted_addresses::AddressList;

/// Which web pages may use the API from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Only our own.
    None,
    /// Every one (`*`).
    Any,
    /// These, as `scheme://host[:port]`.
    These(Vec<String>),
}

/// Listening and workers.
#[derive(Clone, Debug)]
pub struct Server {
    /// `HOST` and `PORT`; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Threads that serve HTTP.
    pub http_workers: usize,
    /// Threads that run calls.
    pub call_arbiters: usize,
    /// Who may call the API from a page.
    pub cors_origins: CorsOrigins,
    /// Proxies whose `X-Forwarded-For` is believed; none when empty.
    pub trusted_proxies: AddressList,
    /// A listener of its own for `/metrics`; on the main one when unset.
    pub metrics_addr: Option<SocketAddr>,
    /// Requests of one address within a second, of each kind.
    pub source_limit: NonZeroU32,
    /// How long live calls may go on after SIGTERM.
    pub drain_timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    host: Read<IpAddr>,
    port: Read<u64>,
    http_workers: Read<u64>,
    call_arbiters: Read<u64>,
    cors_origins: Option<Read<List>>,
    trusted_proxies: Option<Read<AddressList>>,
    metrics_addr: Option<Read<SocketAddr>>,
    source_limit_per_second: Read<u64>,
    drain_timeout_seconds: Read<u64>,
}

impl Server {
    /// Where a health check on this machine finds the server.
    #[must_use]
    pub fn probe_address(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }

    pub(super) fn read(values: &Values, environment: Environment, problems: &mut Problems) -> Option<Self> {
        const THREADS: std::ops::RangeInclusive<u64> = 1..=256;
        let raw: Raw = values.section(Section::Server, problems)?;
        let host = problems.value("HOST", raw.host);
        let port = problems.number("PORT", raw.port, 0..=65_535, "(0 takes any free port)");
        let metrics_addr = problems.optional("METRICS_ADDR", raw.metrics_addr);
        if environment == Environment::Development {
            // In development webhooks may be unsigned, so nobody else may reach them.
            let metrics_ip = metrics_addr.flatten().map(|address| address.ip());
            for (name, ip) in [("HOST", host), ("METRICS_ADDR", metrics_ip)] {
                if ip.is_some_and(|ip| !ip.to_canonical().is_loopback()) {
                    problems.add(
                        name,
                        "is reachable by others, which ENVIRONMENT=development does not allow",
                        "a loopback address such as 127.0.0.1, or ENVIRONMENT=production",
                    );
                }
            }
        }
        let http_workers = problems.number("HTTP_WORKERS", raw.http_workers, THREADS, "threads");
        let call_arbiters = problems.number("CALL_ARBITERS", raw.call_arbiters, THREADS, "threads");
        let cors_origins =
            problems.optional("CORS_ORIGINS", raw.cors_origins).and_then(|list| origins(list, problems));
        let trusted_proxies = problems.optional("TRUSTED_PROXIES", raw.trusted_proxies);
        let source_limit = problems
            .number::<u32>("SOURCE_LIMIT_PER_SECOND", raw.source_limit_per_second, 1..=1_000_000, "requests")
            .and_then(NonZeroU32::new);
        let drain_timeout = problems.seconds("DRAIN_TIMEOUT_SECONDS", raw.drain_timeout_seconds, 0..=7_200);
        Some(Self {
            listen: SocketAddr::new(host?, port?),
            http_workers: http_workers?,
            call_arbiters: call_arbiters?,
            cors_origins: cors_origins?,
            trusted_proxies: trusted_proxies?.unwrap_or_default(),
            metrics_addr: metrics_addr?,
            source_limit: source_limit?,
            drain_timeout: drain_timeout?,
        })
    }
}

fn origins(list: Option<List>, problems: &mut Problems) -> Option<CorsOrigins> {
    let Some(List(entries)) = list else { return Some(CorsOrigins::None) };
    if entries.iter().any(|entry| entry == "*") {
        return Some(CorsOrigins::Any);
    }
    let mut origins = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        match origin(entry) {
            Some(origin) => origins.push(origin),
            None => {
                let wrong = format!("entry {} is no origin", index.saturating_add(1));
                problems.add("CORS_ORIGINS", wrong, "https://HOST[:PORT] without a path, or *");
                return None;
            }
        }
    }
    Some(if origins.is_empty() { CorsOrigins::None } else { CorsOrigins::These(origins) })
}

/// The origin as a browser writes it.
fn origin(entry: &str) -> Option<String> {
    let url = Url::parse(entry).ok()?;
    let is_bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_bare.then(|| url.origin().ascii_serialization())
}
