//! The service ends in the middle of live calls and comes back: they are taken up again on the same legs.

use precall::simulators::threecx::CallReport;

use crate::support::{PbxPlan, PbxWorld};

/// So long that it is still being given when the service is back.
const LONG_NOTICE: &str = "This call is answered by an artificial voice, and it is recorded.";

#[actix::test]
async fn calls_go_on_where_they_were_when_the_service_comes_back() {
    let plan = PbxPlan { greeting_ms: 5_000, ..PbxPlan::default() };
    let world = PbxWorld::with(plan.holding().env("NOTICE_MESSAGE", LONG_NOTICE)).await;
    let notice = world.notice().await;
    let held = world.rings(&world.known_caller(1).await);
    let on_hold = world.call_of(&held).await;
    world.until("its notice was given", || async {
        world.events(on_hold).await.contains(&"notice_ended".to_owned())
    })
    .await;
    world.hears(&held, &world.greeting.start(100)).await;
    world.presses(&held, "1");
    world.in_state(on_hold, "holding").await;
    let greeted = world.rings(&world.known_caller(2).await);
    let in_greeting = world.call_of(&greeted).await;
    world.hears(&greeted, &world.greeting.start(100)).await;
    world.until("its notice was given", || async {
        world.events(in_greeting).await.contains(&"notice_ended".to_owned())
    })
    .await;
    let told = world.rings(&world.known_caller(3).await);
    let in_notice = world.call_of(&told).await;
    world.hears(&told, &notice.start(100)).await;
    world.in_state(in_greeting, "greeting").await;
    world.in_state(in_notice, "greeting").await;

    let world = world.restart().await;
    let calls = [(&held, on_hold), (&greeted, in_greeting), (&told, in_notice)];
    let again = |call: &CallReport| call.posts_opened == 2;
    for (pbx_id, call) in calls {
        world.at_pbx(pbx_id, "its audio goes on", again).await;
        assert_eq!(world.call_of(pbx_id).await, call, "another call was made of it");
    }
    // Whoever had not heard all of the notice hears it from its beginning, and the greeting after it.
    world.hears(&told, &notice).await;
    world.hears(&told, &world.greeting.start(100)).await;
    world.presses(&told, "1");
    for (pbx_id, call) in calls {
        world.in_state(call, "holding").await;
        world.operate(&format!("/api/v1/calls/{call}/handoff")).await;
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        let heard = world.heard(pbx_id);
        assert_eq!(heard.count(&notice), 1, "{pbx_id}");
        assert_eq!(heard.count(&world.greeting.start(100)), 1, "greeted again: {pbx_id}");
        assert_eq!(world.report(pbx_id).posts_opened, 2);
        assert_eq!(world.report(pbx_id).trunk.unwrap().voice_id, row.get("cloned_voice_id"));
        let resumed = world.events(call).await.into_iter().filter(|kind| kind == "resumed").count();
        assert_eq!(resumed, 1);
    }
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 3);
    world.stop_after_cuts().await;
}

#[actix::test]
async fn a_caller_who_hung_up_while_nobody_served_is_let_go() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let gone = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&gone).await;
    world.in_state(call, "holding").await;
    let world = world.restart_while(|pbx| assert!(pbx.hang_up(&gone))).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "lost_in_restart");
    assert_eq!(row.get::<_, String>("blame"), "precall");
    assert_eq!(world.report(&gone).posts_opened, 1);
    world.stop().await;
}
