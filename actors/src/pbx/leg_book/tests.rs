//! Tests of the leg book with everything that a PBX was seen to do, and more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A failing test may panic.

use std::collections::BTreeMap;

use precall_call::At;
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use precall_providers::threecx::event::{LegChange, PbxEvent};
use precall_providers::threecx::participant::{Participant, ParticipantStatus, Role};
use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert_eq, prop_oneof, proptest};

use super::{FetchResult, LegBook, LegInput, LegOutput};
use crate::pbx::leg_events::PbxLegChange;

mod unsure;

const OURS: &str = "900";

fn address(dn: &str, id: u64) -> LegAddress {
    LegAddress { dn: Dn::new(dn), participant: ParticipantId(id) }
}

fn leg(id: u64, status: &str, caller: &str) -> Participant {
    Participant {
        leg: address(OURS, id),
        status: ParticipantStatus::read(status),
        call_id: Some("7".to_owned()),
        leg_id: Some(1),
        party_caller_name: String::new(),
        party_caller_id: caller.to_owned(),
        party: Role { dn: "10007".to_owned(), kind: "Wexternalline".to_owned() },
        party_did: String::new(),
        device_id: String::new(),
        direct_control: Some(false),
        originated_by: Role::default(),
        referred_by: Role::default(),
        on_behalf_of: Role::default(),
    }
}

/// The book and the clock of a PBX. Outputs are text.
struct Fixture {
    book: LegBook,
    now: i64,
    lists: u64,
}

impl Fixture {
    /// Connected to a PBX without legs.
    fn open() -> Self {
        let mut fixture = Self { book: LegBook::new(Dn::new(OURS), 100), now: 1_000_000, lists: 0 };
        fixture.give(LegInput::Opened);
        assert_eq!(fixture.list(vec![]), ["synced []"]);
        fixture
    }

    fn give(&mut self, input: LegInput) -> Vec<String> {
        self.now += 1;
        self.book.handle(input, At(self.now)).into_iter().map(|output| words(&output)).collect()
    }

    fn event(&mut self, change: LegChange) -> Vec<String> {
        self.give(LegInput::Event(PbxEvent { sequence: None, change: Some(change) }))
    }

    fn upsert(&mut self, id: u64) -> Vec<String> {
        self.event(LegChange::Upsert { leg: address(OURS, id), now: None })
    }

    fn remove(&mut self, id: u64) -> Vec<String> {
        self.event(LegChange::Remove { leg: address(OURS, id) })
    }

    fn found(&mut self, id: u64, generation: u64, leg: Participant) -> Vec<String> {
        let (participant, found) = (ParticipantId(id), FetchResult::Present(Box::new(leg)));
        self.give(LegInput::Fetched { participant, generation, found })
    }

    fn not_found(&mut self, id: u64, generation: u64, found: FetchResult) -> Vec<String> {
        self.give(LegInput::Fetched { participant: ParticipantId(id), generation, found })
    }

    fn ask_list(&mut self) -> u64 {
        self.lists += 1;
        let list = self.lists;
        assert!(self.give(LegInput::ListRequested { list }).is_empty());
        list
    }

    fn list(&mut self, legs: Vec<Participant>) -> Vec<String> {
        let list = self.ask_list();
        self.give(LegInput::ListReceived { list, legs: Some(legs) })
    }

    /// With one known and connected leg.
    fn with(id: u64) -> Self {
        let mut fixture = Self::open();
        fixture.upsert(id);
        assert_eq!(fixture.found(id, 1, leg(id, "Connected", "0171")), [format!("seen {id} Connected 0171")]);
        fixture
    }
}

