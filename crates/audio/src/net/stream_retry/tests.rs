//! Tests of stream retry.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// The moments, in milliseconds from now, at which a request is sent while all of them end like this.
fn tries(patience: &mut Patience, began: Instant, trouble: Trouble) -> (Vec<u128>, StreamFailure) {
    let mut now = began;
    let mut at = Vec::new();
    loop {
        match patience.after(trouble, now) {
            Verdict::Again(wait) => now += wait,
            Verdict::AgainWithNewToken => {}
            Verdict::GiveUp(failure) => return (at, failure),
        }
        at.push((now - began).as_millis());
    }
}

#[test]
fn not_ready_is_asked_again_for_ten_seconds() {
    let now = Instant::now();
    let (at, failure) = tries(&mut Patience::opening(now + 10_000 * MS), now, Trouble::NotReady);
    assert_eq!(at.iter().take(6).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250, 1750]);
    assert_eq!(at.last(), Some(&10_000));
    assert_eq!(failure, StreamFailure::NotReady);
}

#[test]
fn a_cut_stream_is_opened_at_once_and_then_by_the_schedule_for_five_seconds() {
    let now = Instant::now();
    let mut patience = Patience::opening(now);
    assert_eq!(patience.after(Trouble::Cut(90_000 * MS), now), Verdict::Again(Duration::ZERO));
    let (at, failure) = tries(&mut patience, now, Trouble::NotReady);
    assert_eq!(at.iter().take(5).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250]);
    assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
}

#[test]
fn a_pbx_that_cuts_each_stream_at_once_is_not_asked_more_often() {
    let now = Instant::now();
    let (at, failure) = tries(&mut Patience::opening(now + 10_000 * MS), now, Trouble::Cut(10 * MS));
    assert_eq!(at.iter().take(4).copied().collect::<Vec<_>>(), [0, 50, 150, 350]);
    assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
}

#[test]
fn a_stream_that_lived_well_earns_new_patience() {
    let now = Instant::now();
    let mut patience = Patience::opening(now);
    for minute in 1..9 {
        let later = now + 60_000 * MS * minute;
        assert_eq!(patience.after(Trouble::Cut(LIVED_WELL), later), Verdict::Again(Duration::ZERO));
    }
}

#[test]
fn a_refused_token_is_replaced_once_and_403_is_final() {
    let now = Instant::now();
    let mut patience = Patience::opening(now + 10_000 * MS);
    assert_eq!(patience.after(Trouble::Unauthorized, now), Verdict::AgainWithNewToken);
    assert_eq!(patience.after(Trouble::NotReady, now), Verdict::Again(FIRST));
    assert_eq!(patience.after(Trouble::Unauthorized, now), Verdict::AgainWithNewToken);
    let refused = Verdict::GiveUp(StreamFailure::Unauthorized);
    assert_eq!(patience.after(Trouble::Unauthorized, now), refused);
    assert_eq!(patience.after(Trouble::Forbidden, now), Verdict::GiveUp(StreamFailure::Forbidden));
}

#[test]
fn a_connection_gone_cold_is_replaced_at_once_but_only_once() {
    let now = Instant::now();
    let mut patience = Patience::opening(now + 10_000 * MS);
    assert_eq!(patience.after(Trouble::Unreachable, now), Verdict::Again(Duration::ZERO));
    assert_eq!(patience.after(Trouble::Unreachable, now), Verdict::Again(FIRST * 2));
}

#[test]
fn each_status_has_one_meaning() {
    assert_eq!([200, 202, 204].map(Trouble::of_status), [None; 3]);
    assert_eq!([404, 424].map(Trouble::of_status), [Some(Trouble::NotReady); 2]);
    assert_eq!(Trouble::of_status(401), Some(Trouble::Unauthorized));
    assert_eq!(Trouble::of_status(403), Some(Trouble::Forbidden));
    assert_eq!(Trouble::of_status(503), Some(Trouble::Refused(503)));
}
