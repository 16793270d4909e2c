//! A caller who rings again while precall calls them back: the telephone that is in use is not dialled a second time.

use std::time::Duration;

use precall_simulators::elevenlabs::{Fault, ReportFate};
use serde_json::json;

use crate::support::{DIAL, Plan, World, incoming, lasting};

const CONVERSATIONS: &str = "/v1/convai/conversations/";

/// Rings again and expects the refusal; the call has its row, and nothing is dialled for it.
async fn is_refused(world: &World, id: &str, caller: &str) {
    let before = world.dials("greeting").len();
    let (status, answer) = world.post_3cx(&incoming(id, caller)).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("rejected")), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("telephone"), "{answer}");
    let row = world.released(answer["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(row.get::<_, String>("cause"), "busy");
    assert_eq!(world.dials("greeting").len(), before, "the telephone in use was dialled");
}

#[actix::test]
async fn a_number_that_is_being_called_back_is_not_dialled_again() {
    let world = World::with(Plan::default().conversation_ms(3_000).clone_delay_ms("50")).await;
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    world.until("the greeting is dialled", || async { world.dials("greeting").len() == 1 }).await;
    is_refused(&world, "pbx-2", &caller).await;
    // Another caller is none of its business.
    world.ring("pbx-3", &world.known_caller(2).await).await;
    // Nor is the same telephone while the agent talks.
    world.in_state(first, "conversing").await;
    is_refused(&world, "pbx-4", &caller).await;
    let row = world.completed(first).await;
    assert_eq!(row.get::<_, String>("cause"), "completed", "the first call is untouched");
    // Afterwards the caller is called back as ever.
    let again = world.ring("pbx-5", &caller).await;
    world.completed(again).await;
    world.stop().await;
}

#[actix::test]
async fn a_caller_whose_conversation_is_over_is_called_back_before_its_report_has_come() {
    let plan = Plan::default().conversation_ms(200).clone_delay_ms("5").env("POSTCALL_WAIT_SECONDS", "60");
    let world = World::with(plan).await;
    // No webhook and no report: only the status tells.
    world.faults(vec![Fault { report: ReportFate::None, ..Fault::on(DIAL) }]);
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    world.in_state(first, "conversing").await;
    lasting(Duration::from_millis(400)).await;
    let second = world.ring("pbx-2", &caller).await;
    assert_ne!(first, second);
    world.until("the caller is called back", || async { world.dials("greeting").len() == 2 }).await;
    world.stop().await;
}

#[actix::test]
async fn of_several_calls_without_a_report_only_the_newest_uses_the_telephone() {
    let plan = Plan::default().conversation_ms(200).clone_delay_ms("5").env("POSTCALL_WAIT_SECONDS", "60");
    let world = World::with(plan).await;
    let caller = world.known_caller(1).await;
    // Two conversations are over, and neither has a report.
    for n in 1..=2 {
        world.faults(vec![Fault { report: ReportFate::None, ..Fault::on(DIAL) }]);
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        world.in_state(call, "conversing").await;
        lasting(Duration::from_millis(400)).await;
    }
    // The greeting of the third call stays unanswered, so its telephone is about to ring.
    world.faults(vec![Fault { hang: true, ..Fault::on(DIAL) }]);
    world.ring("pbx-3", &caller).await;
    world.until("the third call back is dialled", || async { world.dials("greeting").len() == 3 }).await;
    is_refused(&world, "pbx-4", &caller).await;
    world.stop().await;
}

#[actix::test]
async fn without_an_answer_of_the_provider_the_telephone_counts_as_in_use() {
    let world = World::with(Plan::default().conversation_ms(4_000).clone_delay_ms("5")).await;
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    world.in_state(first, "conversing").await;
    for (n, fault) in (2..).zip([
        Fault { status: Some(500), ..Fault::on(CONVERSATIONS) },
        Fault { hang: true, ..Fault::on(CONVERSATIONS) },
        Fault { body: Some(json!("nonsense")), ..Fault::on(CONVERSATIONS) },
    ]) {
        world.faults(vec![fault]);
        is_refused(&world, &format!("pbx-{n}"), &caller).await;
    }
    world.stop().await;
}