fn words(output: &LegOutput) -> String {
    match output {
        LegOutput::Fetch { leg, generation } => format!("fetch {} {generation}", leg.participant),
        LegOutput::Changed { leg, what, .. } => match &**what {
            PbxLegChange::Seen(seen) => {
                format!("seen {} {} {}", leg.participant, seen.status.word(), seen.party_caller_id)
            }
            PbxLegChange::Gone => format!("gone {}", leg.participant),
            PbxLegChange::Keys(keys) => format!("keys {} {keys}", leg.participant),
        },
        LegOutput::Synced(legs) => {
            format!("synced {:?}", legs.iter().map(|leg| leg.participant.0).collect::<Vec<_>>())
        }
        LegOutput::Resync => "resync".to_owned(),
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn pitfall_03_a_leg_that_is_missing_when_fetched_is_gone() {
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.not_found(5, 2, FetchResult::Gone), ["gone 5"]);
    assert_eq!(fixture.remove(5), NOTHING);
    assert_eq!(fixture.book.legs(), 0);
    // A leg that was never reported is removed silently, and may still appear.
    assert_eq!(fixture.upsert(6), ["fetch 6 3"]);
    assert_eq!(fixture.not_found(6, 3, FetchResult::Gone), NOTHING);
    assert_eq!(fixture.upsert(6), ["fetch 6 4"]);
    assert_eq!(fixture.found(6, 4, leg(6, "Ringing", "0171")), ["seen 6 Ringing 0171"]);
}

#[test]
fn pitfall_04_repeated_events_make_one_request_and_late_events_none() {
    let mut fixture = Fixture::open();
    assert_eq!(fixture.upsert(5), ["fetch 5 1"]);
    for _ in 0..9 {
        assert_eq!(fixture.upsert(5), NOTHING);
    }
    // Nine events came meanwhile: one more request, without news.
    assert_eq!(fixture.found(5, 1, leg(5, "Connected", "0171")), ["seen 5 Connected 0171", "fetch 5 2"]);
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0171")), NOTHING);
    assert_eq!(fixture.upsert(5), ["fetch 5 3"]);
    assert_eq!(fixture.remove(5), ["gone 5"]);
    // The answer and a repeated event come after the removal.
    assert_eq!(fixture.found(5, 3, leg(5, "Connected", "0171")), NOTHING);
    assert_eq!(fixture.upsert(5), NOTHING);
    let late = LegChange::Upsert { leg: address(OURS, 5), now: Some(Box::new(leg(5, "Connected", "0171"))) };
    assert_eq!(fixture.event(late), NOTHING);
    assert_eq!(fixture.list(vec![leg(5, "Connected", "0171")]), ["synced []"]);
    fixture.now += 60_000_000;
    assert_eq!(fixture.upsert(5), ["fetch 5 4"]);
    // The removal may even come first.
    assert_eq!(fixture.remove(8), NOTHING);
    assert_eq!(fixture.upsert(8), NOTHING);
}

#[test]
fn pitfall_05_answers_out_of_order_never_lower_a_status() {
    let mut fixture = Fixture::open();
    assert_eq!(fixture.upsert(5), ["fetch 5 1"]);
    assert_eq!(fixture.found(5, 1, leg(5, "Ringing", "0171")), ["seen 5 Ringing 0171"]);
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.upsert(5), NOTHING);
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0171")), ["seen 5 Connected 0171", "fetch 5 3"]);
    assert_eq!(fixture.found(5, 3, leg(5, "Ringing", "0171")), NOTHING);
    // An answer to an earlier request.
    assert_eq!(fixture.found(5, 2, leg(5, "Ringing", "0199")), NOTHING);
    assert_eq!(fixture.upsert(5), ["fetch 5 4"]);
    assert_eq!(fixture.found(5, 4, leg(5, "Held", "0171")), NOTHING);
}

#[test]
fn a_change_carries_the_time_of_its_frame() {
    let mut fixture = Fixture::open();
    fixture.upsert(5);
    let frame = At(fixture.now);
    fixture.now += 3_000_000;
    let (participant, found) = (ParticipantId(5), FetchResult::Present(Box::new(leg(5, "Ringing", ""))));
    let outputs =
        fixture.book.handle(LegInput::Fetched { participant, generation: 1, found }, At(fixture.now));
    assert!(matches!(&outputs[..], [LegOutput::Changed { at, .. }] if *at == frame), "{outputs:?}");
}

