//! Tests of the lease.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use precall_call::At;
use precall_store::leader::engine_lock::Holder;
use uuid::Uuid;

use super::*;

const LONG: Duration = Duration::from_secs(900);
const MAY_RUN: LastProcess = LastProcess::MayRun;

fn at(millis: u64) -> Moment {
    let wall = At(1_700_000_000_000_000 + i64::try_from(millis * 1_000).unwrap());
    Moment { uptime: Duration::from_millis(millis), wall }
}

/// A leader that has looked twice: the first look knows of no standby yet.
fn alone() -> Lease {
    let mut lease = Lease::new(LONG);
    lease.claimed(at(0), SHORT);
    look(&mut lease, 100, Company::Alone);
    look(&mut lease, 200, Company::Alone);
    lease
}

fn look(lease: &mut Lease, millis: u64, company: Company) -> Duration {
    let renewal = lease.renewal(Kept::InDatabase);
    lease.renewed(renewal, at(millis), company);
    renewal.lease
}

#[test]
fn a_lease_is_over_when_no_renewal_was_confirmed_for_its_length() {
    let mut lease = Lease::new(LONG);
    assert!(!lease.is_certain(at(0)), "nothing was claimed");
    lease.claimed(at(1_000), SHORT);
    assert!(
        lease.is_certain(at(4_999)) && !lease.is_certain(at(5_000)),
        "short until it knows of no standby"
    );
    assert_eq!(look(&mut lease, 4_000, Company::Alone), SHORT);
    assert!(lease.is_certain(at(7_999)) && !lease.is_certain(at(8_000)));
    // A renewal without an answer confirms nothing, however often it is tried.
    for _ in 0..5 {
        lease.renewal(Kept::InDatabase);
    }
    assert!(!lease.is_certain(at(8_000)));
}

#[test]
fn a_pause_that_only_one_clock_shows_ends_the_lease() {
    let lease = alone();
    let asleep = Moment { wall: at(200).wall, ..at(200 + 900_000) };
    let paused = Moment { uptime: at(200).uptime, ..at(200 + 900_000) };
    assert!(!lease.is_certain(asleep) && !lease.is_certain(paused));
}

#[test]
fn without_a_standby_the_lease_is_long_once_the_row_says_so() {
    let mut lease = Lease::new(LONG);
    lease.claimed(at(0), SHORT);
    assert_eq!(look(&mut lease, 100, Company::Alone), SHORT);
    assert!(lease.is_due(Kept::InDatabase), "the row should say that it is alone");
    let renewal = lease.renewal(Kept::InDatabase);
    assert_eq!(renewal.lease, LONG);
    assert!(!lease.is_certain(at(5_000)) && lease.may_be_followed(), "not before it is written");
    lease.renewed(renewal, at(200), Company::Alone);
    assert!(lease.is_certain(at(900_000)) && !lease.is_certain(at(900_200)));
    assert!(!lease.is_due(Kept::InDatabase) && !lease.may_be_followed());
}

#[test]
fn a_leader_shortens_its_own_lease_before_the_row_says_so() {
    let mut lease = alone();
    look(&mut lease, 1_000, Company::Standby);
    assert!(lease.is_due(Kept::InDatabase) && lease.has_standby());
    let renewal = lease.renewal(Kept::InDatabase);
    assert_eq!(renewal.lease, SHORT);
    // Whether the renewal is written or not.
    assert!(!lease.is_certain(at(5_000)));
    lease.renewed(renewal, at(2_000), Company::Standby);
    assert!(lease.is_certain(at(5_999)) && !lease.is_certain(at(6_000)));
}

#[test]
fn each_renewal_has_a_higher_number_so_that_a_late_one_changes_nothing() {
    let mut lease = alone();
    let (first, second) = (lease.renewal(Kept::InDatabase), lease.renewal(Kept::InDatabase));
    assert!(first.beat < second.beat);
}

#[test]
fn a_lease_stays_long_until_the_database_has_what_was_done_without_it() {
    let mut lease = alone();
    let renewal = lease.renewal(Kept::InSpool);
    lease.renewed(renewal, at(1_000), Company::Standby);
    assert!(!lease.is_due(Kept::InSpool) && !lease.may_be_followed() && lease.has_standby());
    assert_eq!(lease.renewal(Kept::InSpool).lease, LONG);
    assert!(lease.is_due(Kept::InDatabase), "now a standby may follow");
    assert_eq!(lease.renewal(Kept::InDatabase).lease, SHORT);
    assert!(lease.may_be_followed());
    // With a standby nothing is done without the database: there is nothing to wait for.
    assert_eq!(lease.renewal(Kept::InSpool).lease, SHORT);
}

#[test]
fn a_start_with_a_spool_claims_a_long_lease() {
    let mut lease = Lease::new(LONG);
    assert_eq!(lease.at_claim(Kept::InDatabase), SHORT);
    assert_eq!(lease.at_claim(Kept::InSpool), LONG);
    lease.claimed(at(0), LONG);
    assert!(lease.is_certain(at(899_999)) && !lease.may_be_followed());
    assert_eq!((lease.renewal(Kept::InSpool).lease, lease.renewal(Kept::InDatabase).lease), (LONG, SHORT));
}

