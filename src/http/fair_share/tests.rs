//! Tests of fair share.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn a_source_is_an_address_or_a_network() {
    let of = |text: &str| source_of(text.parse().unwrap()).to_string();
    assert_eq!(of("192.0.2.7"), "192.0.2.7");
    assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
}

#[test]
fn one_source_gets_half_of_the_room() {
    let room = BodyRoom::new(4);
    let (mut one, mut two) = (room.share(address("192.0.2.1")), room.share(address("192.0.2.1")));
    let mut other = room.share(address("192.0.2.2"));
    one.hold(2 * BODY_PIECE).unwrap();
    two.hold(FREE_BYTES).unwrap();
    assert_eq!(two.hold(FREE_BYTES + 1).unwrap_err().code, Code::TooManyAtOnce);
    other.hold(2 * BODY_PIECE).unwrap();
    let mut last = room.share(address("192.0.2.3"));
    assert!(last.hold(BODY_PIECE).is_err(), "all of it is taken");
    one.release();
    last.hold(BODY_PIECE).unwrap();
    drop(last);
    drop(other);
    drop(two);
    drop(one);
    assert_eq!(room.taken().all, 0);
    assert!(room.taken().by_source.is_empty());
}

#[test]
fn a_flood_does_not_affect_other_sources_and_lanes() {
    let rates = Rates::new(NonZeroU32::new(5).unwrap());
    let (flood, other) = (address("192.0.2.1").unwrap(), address("192.0.2.2").unwrap());
    let admits = |lane, source| rates.ask(lane, source).wait.is_none();
    let admitted = (0..100).filter(|_| admits(Lane::Calls, flood)).count();
    assert!((5..10).contains(&admitted), "{admitted}");
    assert!(admits(Lane::Calls, other));
    assert!(admits(Lane::Reports, flood) && admits(Lane::Api, flood));
}

#[test]
fn connections_are_counted_until_they_end() {
    let all = Connections::default();
    let ip = address("192.0.2.1").unwrap();
    let open: Vec<_> = (0..CONNECTIONS_MAX).map(|_| all.one_more(ip)).collect();
    assert!(open.iter().all(|connection| !connection.is_one_too_many));
    assert!(all.one_more(ip).is_one_too_many);
    assert!(!all.one_more(address("192.0.2.2").unwrap()).is_one_too_many);
    drop(open);
    assert!(all.counts().is_empty());
    assert!(!all.one_more(ip).is_one_too_many);
}