#[test]
fn pitfall_06_a_new_leg_of_the_same_call_is_reported_beside_the_old_one() {
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.upsert(6), ["fetch 6 2"]);
    assert_eq!(fixture.found(6, 2, leg(6, "Connected", "0171")), ["seen 6 Connected 0171"]);
    assert_eq!(fixture.remove(5), ["gone 5"]);
    assert_eq!(fixture.list(vec![leg(6, "Connected", "0171")]), ["synced [6]"]);
}

#[test]
fn pitfall_10_after_a_lost_connection_events_wait_for_the_list() {
    let mut fixture = Fixture::with(5);
    fixture.upsert(6);
    fixture.found(6, 2, leg(6, "Connected", "0172"));
    assert_eq!(fixture.upsert(6), ["fetch 6 3"]);
    fixture.give(LegInput::Opened);
    let list = fixture.ask_list();
    // 5 ended during the gap, 7 began in it, 8 begins now, 6 ends now.
    assert_eq!(fixture.upsert(8), NOTHING);
    assert_eq!(fixture.upsert(7), NOTHING);
    assert_eq!(fixture.remove(6), NOTHING);
    assert_eq!(fixture.found(6, 3, leg(6, "Connected", "0199")), NOTHING, "answer of the old connection");
    let legs = Some(vec![leg(6, "Connected", "0172"), leg(7, "Connected", "0173")]);
    let expected = ["seen 7 Connected 0173", "gone 5", "synced [6, 7]", "fetch 8 4", "fetch 7 5", "gone 6"];
    assert_eq!(fixture.give(LegInput::ListReceived { list, legs }), expected);
    assert_eq!(fixture.found(8, 4, leg(8, "Ringing", "0174")), ["seen 8 Ringing 0174"]);
    assert_eq!(fixture.found(7, 5, leg(7, "Connected", "0173")), NOTHING);
}

#[test]
fn pitfall_10_a_failed_list_ends_no_leg_and_releases_the_waiting_events() {
    let mut fixture = Fixture::with(5);
    fixture.give(LegInput::Opened);
    let list = fixture.ask_list();
    assert_eq!(fixture.upsert(6), NOTHING);
    assert_eq!(fixture.give(LegInput::ListReceived { list, legs: None }), ["fetch 6 2"]);
    assert_eq!(fixture.upsert(7), ["fetch 7 3"]);
    assert_eq!(fixture.book.legs(), 3);
    // A list of an older connection is ignored.
    fixture.give(LegInput::Opened);
    let old = fixture.ask_list();
    fixture.give(LegInput::Opened);
    fixture.ask_list();
    assert_eq!(fixture.give(LegInput::ListReceived { list: old, legs: Some(vec![]) }), NOTHING);
}

#[test]
fn pitfall_10_a_reconcile_repairs_missed_events_and_delays_no_event() {
    let mut fixture = Fixture::with(5);
    let list = fixture.ask_list();
    // These events come while the list is on its way: they are newer than the list.
    assert_eq!(fixture.upsert(6), ["fetch 6 2"]);
    assert_eq!(fixture.found(6, 2, leg(6, "Connected", "0172")), ["seen 6 Connected 0172"]);
    assert_eq!(fixture.remove(5), ["gone 5"]);
    assert_eq!(fixture.upsert(8), ["fetch 8 3"]);
    let legs = Some(vec![leg(5, "Connected", "0171"), leg(7, "Ringing", "0173")]);
    assert_eq!(fixture.give(LegInput::ListReceived { list, legs }), ["seen 7 Ringing 0173", "synced [6, 7]"]);
    assert_eq!(fixture.found(8, 3, leg(8, "Ringing", "0174")), ["seen 8 Ringing 0174"]);
    assert_eq!(
        fixture.list(vec![leg(7, "Connected", "0173")]),
        ["seen 7 Connected 0173", "gone 6", "gone 8", "synced [7]"]
    );
}