#[test]
fn a_late_answer_does_not_lengthen_a_lease_that_was_shortened_since() {
    let mut lease = alone();
    let late = lease.renewal(Kept::InDatabase);
    look(&mut lease, 2_000, Company::Standby);
    let shortened = lease.renewal(Kept::InDatabase);
    assert_eq!((late.lease, shortened.lease), (LONG, SHORT));
    lease.renewed(late, at(1_000), Company::Alone);
    assert!(lease.may_be_followed() && !lease.is_certain(at(6_000)));
    lease.renewed(shortened, at(3_000), Company::Standby);
    assert!(lease.is_certain(at(6_999)) && !lease.is_certain(at(7_000)));
}

fn row(beat: u64, lease: Duration) -> LeaseRow {
    LeaseRow { generation: 7, beat, lease, released: false, process: Uuid::nil(), is_restored: false }
}

fn sight(row: LeaseRow, holder: Option<i32>) -> Sight {
    Sight { last: LastLeader::Leased(row), holder: holder.map(held) }
}

fn held(process: i32) -> Holder {
    Holder { process: Some(process), application: None, address: "this host".to_owned(), since: None }
}

#[test]
fn a_standby_waits_longer_than_the_lease_and_then_ends_the_session_that_holds_the_lock() {
    for lease in [SHORT, LONG] {
        let mut patience = Patience::default();
        let mut turn =
            |beat, holder, millis| patience.turn(&sight(row(beat, lease), holder), MAY_RUN, at(millis));
        let waits = if lease == SHORT { Why::Renewed } else { Why::NotSeen };
        for beat in 0..5 {
            assert_eq!(turn(beat, Some(12), beat * 1_000), Turn::Wait(waits));
        }
        let wait = u64::try_from(wait_for(lease).as_millis()).unwrap();
        assert!(wait >= u64::try_from(lease.as_millis()).unwrap() * 21 / 20 + 1_000);
        assert!(matches!(turn(4, Some(12), 4_000 + wait - 1), Turn::Wait(Why::RunningOut(_))));
        assert_eq!(turn(4, Some(12), 4_000 + wait), Turn::End(12));
        assert_eq!(turn(4, None, 4_000 + wait), Turn::Lead, "the session has ended");
        assert_eq!(turn(5, None, 4_001 + wait), Turn::Wait(waits), "the leader is back");
    }
    assert!(wait_for(SHORT) < Duration::from_secs(6), "a frozen engine is replaced within 10 s");
}

#[test]
fn a_lock_that_is_free_says_nothing_about_its_leader() {
    let mut patience = Patience::default();
    for millis in (0..5_700).step_by(100) {
        let turn = patience.turn(&sight(row(3, SHORT), None), MAY_RUN, at(millis));
        assert!(matches!(turn, Turn::Wait(_)), "{millis}: {turn:?}");
    }
    assert_eq!(patience.turn(&sight(row(3, SHORT), None), MAY_RUN, at(5_700)), Turn::Lead);
}

#[test]
fn nobody_waits_for_a_leader_that_left_by_plan_or_has_surely_ended() {
    let released = LeaseRow { released: true, ..row(3, LONG) };
    for (row, process) in [(released, MAY_RUN), (row(3, LONG), LastProcess::Ended)] {
        let mut patience = Patience::default();
        assert_eq!(patience.turn(&sight(row, Some(12)), process, at(0)), Turn::Wait(Why::Held));
        assert_eq!(patience.turn(&sight(row, None), process, at(1)), Turn::Lead);
    }
    let never = Sight { last: LastLeader::Never, holder: None };
    assert_eq!(Patience::default().turn(&never, MAY_RUN, at(0)), Turn::Lead);
}

#[test]
fn a_row_of_a_restored_backup_is_waited_for_as_for_a_short_lease() {
    let mut patience = Patience::default();
    let restored = LeaseRow { is_restored: true, ..row(3, LONG) };
    assert!(matches!(patience.turn(&sight(restored, None), MAY_RUN, at(0)), Turn::Wait(_)));
    assert_eq!(patience.turn(&sight(restored, None), MAY_RUN, at(5_700)), Turn::Lead);
}

#[test]
fn a_database_that_was_away_gives_its_leader_the_whole_time_again() {
    let mut patience = Patience::default();
    let mut turn = |millis| patience.turn(&sight(row(3, SHORT), None), MAY_RUN, at(millis));
    turn(0);
    assert_eq!(turn(6_000), Turn::Lead);
    patience.forget();
    let mut turn = |millis| patience.turn(&sight(row(3, SHORT), None), MAY_RUN, at(millis));
    assert_eq!(turn(60_000), Turn::Wait(Why::Renewed));
    assert_eq!(turn(65_700), Turn::Lead);
}

#[test]
fn a_leader_of_a_version_without_a_lease_may_take_its_lock_again() {
    let sight = |holder: Option<i32>| Sight { last: LastLeader::WithoutLease, holder: holder.map(held) };
    let mut standby = Patience::default();
    assert_eq!(standby.turn(&sight(Some(12)), MAY_RUN, at(0)), Turn::Wait(Why::Held));
    assert!(matches!(standby.turn(&sight(None), MAY_RUN, at(100)), Turn::Wait(Why::RunningOut(_))));
    assert_eq!(standby.turn(&sight(None), MAY_RUN, at(5_800)), Turn::Lead);
    assert_eq!(
        Patience::default().turn(&sight(None), MAY_RUN, at(0)),
        Turn::Lead,
        "a first start after an upgrade"
    );
}
