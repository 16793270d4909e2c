//! The service restarts during live calls and continues them on the same legs.

use precall_simulators::threecx::{EndedBy, SecondPost};

use crate::live_bridge::{say, waits};
use crate::support::{PERSON, PbxPlan, PbxWorld};

/// Long enough that it still plays when the service is back.
const LONG_NOTICE: &str = "An artificial voice answers now.";

#[actix::test]
async fn after_a_restart_calls_continue_in_their_phase() {
    let plan = PbxPlan { greeting_ms: 5_000, ..PbxPlan::default() };
    let world = PbxWorld::with(plan.holding().env("NOTICE_MESSAGE", LONG_NOTICE)).await;
    let notice = world.notice().await;
    let rings = async |n| {
        let pbx_id = world.rings(&world.known_caller(n).await);
        (world.call_of(&pbx_id).await, pbx_id)
    };
    let (held, greeted, gone) = (rings(1).await, rings(2).await, rings(4).await);
    for (call, pbx_id) in [&held, &greeted, &gone] {
        let given = || async { world.events(*call).await.contains(&"notice_ended".to_owned()) };
        world.until("the notice was played", given).await;
        world.hears(pbx_id, &world.greeting.start(100)).await;
    }
    world.presses(&held.1, "1");
    world.in_state(held.0, "holding").await;
    let told = rings(3).await;
    world.hears(&told.1, &notice.start(100)).await;
    world.in_state(greeted.0, "greeting").await;
    world.in_state(told.0, "greeting").await;

    let world = world.restart_while(|pbx| assert!(pbx.hang_up(&gone.1))).await;
    let calls = [&held, &greeted, &told];
    for (call, pbx_id) in calls {
        world.at_pbx(pbx_id, "the audio continues", |call| call.posts_opened == 2).await;
        assert_eq!(world.call_of(pbx_id).await, *call, "a second call was made for the leg");
    }
    // A caller who had not heard the complete notice hears it from the beginning, then the greeting.
    world.hears(&told.1, &notice).await;
    world.hears(&told.1, &world.greeting.start(100)).await;
    world.presses(&told.1, "1");
    for (call, _) in calls {
        world.in_state(*call, "holding").await;
        world.operator_hands_over(*call).await;
    }
    for (call, pbx_id) in calls {
        let row = world.completed(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        let heard = world.heard(pbx_id);
        assert_eq!(heard.count(&notice), 1, "{pbx_id}");
        assert_eq!(heard.count(&world.greeting.start(100)), 1, "greeted again: {pbx_id}");
        let report = world.report(pbx_id);
        assert_eq!(report.posts_opened, 2);
        assert_eq!(report.trunk.unwrap().voice_id, row.get("cloned_voice_id"));
        let resumed = world.events(*call).await.into_iter().filter(|kind| kind == "resumed").count();
        assert_eq!(resumed, 1);
    }
    // A call whose caller hung up during the restart is released without blame on the caller.
    let row = world.released(gone.0).await;
    assert_eq!(row.get::<_, String>("cause"), "lost_in_restart");
    assert_eq!(row.get::<_, String>("blame"), "precall");
    assert_eq!(world.report(&gone.1).posts_opened, 1);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 4);
    world.stop_after_cuts().await;
}

/// A call in conversation over the bridge, with a changed plan.
async fn conversing(mut plan: PbxPlan, change: impl FnOnce(&mut PbxPlan)) -> (PbxWorld, String, uuid::Uuid) {
    change(&mut plan);
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    (world, pbx_id, call)
}

#[actix::test]
async fn every_restart_brings_the_agent_back_in_the_cloned_voice() {
    const RESTARTS: usize = 4;
    let plan = PbxPlan::default().bridge(vec![say(400), waits(60_000)]);
    let (mut world, pbx_id, call) = conversing(plan, |_| ()).await;
    world.talk(call, 1).await;
    for restart in 1..=RESTARTS {
        world = world.restart().await;
        world.talk(call, restart + 1).await;
        world.in_state(call, "conversing").await;
    }
    let statement = "select event ->> 'rung' from call_events
        where call = $1 and event ->> 'kind' = 'handoff_started' order by seq";
    let rungs = world.client.query(statement, &[&call]).await.unwrap();
    let rungs: Vec<String> = rungs.iter().map(|row| row.get(0)).collect();
    assert_eq!(rungs, vec!["bridge_cloned"; RESTARTS + 1]);
    let voices: Vec<_> = world.talks(call).into_iter().map(|talk| talk.voice_id).collect();
    assert!(voices.iter().all(|voice| voice.is_some() && *voice == voices[0]), "{voices:?}");
    world.hangs_up(&pbx_id);
    world.released(call).await;
    world.stop_after_cuts().await;
}

#[actix::test]
async fn when_the_pbx_drops_a_leg_with_a_broken_stream_the_call_ends_with_that_cause() {
    let plan = PbxPlan::default().bridge(vec![say(400), waits(30_000)]);
    let at_once = Some(std::time::Duration::ZERO);
    let (world, pbx_id, call) = conversing(plan, |plan| plan.pbx.kept_without_post = at_once).await;
    let world = world.restart().await;
    let row = world.released(call).await;
    let end = ["cause", "blame", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["lost_in_restart", "precall", "nothing", "completed"]);
    let report = world.report(&pbx_id);
    assert_eq!((report.ended_by, report.posts_opened), (Some(EndedBy::Silent), 1));
    world
        .until("the agent's session is closed", || async {
            world.talks(call).iter().all(|t| t.end.is_some())
        })
        .await;
    world.stop().await;
}

#[actix::test]
async fn when_the_pbx_refuses_a_second_stream_the_caller_goes_to_a_person() {
    let plan = PbxPlan::default().bridge(vec![say(400), waits(30_000)]);
    let (world, pbx_id, call) = conversing(plan, |plan| plan.pbx.second_post = SecondPost::Never).await;
    let world = world.restart().await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("told"), "person");
    let report = world.report(&pbx_id);
    let to: Vec<&str> = report.transfers.iter().map(|transfer| transfer.destination.as_str()).collect();
    assert_eq!((to, report.posts_opened), (vec![PERSON], 1));
    world.stop().await;
}
