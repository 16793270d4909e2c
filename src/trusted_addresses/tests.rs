//! Tests of trusted addresses.
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
fn lists_contain_addresses_and_blocks_of_both_families() {
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
fn a_wrong_entry_is_named() {
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
fn a_malformed_entry_ends_the_search() {
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
fn ports_and_mapped_addresses_are_parsed() {
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
