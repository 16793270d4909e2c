//! What the live board says of a call beside its state: since when, and what happened last.

use crate::support::{PbxPlan, PbxWorld, Plan, talkative_agent, until};

#[actix::test]
async fn the_board_knows_since_when_a_call_is_in_its_state() {
    let world = Plan { clone_delay: "6000", ..Plan::default() };
    let world = PbxPlan { world, greeting_ms: 4_000, ..PbxPlan::default() };
    let world = PbxWorld::with(world.bridge_to(talkative_agent())).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let shown = || world.app.engine().live().into_iter().next().expect("the call is live");
    let notice = world.notice().await;
    world.hears(&pbx_id, &notice.start(50)).await;
    let before = shown();
    assert_eq!((before.state, before.voice, before.awaits_voice), ("greeting", "awaited", true));
    assert_eq!(before.voice_decided, None);
    until("the notice is over", || async { shown().last_event == Some("notice_ended") }).await;
    let after = shown();
    assert_eq!(after.state, "greeting");
    assert_eq!(after.state_since, before.state_since, "it is in the same state");
    assert!(after.last_event_at > before.last_event_at);
    assert!(after.state_since >= after.offered_at && after.state_since <= before.last_event_at.0);

    world.in_state(call, "holding").await;
    let holding = shown();
    assert_eq!(holding.state, "holding");
    assert!(holding.state_since > after.last_event_at.0, "another state began");
    world.in_state(call, "conversing").await;
    let talking = shown();
    assert_eq!((talking.voice, talking.awaits_voice), ("cloned", false));
    assert!(talking.voice_decided.is_some_and(|decided| decided > after.last_event_at));
    world.hangs_up(&pbx_id);
    world.stop().await;
}