#[test]
fn pitfall_11_after_a_restart_of_the_pbx_the_same_id_is_another_leg() {
    // The list is empty and the id comes again at once: no tombstone blocks it.
    let mut fixture = Fixture::with(1);
    fixture.give(LegInput::Opened);
    assert_eq!(fixture.list(vec![]), ["gone 1", "synced []"]);
    assert_eq!(fixture.upsert(1), ["fetch 1 2"]);
    assert_eq!(fixture.found(1, 2, leg(1, "Connected", "0171")), ["seen 1 Connected 0171"]);
    // The id belongs to another leg when the list comes.
    let other_caller = leg(1, "Connected", "0199");
    let other_call = Participant { call_id: Some("1".to_owned()), ..leg(1, "Connected", "0171") };
    for other in [other_caller, other_call, leg(1, "Ringing", "0171")] {
        let mut fixture = Fixture::with(1);
        fixture.give(LegInput::Opened);
        let said = fixture.list(vec![other]);
        assert!(said[0] == "gone 1" && said[1].starts_with("seen 1 ") && said[2] == "synced [1]", "{said:?}");
    }
    // The id of a removed leg, too.
    let mut fixture = Fixture::with(1);
    fixture.remove(1);
    fixture.give(LegInput::Opened);
    assert_eq!(fixture.list(vec![leg(1, "Connected", "0199")]), ["seen 1 Connected 0199", "synced [1]"]);
}

#[test]
fn pitfall_13_legs_of_other_dns_are_never_stored_or_reported() {
    let mut fixture = Fixture::open();
    for change in [
        LegChange::Upsert { leg: address("150", 5), now: None },
        LegChange::Upsert { leg: address("150", 5), now: Some(Box::new(leg(5, "Ringing", "0171"))) },
        LegChange::Keys { leg: address("150", 5), keys: "1".to_owned() },
        LegChange::Remove { leg: address("150", 5) },
    ] {
        assert_eq!(fixture.event(change), NOTHING);
    }
    let theirs = Participant { leg: address("150", 5), ..leg(5, "Ringing", "0171") };
    assert_eq!(fixture.list(vec![theirs, leg(6, "Ringing", "0172")]), ["seen 6 Ringing 0172", "synced [6]"]);
    assert_eq!((fixture.book.legs(), format!("{:?}", fixture.book).contains("150")), (1, false));
    // The removal of a foreign leg with the same id blocks no own leg.
    assert_eq!(fixture.upsert(5), ["fetch 5 1"]);
}

#[test]
fn pitfall_17_keys_are_reported_in_order_and_never_before_their_leg() {
    let keys = |keys: &str| LegChange::Keys { leg: address(OURS, 5), keys: keys.to_owned() };
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.event(keys("1")), ["keys 5 1"]);
    assert_eq!(fixture.event(keys("1")), ["keys 5 1"], "two presses are two keys");
    assert_eq!(fixture.event(keys("12*#")), ["keys 5 12*#"]);
    fixture.remove(5);
    assert_eq!(fixture.event(keys("1")), NOTHING);
    let mut fixture = Fixture::open();
    assert_eq!(fixture.event(keys("1")), ["fetch 5 1"]);
    assert_eq!(fixture.event(keys("2")), NOTHING);
    assert_eq!(fixture.found(5, 1, leg(5, "Connected", "0171")), ["seen 5 Connected 0171", "keys 5 12"]);
}

#[test]
fn pitfall_25_a_new_party_on_the_same_leg_is_reported_and_the_leg_stays() {
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0199")), ["seen 5 Connected 0199"]);
    assert_eq!(fixture.upsert(5), ["fetch 5 3"]);
    let moved = Participant { call_id: Some("8".to_owned()), ..leg(5, "Connected", "0199") };
    assert_eq!(fixture.found(5, 3, moved), ["seen 5 Connected 0199"]);
}

