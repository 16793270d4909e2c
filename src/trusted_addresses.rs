//! The client address of a request. `X-Forwarded-For` is used only from trusted proxies.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Highest number of hops that are read. No honest chain is longer.
const MAX_HOPS: usize = 32;

/// Addresses and CIDR blocks. IPv4-mapped IPv6 counts as IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList(Vec<IpNet>);

impl AddressList {
    /// Parses addresses and CIDR blocks.
    ///
    /// # Errors
    /// The first wrong entry.
    pub(crate) fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let mut blocks = Vec::with_capacity(entries.len());
        for entry in entries {
            let entry = entry.as_ref().trim();
            let block = match entry.parse::<IpNet>() {
                Ok(block) => block,
                Err(_) => entry.parse::<IpAddr>().map(IpNet::from).map_err(|_| entry.to_owned())?,
            };
            blocks.push(unmapped(block));
        }
        Ok(Self(blocks))
    }

    /// Whether a block contains the address. An empty list contains none.
    #[must_use]
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        is_in(address, &self.0)
    }

    /// Whether the list is empty.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The blocks, as [`client_address`] takes them.
    #[must_use]
    pub(crate) fn as_blocks(&self) -> &[IpNet] {
        &self.0
    }
}

/// The address of the client: the peer, or the forwarded address if the peer is a trusted proxy.
///
/// `forwarded_for` is the value of `X-Forwarded-For` (several headers joined by commas). It is read from the right:
/// each entry was written by the next hop, so the first address that is not a trusted proxy is the client. At a
/// malformed entry the result is the proxy that added it.
#[must_use]
pub(crate) fn client_address(peer: IpAddr, forwarded_for: Option<&str>, trusted_proxies: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let Some(forwarded_for) = forwarded_for else { return client };
    for entry in forwarded_for.rsplit(',').take(MAX_HOPS) {
        if !is_in(client, trusted_proxies) {
            return client;
        }
        let Some(before) = forwarded_address(entry) else { return client };
        client = before;
    }
    client
}

/// Parses one entry: `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address = if let Some(rest) = entry.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        if !after.is_empty() {
            after.strip_prefix(':')?.parse::<u16>().ok()?;
        }
        IpAddr::V6(inside.parse().ok()?)
    } else if let Ok(bare) = entry.parse::<IpAddr>() {
        bare
    } else {
        let (host, port) = entry.split_once(':')?;
        port.parse::<u16>().ok()?;
        IpAddr::V4(host.parse().ok()?)
    };
    Some(address.to_canonical())
}

fn is_in(address: IpAddr, blocks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    blocks.iter().any(|block| unmapped(*block).contains(&address))
}

/// Turns `::ffff:10.0.0.0/104` into `10.0.0.0/8`, because addresses are compared in canonical form.
fn unmapped(block: IpNet) -> IpNet {
    const MAPPED_PREFIX: u8 = 96;
    let IpNet::V6(six) = block else { return block };
    let (Some(four), Some(length)) =
        (six.addr().to_ipv4_mapped(), six.prefix_len().checked_sub(MAPPED_PREFIX))
    else {
        return block;
    };
    Ipv4Net::new(four, length).map_or(block, IpNet::V4)
}

#[cfg(test)]
mod tests;
