//! Which IP addresses belong to the Internet, and not to a private network, this host, or a special purpose.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether any host of the Internet may have this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || first == 0
        // Multicast, reserved, broadcast.
        || first >= 224
        // Behind the NAT of a carrier.
        || first == 100 && (64..128).contains(&second)
        // Protocol assignments, and benchmarks.
        || (first, second, third) == (192, 0, 0)
        || first == 198 && (second == 18 || second == 19);
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let embedded = |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // NAT64 and 6to4 lead to an IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // The rest of NAT64, Teredo, ORCHID and documentation; outside of 2000::/3 nothing is public.
        _ => {
            first & 0xe000 == 0x2000
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && first != 0x3fff
        }
    }
}

#[cfg(test)]
mod tests;
