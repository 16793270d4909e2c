//! Options of both provider simulators: addresses on this machine and secrets.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

#[cfg(test)]
mod tests;

/// Why an address or a secret was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OptionError {
    /// The text is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(url::ParseError),
    /// The URL has another scheme than http or https.
    #[error("the URL must start with http:// or https://")]
    NotHttp,
    /// The URL names another machine.
    #[error("the simulator only calls loopback addresses (127.0.0.0/8, [::1] or localhost), not {0}")]
    NotLoopback(String),
    /// The secret is empty.
    #[error("the secret must not be empty")]
    EmptySecret,
}

/// Text that must not show up in logs: a key or a signing secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for signing and comparing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(OptionError::EmptySecret);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An http(s) address on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackUrl(Url);

impl LoopbackUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<Url> for LoopbackUrl {
    type Error = OptionError;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        if url.scheme() != "http" && url.scheme() != "https" {
            return Err(OptionError::NotHttp);
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            None => false,
        };
        if !loopback {
            return Err(OptionError::NotLoopback(url.host_str().unwrap_or("no host").to_owned()));
        }
        Ok(Self(url))
    }
}

impl FromStr for LoopbackUrl {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(Url::parse(text).map_err(OptionError::NotAUrl)?)
    }
}

/// Where the simulator posts to, and the secret that proves who posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to.
    pub url: LoopbackUrl,
    /// The signing secret, or the value of the static header.
    pub secret: Secret,
}
