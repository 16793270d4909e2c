//! Who really sent a request. Forwarded addresses are claims, believed only from proxies that were named.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// More hops than any honest chain has; what lies beyond is not read.
const MAX_HOPS: usize = 32;

/// Addresses and CIDR blocks, IPv4-mapped IPv6 understood as IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressList(Vec<IpNet>);

impl AddressList {
    /// Reads bare addresses and CIDR blocks.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
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

    /// Whether the address lies in one of the blocks. An empty list contains nothing.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        is_in(address, &self.0)
    }

    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The blocks, as [`client_address`] takes them.
    #[must_use]
    pub fn as_blocks(&self) -> &[IpNet] {
        &self.0
    }
}

/// The address of the client: the peer, or, when the peer is a trusted proxy, what it forwarded.
///
/// `forwarded_for` is the value of `X-Forwarded-For` (several headers joined by commas). It is read from the
/// right: every entry was written by the hop after it, so the first that is no trusted proxy is the client. A
/// malformed entry stops the walk at the proxy that vouched for it.
#[must_use]
pub fn client_address(peer: IpAddr, forwarded_for: Option<&str>, trusted_proxies: &[IpNet]) -> IpAddr {
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

/// One entry: `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
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

/// `::ffff:10.0.0.0/104` means `10.0.0.0/8`: addresses are compared in their canonical form.
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
