//! What the live board says of a call beside its state: since when, its clone, what happened last, and that it ended.

use precall_actors::api::CloneStage;
use precall_base::clock;

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
    let clone = after.clone.expect("the voice is being cloned");
    assert_eq!(clone.stage, CloneStage::Uploading);
    assert!(clone.asked_at <= clone.since && clone.until.is_some_and(|until| until > clone.since));
    assert_eq!((after.attempts, after.problem), (0, None));
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
    assert_eq!(talking.clone.map(|clone| clone.stage), Some(CloneStage::Ready));
    assert_eq!((talking.attempts, talking.problem), (1, None));
    world.hangs_up(&pbx_id);
    let ended = || world.app.engine().board().view(clock::now()).ended;
    until("the call is among the ended ones", || async { !ended().is_empty() }).await;
    let ended = ended().remove(0);
    assert_eq!((ended.id, ended.parties), (talking.id, talking.parties));
    assert!(!ended.failed && ended.ended_at > talking.last_event_at);
    assert!(world.app.engine().live().is_empty());
    world.stop().await;
}