#[test]
fn a_gap_in_the_sequence_requests_a_resync() {
    let mut fixture = Fixture::open();
    let mut number = |sequence| fixture.give(LegInput::Event(PbxEvent { sequence, change: None }));
    assert_eq!(number(Some(15)), NOTHING);
    assert_eq!(number(Some(16)), NOTHING);
    assert_eq!(number(None), NOTHING);
    assert_eq!(number(Some(18)), ["resync"]);
    assert_eq!(number(Some(1)), NOTHING, "the count restarted");
    assert_eq!(number(Some(u64::MAX)), ["resync"]);
    fixture.give(LegInput::Opened);
    assert_eq!(fixture.give(LegInput::Event(PbxEvent { sequence: Some(3), change: None })), NOTHING);
}

#[test]
fn a_failed_fetch_changes_no_leg() {
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.not_found(5, 2, FetchResult::Unknown), ["resync"]);
    assert_eq!(fixture.upsert(6), ["fetch 6 3"]);
    assert_eq!(fixture.upsert(6), NOTHING);
    assert_eq!(fixture.not_found(6, 3, FetchResult::Unknown), ["resync", "fetch 6 4"]);
    assert_eq!(fixture.not_found(6, 4, FetchResult::Unknown), ["resync"]);
    assert_eq!(fixture.list(vec![leg(5, "Connected", "0171")]), ["synced [5]"]);
}

#[test]
fn attached_data_needs_no_request() {
    let mut fixture = Fixture::open();
    assert_eq!(fixture.upsert(5), ["fetch 5 1"]);
    let now = Some(Box::new(leg(5, "Connected", "0171")));
    let change = LegChange::Upsert { leg: address(OURS, 5), now };
    assert_eq!(fixture.event(change), ["seen 5 Connected 0171"]);
    assert_eq!(fixture.found(5, 1, leg(5, "Ringing", "0199")), NOTHING, "an earlier request");
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.found(5, 1, leg(5, "Connected", "0199")), NOTHING, "overtaken");
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0172")), ["seen 5 Connected 0172"]);
}

#[test]
fn a_forgotten_leg_is_reported_again_when_it_is_looked_at() {
    let mut fixture = Fixture::with(5);
    assert_eq!(fixture.upsert(5), ["fetch 5 2"]);
    assert_eq!(fixture.found(5, 2, leg(5, "Connected", "0171")), NOTHING);
    fixture.give(LegInput::Forgotten { participant: ParticipantId(5) });
    assert_eq!(fixture.upsert(5), ["fetch 5 3"]);
    assert_eq!(fixture.found(5, 3, leg(5, "Connected", "0171")), ["seen 5 Connected 0171"]);
    // If it cannot be looked at, the next list shows it.
    fixture.give(LegInput::Forgotten { participant: ParticipantId(5) });
    assert_eq!(fixture.upsert(5), ["fetch 5 4"]);
    assert_eq!(fixture.not_found(5, 4, FetchResult::Unknown), ["resync"]);
    assert_eq!(fixture.list(vec![leg(5, "Connected", "0171")]), ["seen 5 Connected 0171", "synced [5]"]);
}

#[test]
fn above_the_limit_new_legs_are_counted_and_ignored() {
    let mut fixture = Fixture::open();
    for id in 0..100 {
        assert_eq!(fixture.upsert(id).len(), 1);
    }
    assert_eq!(fixture.upsert(100), NOTHING);
    assert_eq!(fixture.list(vec![leg(100, "Ringing", "")]), ["synced []"]);
    assert_eq!((fixture.book.legs(), fixture.book.ignored()), (100, 2));
    fixture.remove(3);
    assert_eq!(fixture.upsert(100), ["fetch 100 101"]);
}

