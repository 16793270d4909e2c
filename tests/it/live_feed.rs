//! The PBX stops, returns, loses its calls or revokes tokens: every live call is handled correctly.

use std::collections::BTreeSet;
use std::time::Duration;

use precall_simulators::threecx::{Fault, StreamFault, WsFault};
use uuid::Uuid;

use crate::support::{PbxPlan, PbxWorld};

/// Callers without a cloned voice.
fn stranger(n: u32) -> String {
    format!("+1{}5550{:03}", 201 + 2 * (n % 2), 100 + n)
}

/// Puts this many callers on hold.
async fn on_hold(world: &PbxWorld, callers: u32) -> Vec<(String, Uuid)> {
    let pbx_ids: Vec<String> = (0..callers).map(|n| world.rings(&stranger(n))).collect();
    let mut calls = Vec::new();
    for pbx_id in pbx_ids {
        let call = world.call_of(&pbx_id).await;
        world.in_state(call, "holding").await;
        calls.push((pbx_id, call));
    }
    calls
}

fn live(world: &PbxWorld) -> BTreeSet<Uuid> {
    world.app.engine().live().iter().map(|call| Uuid::from_u128(call.id.0)).collect()
}

#[actix::test]
async fn losing_the_event_stream_loses_no_call_and_repeats_no_greeting() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let calls = on_hold(&world, 50).await;
    let cut =
        Fault { ws: Some(WsFault::Close), ws_close_code: Some(1006), ws_down_ms: 5_000, ..Fault::default() };
    world.pbx.set_faults(vec![cut]);
    world.until("the WebSocket is closed", || async { world.pbx.websockets() == 0 }).await;
    let (ending, staying) = calls.split_at(10);
    for (pbx_id, _) in ending {
        world.hangs_up(pbx_id);
    }
    // A call that arrives meanwhile is found in the list of legs.
    let meanwhile = world.rings(&stranger(60));
    world.until("the service is connected again", || async { world.pbx.websockets() > 0 }).await;
    let newcomer = world.call_of(&meanwhile).await;
    for (pbx_id, call) in ending {
        let row = world.released(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "caller_hung_up", "{pbx_id}");
    }
    world.in_state(newcomer, "holding").await;
    let expected: BTreeSet<Uuid> = staying.iter().map(|(_, call)| *call).chain([newcomer]).collect();
    world.until("exactly the remaining calls are live", || async { live(&world) == expected }).await;
    for (pbx_id, call) in staying.iter().chain([&(meanwhile.clone(), newcomer)]) {
        assert_eq!(world.report(pbx_id).posts_opened, 1);
        assert_eq!(world.heard(pbx_id).count(&world.greeting), 1);
        let events = world.events(*call).await;
        let connected = events.iter().filter(|kind| *kind == "leg_connected").count();
        assert_eq!(connected, 1, "{events:?}");
        assert!(!events.contains(&"leg_gone".to_owned()), "{events:?}");
    }
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 51);
    for (pbx_id, call) in staying.iter().chain([&(meanwhile.clone(), newcomer)]) {
        world.operator_ends(*call).await;
        world.at_pbx(pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
    }
    world.stop().await;
}

#[actix::test]
async fn a_pbx_restart_ends_its_calls_and_a_reused_call_id_is_a_new_call() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let calls = on_hold(&world, 5).await;
    world.pbx.restart();
    for (pbx_id, call) in &calls {
        let row = world.released(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "caller_hung_up", "{pbx_id}");
        assert_eq!(row.get::<_, String>("blame"), "caller");
    }
    // The same callers, with the same call ids at the PBX.
    let old: BTreeSet<Uuid> = calls.iter().map(|(_, call)| *call).collect();
    let ids: BTreeSet<&String> = calls.iter().map(|(pbx_id, _)| pbx_id).collect();
    let again: Vec<String> = (0..5).map(|n| world.rings(&stranger(n))).collect();
    for pbx_id in &again {
        assert!(ids.contains(&pbx_id), "the PBX reuses ids");
        let statement = "select id from call_log where threecx_call_id = $1 and state <> 'released'";
        let new: Uuid = world.until_row("a new call", statement, &[&pbx_id]).await.get(0);
        assert!(!old.contains(&new));
        world.hears(pbx_id, &world.notice().await).await;
        world.hears(pbx_id, &world.greeting).await;
        world.operator_ends(new).await;
    }
    world.stop().await;
}

