//! Tests of check capacity.

use super::*;

const ENOUGH: Carried = Carried {
    live_calls: 20,
    route: Route::Bridge,
    agent_concurrency: Some(20),
    agent_limit: None,
    slots: Some((3, 30)),
    edits: Some((5, 100)),
    pbx_calls: Some(32),
};

fn notes(carried: Carried) -> Vec<String> {
    let note = |finding| match finding {
        Judgement::Note(text) | Judgement::Wrong(text) => Some(text),
        Judgement::Good(_) => None,
    };
    carried.findings().into_iter().filter_map(note).collect()
}

#[test]
fn a_limit_above_max_live_calls_is_good() {
    assert_eq!(notes(ENOUGH), Vec::<String>::new());
    assert_eq!(ENOUGH.findings().len(), 4);
    let callback = Carried { route: Route::Callback, pbx_calls: None, ..ENOUGH };
    assert_eq!(notes(callback), Vec::<String>::new(), "the PBX carries none of them");
}

#[test]
fn a_lower_limit_is_noted_with_both_numbers() {
    let less = [
        (Carried { agent_concurrency: Some(10), ..ENOUGH }, "agents at once: 10, and MAX_LIVE_CALLS is 20"),
        (
            Carried { agent_limit: Some(15), ..ENOUGH },
            "AGENT_CONCURRENCY is 20, and the agent's own limit is 15",
        ),
        (Carried { agent_concurrency: None, agent_limit: Some(5), ..ENOUGH }, "agents at once: 5, and"),
        (Carried { agent_concurrency: None, ..ENOUGH }, "set AGENT_CONCURRENCY"),
        (Carried { slots: Some((9, 10)), ..ENOUGH }, "voice slots: 9 of 10 used, and MAX_LIVE_CALLS is 20"),
        (Carried { edits: Some((95, 95)), ..ENOUGH }, "edited: 95 of 95"),
        (Carried { pbx_calls: Some(8), ..ENOUGH }, "calls: 8, and MAX_LIVE_CALLS is 20"),
        (Carried { pbx_calls: None, ..ENOUGH }, "set THREECX_SIMULTANEOUS_CALLS"),
    ];
    for (carried, expected) in less {
        let said = notes(carried);
        assert!(said.len() == 1 && said.iter().all(|text| text.contains(expected)), "{said:?}");
    }
}