#[derive(Clone, Debug)]
enum Step {
    Upsert(u64),
    Remove(u64),
    Found(u64, bool),
    Gone(u64),
    Opened,
    Unsure,
    Sure,
    List(Vec<u64>),
    AskList,
    ListReceived(Vec<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let ids = || prop::collection::vec(0..4_u64, 0..4);
    prop_oneof![
        (0..4_u64).prop_map(Step::Upsert),
        (0..4_u64).prop_map(Step::Remove),
        (0..4_u64, any::<bool>()).prop_map(|(id, up)| Step::Found(id, up)),
        (0..4_u64).prop_map(Step::Gone),
        proptest::strategy::Just(Step::Opened),
        proptest::strategy::Just(Step::Unsure),
        proptest::strategy::Just(Step::Sure),
        ids().prop_map(Step::List),
        proptest::strategy::Just(Step::AskList),
        ids().prop_map(Step::ListReceived),
    ]
}

proptest! {
    /// For inputs in any order: a leg is reported before it is gone, is gone once, never falls back, has one request
    /// at a time, and after a comparison without other inputs the known legs equal the list.
    #[test]
    fn reports_are_consistent_for_every_order_of_inputs(steps in prop::collection::vec(step(), 0..60)) {
        let mut fixture = Fixture::open();
        let mut reported: BTreeMap<u64, ParticipantStatus> = BTreeMap::new();
        let mut asked: BTreeMap<u64, u64> = BTreeMap::new();
        let status = |up: bool| if up { "Connected" } else { "Ringing" };
        let mut list = 0;
        for step in steps {
            fixture.now += 20_000_000;
            let is_opened = matches!(step, Step::Opened);
            let input = match step {
                Step::Upsert(id) => event(LegChange::Upsert { leg: address(OURS, id), now: None }),
                Step::Remove(id) => event(LegChange::Remove { leg: address(OURS, id) }),
                Step::Found(id, up) => {
                    let Some(generation) = asked.remove(&id) else { continue };
                    let found = FetchResult::Present(Box::new(leg(id, status(up), "")));
                    LegInput::Fetched { participant: ParticipantId(id), generation, found }
                }
                Step::Gone(id) => {
                    let Some(generation) = asked.remove(&id) else { continue };
                    LegInput::Fetched { participant: ParticipantId(id), generation, found: FetchResult::Gone }
                }
                Step::Opened => LegInput::Opened,
                Step::Unsure => LegInput::Unsure,
                Step::Sure => LegInput::Sure,
                Step::List(_) | Step::AskList => {
                    list += 1;
                    LegInput::ListRequested { list: list + 1000 }
                }
                Step::ListReceived(ref ids) => LegInput::ListReceived { list: list + 1000, legs: Some(some(ids)) },
            };
            let mut outputs = fixture.book.handle(input, At(fixture.now));
            if let Step::List(ids) = step {
                outputs.extend(fixture.book.handle(
                    LegInput::ListReceived { list: list + 1000, legs: Some(some(&ids)) }, At(fixture.now)));
            }
            if is_opened {
                asked.clear();
            }
            for output in outputs {
                match output {
                    LegOutput::Fetch { leg, generation } => {
                        // The answer to an earlier request for a removed leg has an older generation.
                        asked.insert(leg.participant.0, generation);
                    }
                    LegOutput::Changed { leg, what, .. } => match *what {
                        PbxLegChange::Seen(seen) => {
                            let before = reported.insert(leg.participant.0, seen.status.clone());
                            let fell = before == Some(ParticipantStatus::Connected) && !seen.is_connected();
                            prop_assert_eq!(fell, false);
                        }
                        PbxLegChange::Gone => prop_assert_eq!(reported.remove(&leg.participant.0).is_some(), true),
                        PbxLegChange::Keys(_) => {}
                    },
                    LegOutput::Synced(legs) => {
                        let known: Vec<u64> = legs.iter().map(|leg| leg.participant.0).collect();
                        prop_assert_eq!(known, reported.keys().copied().collect::<Vec<_>>());
                    }
                    LegOutput::Resync => {}
                }
            }
        }
        // Finally a new connection and its list: every leg in it is known, all others are gone.
        fixture.give(LegInput::Opened);
        fixture.list(vec![leg(2, "Connected", "")]);
        prop_assert_eq!(fixture.book.legs(), 1);
    }
}

fn event(change: LegChange) -> LegInput {
    LegInput::Event(PbxEvent { sequence: None, change: Some(change) })
}

fn some(ids: &[u64]) -> Vec<Participant> {
    ids.iter().map(|id| leg(*id, "Ringing", "")).collect()
}