#[actix::test]
async fn two_anonymous_callers_make_two_calls() {
    let world = PbxWorld::new().await;
    let calls = [world.rings("Anonymous"), world.rings("Anonymous")];
    let mut ours = BTreeSet::new();
    for pbx_id in &calls {
        let report = world.at_pbx(pbx_id, "the call is with the agent", |call| call.trunk.is_some()).await;
        assert_eq!(report.trunk.unwrap().voice_id.as_deref(), Some("voice_fallback"));
        assert_eq!(report.posts_opened, 1);
        let heard = world.heard(pbx_id);
        assert!(heard.contains(&world.notice().await));
        assert_eq!(heard.count(&world.greeting), 1);
        let call = world.call_of(pbx_id).await;
        let row = world.in_state(call, "conversing").await;
        assert_eq!(row.get::<_, Option<String>>("caller_id"), None);
        assert_eq!(row.get::<_, Option<String>>("cloned_voice_id"), None);
        ours.insert(call);
    }
    assert_eq!(ours.len(), 2);
    assert_eq!(world.uploads(), 0);
    for call in ours {
        world.operator_ends(call).await;
    }
    world.stop().await;
}

#[actix::test]
async fn a_revoked_token_is_replaced_and_the_audio_continues() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "holding").await;
    world.pbx.revoke_tokens();
    world.pbx.set_faults(vec![Fault { streams: Some(StreamFault::Reset), ..Fault::default() }]);
    world.at_pbx(&pbx_id, "the audio stream is open again", |call| call.posts_opened == 2).await;
    world.pbx.set_faults(Vec::new());
    world.operator_hands_over(call).await;
    let row = world.completed(call).await;
    let report = world.report(&pbx_id);
    assert!(report.breaks_ms.iter().all(|ms| *ms <= 500), "{:?}", report.breaks_ms);
    assert_eq!(world.heard(&pbx_id).count(&world.greeting), 1);
    assert_eq!(report.trunk.unwrap().voice_id, row.get("cloned_voice_id"));
    world.stop_after_cuts().await;
}

#[actix::test]
async fn calls_continue_when_an_expired_token_cuts_their_streams() {
    let mut plan = PbxPlan { greeting_ms: 4_000, ..PbxPlan::default() }.holding();
    plan.pbx.token_ttl = Duration::from_secs(3);
    let world = PbxWorld::with(plan).await;
    let cut = Fault { streams: Some(StreamFault::CloseOnToken), ..Fault::default() };
    world.pbx.set_faults(vec![cut]);
    let mut calls = Vec::new();
    for n in 1..=3 {
        let pbx_id = world.rings(&world.known_caller(n).await);
        calls.push((world.call_of(&pbx_id).await, pbx_id));
    }
    for (call, pbx_id) in &calls {
        world.in_state(*call, "holding").await;
        world.at_pbx(pbx_id, "two tokens have expired", |call| call.posts_opened >= 3).await;
    }
    for (call, pbx_id) in &calls {
        world.operator_hands_over(*call).await;
        let row = world.completed(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        let report = world.report(pbx_id);
        let silences: Vec<u64> = report.breaks_ms.iter().chain(&report.gaps_ms).copied().collect();
        assert!(silences.iter().all(|ms| *ms <= 500), "{silences:?}");
        let heard = world.heard(pbx_id);
        assert_eq!(heard.count(&world.notice().await), 1);
        // Audio in transit at a cut is lost, and nothing is played twice.
        assert_eq!(heard.count(&world.greeting.start(100)), 1);
        assert_eq!(heard.count(&world.greeting.end(100)), 1);
        assert_eq!(report.trunk.unwrap().voice_id, row.get("cloned_voice_id"));
    }
    world.stop_after_cuts().await;
}
