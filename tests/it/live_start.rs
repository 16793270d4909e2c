//! Callers who are on the line while the service starts: with and without a database, and with calls that are over.

use precall_simulators::threecx::{NewCall, Outcome, Turn};
use uuid::Uuid;

use crate::support::{PERSON, PbxPlan, PbxWorld, caller};

/// A world with callers on hold, who wait a second for a start.
async fn on_hold(callers: u32) -> (PbxWorld, Vec<(String, Uuid)>) {
    let plan = PbxPlan::default().holding().env("START_PATIENCE_SECONDS", "1").env("NOTICE_GIVEN_BY", "pbx");
    let world = PbxWorld::with(plan.env("NOTICE_MESSAGE", "")).await;
    let mut calls = Vec::new();
    for n in 1..=callers {
        let pbx_id = world.rings(&world.known_caller(n).await);
        let call = world.call_of(&pbx_id).await;
        world.in_state(call, "holding").await;
        calls.push((pbx_id, call));
    }
    (world, calls)
}

fn person_answers(world: &PbxWorld) {
    let destination = Some(PERSON.to_owned());
    world.pbx.set_routeto(vec![Turn {
        outcome: Outcome::Answered,
        after_ms: Some(50),
        destination,
        ..Turn::default()
    }]);
}

async fn at_a_person(world: &PbxWorld, pbx_id: &str) {
    let report = world.at_pbx(pbx_id, "a person has the caller", |call| !call.transfers.is_empty()).await;
    assert_eq!(report.transfers.last().map(|transfer| transfer.destination.as_str()), Some(PERSON));
}

fn end_of(row: &tokio_postgres::Row) -> [String; 3] {
    ["cause", "blame", "told"].map(|column| row.get::<_, String>(column))
}

#[actix::test]
async fn without_a_database_callers_hear_music_and_then_a_person() {
    let (world, calls) = on_hold(2).await;
    person_answers(&world);
    let world = world.restart_without_database().await;
    for (pbx_id, _) in &calls {
        world.at_pbx(pbx_id, "the music goes on", |call| call.posts_opened == 2).await;
        at_a_person(&world, pbx_id).await;
    }
    // A caller who rings now goes to a person as well.
    let late = world.rings(&world.mapped_caller(9).await);
    at_a_person(&world, &late).await;
    world.open_database().await;
    for (_, call) in &calls {
        assert_eq!(end_of(&world.released(*call).await), ["lost_in_restart", "precall", "person"]);
        assert!(world.events(*call).await.contains(&"leg_routed_away".to_owned()));
    }
    let row = world.released(world.call_of(&late).await).await;
    assert_eq!(end_of(&row)[..2], ["no_storage", "precall"]);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 3);
    world.stop_after_cuts().await;
}

#[actix::test]
async fn calls_go_on_when_the_database_is_back_in_time() {
    let plan = PbxPlan::default().holding().env("START_PATIENCE_SECONDS", "60");
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "holding").await;
    let world = world.restart_without_database().await;
    world.at_pbx(&pbx_id, "the music goes on", |call| call.posts_opened == 2).await;
    let new = world.rings(&world.mapped_caller(2).await);
    world.at_pbx(&new, "a new caller hears music", |call| call.posts_opened == 1).await;
    world.open_database().await;
    world.operator_hands_over(call).await;
    world.completed(call).await;
    assert_eq!(world.report(&pbx_id).posts_opened, 2, "the call took over the stream of the music");
    let new_call = world.call_of(&new).await;
    world.hears(&new, &world.greeting.start(200)).await;
    assert_eq!(world.report(&new).posts_opened, 1, "the greeting follows the music without a gap");
    world.in_state(new_call, "holding").await;
    world.operator_ends(new_call).await;
    world.stop_after_cuts().await;
}

#[actix::test]
async fn a_leg_of_a_call_that_is_over_is_not_greeted_again() {
    let (world, calls) = on_hold(1).await;
    person_answers(&world);
    let (pbx_id, call) = &calls[0];
    // As if precall had been killed after the end of the call and before the end of its leg.
    let over = "update call_log set state = 'released', cause = 'completed' where id = $1";
    world.execute(over, &[call]).await;
    let heard = world.report(pbx_id).posts_opened;
    let world = world.restart().await;
    at_a_person(&world, pbx_id).await;
    assert!(world.report(pbx_id).posts_opened <= heard + 1);
    assert_eq!(world.heard(pbx_id).count(&world.greeting.start(100)), 1, "greeted again");
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    // The same caller may ring again.
    let again = world.rings_so(NewCall::from(&caller(1)));
    let second = world.call_of(&again).await;
    world.in_state(second, "holding").await;
    world.operator_ends(second).await;
    // The row says again what the log says.
    world.execute("update call_log set state = 'holding', cause = null where id = $1", &[call]).await;
    world.stop_after_cuts().await;
}

#[actix::test]
async fn every_leg_that_is_turned_away_has_a_row_and_a_cause() {
    let plan = PbxPlan::default().holding().env("MAX_LIVE_CALLS", "1");
    let world = PbxWorld::with(plan).await;
    person_answers(&world);
    let first = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&first).await;
    let second = world.rings(&world.mapped_caller(2).await);
    let refused = world.released(world.call_of(&second).await).await;
    assert_eq!(end_of(&refused)[..2], ["at_capacity", "precall"]);
    at_a_person(&world, &second).await;
    assert_eq!(world.report(&second).posts_opened, 0, "no audio");
    let mut answer = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    let counted = String::from_utf8(answer.body().limit(1 << 20).await.unwrap().to_vec()).unwrap();
    assert!(counted.lines().any(|line| line.contains("at_capacity") && line.ends_with(" 1")), "{counted}");
    world.in_state(call, "holding").await;
    world.operator_ends(call).await;
    world.stop().await;
}
