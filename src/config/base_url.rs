//! The base address of an HTTP API, without a slash at its end, so that paths can be appended.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::kind::Kind;
use super::value::{Complaint, FromText};

/// `https://host[:port][/prefix]`; plain `http` for loopback only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Scheme, host, port and prefix, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// The host, for comparing with other addresses of the same provider.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The same address without its last path segment, when that is `segment`.
    #[must_use]
    pub(super) fn without_last(mut self, segment: &str) -> Self {
        let path = self.0.path().trim_end_matches('/');
        if let Some(shorter) = path.strip_suffix(segment).and_then(|rest| rest.strip_suffix('/')) {
            let shorter = shorter.to_owned();
            self.0.set_path(&shorter);
        }
        self
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromText for BaseUrl {
    const KIND: Kind = Kind::Form("https address");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "https://HOST, without user, query or fragment (http only for loopback)";
        let url = http_address(text, RIGHT)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(Complaint::new("would send keys unencrypted", RIGHT));
        }
        Ok(Self(url))
    }
}

/// An address with `http` or `https` and a host, without user, query and fragment. `right` says what would be right.
///
/// # Errors
/// What is wrong. It does not show the text: people put credentials into addresses.
pub(super) fn http_address(text: &str, right: &'static str) -> Result<Url, Complaint> {
    let url = Url::parse(text).map_err(|_| Complaint::new("is not an address", right))?;
    if url.host().is_none() || !matches!(url.scheme(), "http" | "https") {
        return Err(Complaint::new("is not an http address", right));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Complaint::new("holds a user or a password", right));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Complaint::new("holds a query or a fragment", right));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
