//! The address of the client.

use std::net::IpAddr;

use actix_web::HttpRequest;

use super::settings::Settings;
use crate::trusted_addresses::client_address;

/// The peer, or the address that a trusted proxy forwarded. `None` on a connection without addresses.
pub(crate) fn address(request: &HttpRequest, settings: &Settings) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if settings.trusted_proxies.is_empty() {
        return Some(peer.to_canonical());
    }
    // No honest proxy sends a value that is not text. It counts as an unreadable entry.
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .map(|value| value.to_str().unwrap_or("unreadable"))
        .collect();
    let joined = (!forwarded.is_empty()).then(|| forwarded.join(","));
    Some(client_address(peer, joined.as_deref(), settings.trusted_proxies.as_blocks()))
}
