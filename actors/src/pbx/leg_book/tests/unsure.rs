//! Tests of the leg book while events are missing and lists take their place.

use super::*;

#[test]
fn without_events_lists_show_what_came_and_went() {
    let mut fixture = Fixture::with(5);
    fixture.give(LegInput::Unsure);
    // 6 came; 7 comes and goes between two lists; 5 goes.
    let listed = vec![leg(5, "Connected", "0171"), leg(6, "Ringing", "0172")];
    assert_eq!(fixture.list(listed), ["seen 6 Ringing 0172", "synced [5, 6]"]);
    fixture.now += 1_000_000;
    assert_eq!(
        fixture.list(vec![leg(6, "Connected", "0172")]),
        ["seen 6 Connected 0172", "gone 5", "synced [6]"]
    );
    // The events that were held up on the way come after all.
    fixture.give(LegInput::Sure);
    assert_eq!(fixture.upsert(7), ["fetch 7 2"]);
    assert_eq!(fixture.remove(7), NOTHING);
    assert_eq!(fixture.not_found(7, 2, FetchResult::Gone), NOTHING);
    assert_eq!(fixture.upsert(5), ["fetch 5 3"]);
    assert_eq!(fixture.not_found(5, 3, FetchResult::Gone), NOTHING);
    assert_eq!(fixture.remove(5), NOTHING);
    assert_eq!(fixture.upsert(6), ["fetch 6 4"]);
    assert_eq!(fixture.found(6, 4, leg(6, "Connected", "0172")), NOTHING);
    assert_eq!(fixture.list(vec![leg(6, "Connected", "0172")]), ["synced [6]"]);
}

#[test]
fn without_events_a_changed_party_is_no_other_leg_between_two_close_lists() {
    let mut fixture = Fixture::open();
    fixture.give(LegInput::Unsure);
    assert_eq!(fixture.list(vec![leg(5, "Ringing", "")]), ["seen 5 Ringing ", "synced [5]"]);
    for (caller, status) in [("0171", "Ringing"), ("0199", "Connected")] {
        fixture.now += 1_000_000;
        let said = fixture.list(vec![leg(5, status, caller)]);
        assert_eq!(said, [format!("seen 5 {status} {caller}"), "synced [5]".to_owned()]);
    }
    // Nor when the connection opens again.
    fixture.now += 1_000_000;
    fixture.give(LegInput::Opened);
    assert_eq!(fixture.list(vec![leg(5, "Connected", "0173")]), ["seen 5 Connected 0173", "synced [5]"]);
}

#[test]
fn without_events_an_id_may_be_reused_after_a_restart_of_the_pbx() {
    // During the first gap, and when lists failed for longer than a restart takes.
    for lists_before in [0, 1, 3] {
        let mut fixture = Fixture::with(5);
        fixture.give(LegInput::Unsure);
        for _ in 0..lists_before {
            fixture.now += 1_000_000;
            assert_eq!(fixture.list(vec![leg(5, "Connected", "0171")]), ["synced [5]"]);
        }
        for _ in 0..3 {
            fixture.now += 2_000_000;
            let list = fixture.ask_list();
            assert_eq!(fixture.give(LegInput::ListReceived { list, legs: None }), NOTHING);
        }
        let said = fixture.list(vec![leg(5, "Connected", "0199")]);
        assert_eq!(said, ["gone 5", "seen 5 Connected 0199", "synced [5]"], "after {lists_before} lists");
        // The socket opens at last: the leg is known.
        fixture.give(LegInput::Opened);
        assert_eq!(fixture.list(vec![leg(5, "Connected", "0199")]), ["synced [5]"]);
    }
    // A leg that was removed: its tombstone must not hide the next one with its id.
    let mut fixture = Fixture::with(5);
    fixture.remove(5);
    fixture.give(LegInput::Unsure);
    assert_eq!(fixture.list(vec![leg(5, "Ringing", "0199")]), ["seen 5 Ringing 0199", "synced [5]"]);
    assert_eq!(fixture.list(vec![]), ["gone 5", "synced []"]);
    assert_eq!(fixture.list(vec![leg(5, "Ringing", "0173")]), ["seen 5 Ringing 0173", "synced [5]"]);
}

#[test]
fn without_events_a_leg_can_be_asked_for_and_a_failed_list_ends_none() {
    let mut fixture = Fixture::with(5);
    fixture.give(LegInput::Unsure);
    let list = fixture.ask_list();
    assert_eq!(fixture.upsert(5), ["fetch 5 2"], "a look");
    assert_eq!(fixture.give(LegInput::ListReceived { list, legs: None }), NOTHING);
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0171")), NOTHING);
    assert_eq!(fixture.upsert(5), ["fetch 5 3"]);
    assert_eq!(fixture.not_found(5, 3, FetchResult::Gone), ["gone 5"]);
    assert_eq!(fixture.book.legs(), 0);
}
