//! Network addresses.

use std::net::{IpAddr, SocketAddr};

use super::super::kind::Kind;
use super::lists::List;
use super::{Complaint, FromText};
use crate::trusted_addresses::AddressList;

impl FromText for AddressList {
    const KIND: Kind = Kind::Form("list of IP addresses or CIDR blocks");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "IP addresses or CIDR blocks, for example `203.0.113.7, 10.0.0.0/8, 2001:db8::/32`";
        let entries = List::from_text(text)?;
        if entries.0.is_empty() {
            return Err(Complaint::new("holds no address", RIGHT));
        }
        Self::parse(&entries.0).map_err(|wrong| Complaint::is_not(&wrong, RIGHT))
    }
}

/// Accepts `localhost` and no other name: the address that a server binds must not depend on DNS.
impl FromText for IpAddr {
    const KIND: Kind = Kind::Form("IP address");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(Self::from([127, 0, 0, 1]));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| Complaint::is_not(text, "an IP address such as 0.0.0.0, 127.0.0.1 or ::"))
    }
}

impl FromText for SocketAddr {
    const KIND: Kind = Kind::Form("ADDRESS:PORT");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let text =
            text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
        text.parse()
            .map_err(|_| Complaint::is_not(&text, "ADDRESS:PORT, for example 127.0.0.1:9090 or [::1]:9090"))
    }
}
