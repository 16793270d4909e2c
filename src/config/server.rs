//! The listening address, the threads, and the proxies that are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use super::environment_name::Environment;
use super::kind::Kind;
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::numbers::{Seconds, Whole};
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::{ByEnvironment, Cores, Text};
use super::variables::{Probed, Restart};
use crate::trusted_addresses::AddressList;

/// The port after the default `PORT`, for this machine only.
const MANAGEMENT: &str = "127.0.0.1:3007";

variables! { Section::Server;
    host: IpAddr {
        probed: Probed::Cannot("a running precall holds the address"),
        default: ByEnvironment { production: "0.0.0.0", development: "127.0.0.1" },
        help: "Address that precall listens on.",
        note: "With ENVIRONMENT=development only loopback addresses are allowed.",
    }
    port: Whole<u16, 0, 65_535> {
        unit: "(0 takes any free port)",
        default: Text("3006"),
        help: "Port that precall listens on.",
    }
    http_workers: Whole<usize, 1, 256> {
        unit: "threads",
        default: Cores,
        example: "2",
        help: "Number of threads that serve HTTP.",
    }
    call_arbiters: Whole<usize, 1, 256> {
        unit: "threads",
        default: Cores,
        example: "2",
        help: "Number of threads that run calls.",
    }
    cors_origins: CorsOrigins {
        probed: Probed::Cannot("a web page asks precall, not the other way round"),
        example: "https://board.example.com",
        help: "Web pages that may use the API from a browser, as scheme://host[:port], or * for every page.",
        note: "Unset: only precall's own pages.",
    }
    trusted_proxies: AddressList {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("a proxy shows only in its requests"),
        example: "127.0.0.1,10.0.0.0/8",
        help: "Reverse proxies whose X-Forwarded-For header precall believes.",
        note: "Set it behind a proxy. Otherwise every request seems to come from the proxy.",
    }
    metrics_addr: SocketAddr {
        probed: Probed::Cannot("a running precall holds the address"),
        default: ByEnvironment { production: MANAGEMENT, development: "" },
        help: "Separate listening address for management: /metrics, and /health with its figures, without a key.",
        note: "The main address shows both only to a request with an API key of scope read then. In development the \
            main address shows them to everybody unless this is set.",
    }
    source_limit_per_second: Whole<u32, 1, 1_000_000> {
        restart: Restart::NotNeeded,
        unit: "requests",
        default: Text("500"),
        help: "Largest number of requests from one address within a second.",
        note: "Call webhooks and the API have this limit each, and report webhooks have twice as much. precall \
            answers further requests with 429.",
    }
    drain_timeout_seconds: Seconds<0, 7_200> {
        restart: Restart::NotNeeded,
        default: Text("30"),
        help: "How long live calls may continue after SIGTERM, before the process ends.",
    }
}

/// Which web pages may use the API from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Only precall's own.
    None,
    /// Every page (`*`).
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
    /// Web pages that may use the API.
    pub cors_origins: CorsOrigins,
    /// Proxies whose `X-Forwarded-For` is believed; none when empty.
    pub trusted_proxies: AddressList,
    /// Separate listener for management; none: everything is on the main one.
    pub management: Option<Management>,
    /// Requests of one address within a second, of each kind.
    pub source_limit: NonZeroU32,
    /// How long live calls may continue after SIGTERM.
    pub drain_timeout: Duration,
}

/// The listener for management: `/metrics`, and `/health` with its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Management {
    /// `METRICS_ADDR`.
    pub address: SocketAddr,
    /// Whether the start fails without it: it was set, and is not the default.
    pub is_needed: bool,
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
        let settings = Settings::read(values, problems)?;
        let host = settings.host.value();
        let metrics_addr = settings.metrics_addr.optional();
        let is_needed = values.is_set("METRICS_ADDR");
        if environment == Environment::Development {
            // Webhooks may be unsigned in development, so other machines must not reach precall.
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
        Some(Self {
            listen: SocketAddr::new(host?, settings.port.value()?.0),
            http_workers: settings.http_workers.value()?.0,
            call_arbiters: settings.call_arbiters.value()?.0,
            cors_origins: settings.cors_origins.optional()?.unwrap_or(CorsOrigins::None),
            trusted_proxies: settings.trusted_proxies.optional()?.unwrap_or_default(),
            management: metrics_addr?.map(|address| Management { address, is_needed }),
            source_limit: NonZeroU32::new(settings.source_limit_per_second.value()?.0)?,
            drain_timeout: settings.drain_timeout_seconds.value()?.0,
        })
    }
}

impl FromText for CorsOrigins {
    const KIND: Kind = Kind::Form("list of origins, or *");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "https://HOST[:PORT] without a path, or *";
        let List(entries) = List::from_text(text)?;
        if entries.iter().any(|entry| entry == "*") {
            return Ok(Self::Any);
        }
        let mut origins = Vec::with_capacity(entries.len());
        for (place, entry) in (1_usize..).zip(&entries) {
            let wrong = || Complaint::new(format!("entry {place} is no origin"), RIGHT);
            origins.push(origin(entry).ok_or_else(wrong)?);
        }
        Ok(if origins.is_empty() { Self::None } else { Self::These(origins) })
    }
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
