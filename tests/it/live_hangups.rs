//! A caller hangs up in each phase of a live call: the audio stops, no other attempt is made, the clone continues.

use jiff::{SignedDuration, Timestamp};
use precall_simulators::threecx::{EndedBy, Fault, Mode, NewCall, Outcome, Turn};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{AGENT, PERSON, PbxPlan, PbxWorld, Plan};

/// Long enough that a busy machine still hangs up in the middle of it.
const LONG_NOTICE: &str = "An artificial voice answers now.";

/// Checks that the caller hung up and that the end is the leg's end. Returns how much later the call was released.
async fn hung_up(world: &PbxWorld, pbx_id: &str, call: Uuid) -> SignedDuration {
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "caller_hung_up", "{pbx_id}");
    assert_eq!(row.get::<_, String>("blame"), "caller");
    assert_eq!(row.get::<_, String>("status"), "failed");
    assert_eq!(row.get::<_, String>("told"), "nothing");
    let moments = "select extract(epoch from call_ended_at)::float8,
        extract(epoch from call_started_at)::float8 + (timings ->> 'released_ms')::float8 / 1000
        from call_log where id = $1";
    let row = world.client.query_one(moments, &[&call]).await.unwrap();
    let (ended, released): (f64, f64) = (row.get(0), row.get(1));
    let gone: Timestamp = world.report(pbx_id).ended_at.unwrap().parse().unwrap();
    let gone = gone.duration_since(Timestamp::UNIX_EPOCH);
    let ended = SignedDuration::from_secs_f64(ended);
    // If the answer to a leg query reported the end, the time of the query counts.
    assert!(ended >= gone - SignedDuration::from_secs(1), "{pbx_id}: ended {ended} before {gone}");
    SignedDuration::from_secs_f64(released) - ended
}

#[actix::test]
async fn a_hang_up_in_any_phase_stops_everything_except_the_clone() {
    let world = Plan { clone_delay: "6000", ..Plan::default() };
    let plan = PbxPlan { world, greeting_ms: 2_000, ..PbxPlan::default() };
    let world = PbxWorld::with(plan.env("CLONE_CONCURRENCY", "8").env("NOTICE_MESSAGE", LONG_NOTICE)).await;
    let agent_rings = Turn {
        outcome: Outcome::Answered,
        after_ms: Some(60_000),
        destination: Some(AGENT.to_owned()),
        ..Turn::default()
    };
    world.pbx.set_routeto(vec![agent_rings]);
    // The first leg cannot be answered.
    world.pbx.set_faults(vec![Fault { suffix: "/answer".into(), status: Some(422), ..Fault::default() }]);
    let mut calls = Vec::new();
    for n in 1..=5 {
        let mode = if n == 1 { Mode::NeedsAnswer } else { Mode::Connected };
        let caller = world.known_caller(n).await;
        let pbx_id = world.rings_so(NewCall { mode, ..NewCall::from(&caller) });
        calls.push((world.call_of(&pbx_id).await, pbx_id));
    }
    let [ringing, told, greeted, held, routed] = calls.as_slice() else { panic!("five calls") };
    world.until("every voice is being cloned", || async { world.uploads() == 5 }).await;
    world
        .until("the leg rings", || async {
            world.events(ringing.0).await.contains(&"leg_ringing".to_owned())
        })
        .await;
    world.hangs_up(&ringing.1);
    world.hears(&told.1, &world.notice().await.start(50)).await;
    world.hangs_up(&told.1);
    world.hears(&greeted.1, &world.greeting.start(100)).await;
    world.hangs_up(&greeted.1);
    world.hears(&held.1, &world.hold.start(50)).await;
    world.in_state(held.0, "holding").await;
    world.hangs_up(&held.1);
    world.in_state(routed.0, "handing_off").await;
    world.at_pbx(&routed.1, "the agent's telephone rings", |call| !call.transfers.is_empty()).await;
    world.hangs_up(&routed.1);
    // A caller who hangs up before any audio.
    let at_once = world.rings(&world.mapped_caller(6).await);
    world.hangs_up(&at_once);
    for (call, pbx_id) in &calls {
        let waited = hung_up(&world, pbx_id, *call).await;
        // The leg might return within 2 s, unless the PBX has reported the end of the call.
        let is_certain = pbx_id == &routed.1;
        assert_eq!(waited < SignedDuration::from_millis(1_900), is_certain, "{pbx_id}: {waited}");
    }
    world.until("no call is live", || async { world.app.engine().live().is_empty() }).await;
    for pbx_id in [&ringing.1, &told.1, &greeted.1, &held.1, &at_once] {
        assert!(world.report(pbx_id).transfers.is_empty(), "{pbx_id} was transferred");
    }
    assert!(!world.heard(&told.1).contains(&world.greeting.start(50)));
    let cached = "select count(*) from voice_clone_cache where deleted_at is null";
    world.until("every clone is kept", || async { world.count(cached, &[]).await == 5 }).await;
    let metadata: Value = world.released(held.0).await.get("metadata");
    assert!(metadata["audio"]["written_ms"].as_i64().unwrap() > 1_000, "{metadata}");
    world.stop().await;
}

