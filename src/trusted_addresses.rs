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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
    use std::net::IpAddr;

    use super::{AddressList, client_address};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, forwarded: Option<&str>, proxies: &[&str]) -> IpAddr {
        let proxies = AddressList::parse(proxies).unwrap();
        client_address(ip(peer), forwarded, proxies.as_blocks())
    }

    #[test]
    fn lists_hold_addresses_and_blocks_of_both_families() {
        let list = AddressList::parse(&["203.0.113.7", "10.0.0.5/8", "2001:db8::/32"]).unwrap();
        for inside in ["203.0.113.7", "10.255.0.1", "2001:db8:1::9", "::ffff:10.0.0.1"] {
            assert!(list.contains(ip(inside)), "{inside}");
        }
        for outside in ["203.0.113.8", "11.0.0.1", "2001:db9::1", "::10.0.0.1"] {
            assert!(!list.contains(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn mapped_entries_mean_ipv4() {
        let list = AddressList::parse(&["::ffff:192.0.2.1", "::ffff:10.0.0.0/104"]).unwrap();
        assert!(list.contains(ip("192.0.2.1")));
        assert!(list.contains(ip("10.20.30.40")));
        assert!(!list.contains(ip("192.0.2.2")));
        assert!(!list.contains(ip("11.0.0.1")));
    }

    #[test]
    fn what_is_no_address_is_named() {
        assert_eq!(AddressList::parse(&["10.0.0.1", "example.com"]), Err("example.com".to_owned()));
        assert!(AddressList::parse(&["10.0.0.0/33"]).is_err());
        assert!(!AddressList::default().contains(ip("127.0.0.1")), "an empty list contains nothing");
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_claims() {
        assert_eq!(client("198.51.100.9", Some("10.0.0.1"), &[]), ip("198.51.100.9"));
        assert_eq!(client("198.51.100.9", Some("10.0.0.1"), &["192.0.2.1"]), ip("198.51.100.9"));
        assert_eq!(client("198.51.100.9", None, &["198.51.100.9"]), ip("198.51.100.9"));
    }

    #[test]
    fn the_rightmost_untrusted_address_wins() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", Some("203.0.113.7"), &proxies), ip("203.0.113.7"));
        assert_eq!(client("10.0.0.1", Some("1.1.1.1, 203.0.113.7, 10.0.0.2"), &proxies), ip("203.0.113.7"));
        assert_eq!(client("10.0.0.1", Some("1.1.1.1,203.0.113.7"), &proxies), ip("203.0.113.7"));
        assert_eq!(client("10.0.0.1", Some("10.0.0.3, 10.0.0.2"), &proxies), ip("10.0.0.3"));
    }

    #[test]
    fn a_malformed_entry_stops_the_walk() {
        let proxies = ["10.0.0.0/8"];
        for bad in
            ["", "unknown", "_hidden", "1.2.3", "203.0.113.7:99999", "[::1", "[::1]x", "[1.2.3.4]", "::1]:5"]
        {
            assert_eq!(client("10.0.0.1", Some(bad), &proxies), ip("10.0.0.1"), "{bad}");
            let chain = format!("203.0.113.7, {bad}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", Some(&chain), &proxies), ip("10.0.0.2"), "{chain}");
        }
    }

    #[test]
    fn ports_and_mapped_addresses_are_understood() {
        let proxies = ["10.0.0.0/8"];
        for (entry, address) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(client("::ffff:10.0.0.1", Some(entry), &proxies), ip(address), "{entry}");
        }
        assert_eq!(client("::ffff:198.51.100.9", None, &[]), ip("198.51.100.9"));
    }

    #[test]
    fn an_endless_chain_is_cut() {
        let chain = "10.0.0.2,".repeat(100_000);
        assert_eq!(client("10.0.0.1", Some(chain.trim_end_matches(',')), &["10.0.0.0/8"]), ip("10.0.0.2"));
        let chain = format!("203.0.113.7,{}", vec!["10.0.0.2"; 40].join(","));
        assert_eq!(client("10.0.0.1", Some(&chain), &["10.0.0.0/8"]), ip("10.0.0.2"));
    }
}