#[actix::test]
async fn a_leg_is_dropped_as_soon_as_a_pbx_that_was_away_can_be_reached_again() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    world.until("the leg is connected", || async { world.report(&pbx_id).heard_ms > 0 }).await;
    world.pbx.set_faults(vec![Fault { suffix: "/drop".into(), close: true, ..Fault::default() }]);
    world.operator_ends(call).await;
    world.released(call).await;
    // The caller hears nothing by now, and four attempts were not enough once.
    world.until("many attempts", || async { world.asked("POST", "/drop").len() >= 7 }).await;
    assert_eq!(world.report(&pbx_id).ended_at, None, "the PBX has dropped nothing");
    world.pbx.set_faults(Vec::new());
    let report = world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_at.is_some()).await;
    assert_eq!(report.ended_by, Some(EndedBy::Client));
    world.stop().await;
}

/// Every request for this action fails without an answer, as while a PBX restarts its web server.
fn unreachable_for(action: &str) -> Vec<Fault> {
    vec![Fault { suffix: action.into(), close: true, ..Fault::default() }]
}

#[actix::test]
async fn a_leg_is_turned_away_as_soon_as_a_pbx_that_was_away_can_be_reached_again() {
    let world = PbxWorld::with(PbxPlan::default().holding().env("MAX_LIVE_CALLS", "1")).await;
    let first = world.rings(&world.known_caller(1).await);
    world.call_of(&first).await;
    world.pbx.set_faults(unreachable_for("/routeto"));
    let second = world.rings(&world.known_caller(2).await);
    world.until("many attempts", || async { world.asked("POST", "/routeto").len() >= 7 }).await;
    assert!(world.report(&second).transfers.is_empty(), "the PBX has routed nothing");
    world.pbx.set_faults(Vec::new());
    let report = world.at_pbx(&second, "a person is called", |call| !call.transfers.is_empty()).await;
    assert_eq!(report.transfers[0].destination, PERSON);
    world.hangs_up(&first);
    world.hangs_up(&second);
    world.stop().await;
}

#[actix::test]
async fn a_leg_that_cannot_be_routed_is_dropped() {
    let world = PbxWorld::with(PbxPlan::default().holding().env("MAX_LIVE_CALLS", "1")).await;
    let first = world.rings(&world.known_caller(1).await);
    world.call_of(&first).await;
    world.pbx.set_faults(vec![Fault { suffix: "/routeto".into(), status: Some(422), ..Fault::default() }]);
    let second = world.rings(&world.known_caller(2).await);
    let report = world.at_pbx(&second, "the leg is dropped", |call| call.ended_at.is_some()).await;
    assert_eq!(report.ended_by, Some(EndedBy::Client));
    world.hangs_up(&first);
    world.stop().await;
}

#[actix::test]
async fn a_ringing_leg_is_answered_as_soon_as_a_pbx_that_was_away_can_be_reached_again() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    world.pbx.set_faults(unreachable_for("/answer"));
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings_so(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from(&caller) });
    world.until("several attempts", || async { world.asked("POST", "/answer").len() >= 3 }).await;
    world.pbx.set_faults(Vec::new());
    world.until("the leg is connected", || async { world.report(&pbx_id).heard_ms > 0 }).await;
    world.hangs_up(&pbx_id);
    world.stop().await;
}
