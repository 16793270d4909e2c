//! How calls arrive: ringing or connected, with a webhook before, after, twice or never, at the route point or
//! elsewhere.

use precall_simulators::threecx::{Fault, Mode, NewCall, WebhookMode};
use serde_json::json;

use crate::support::log_lines::LogLines;
use crate::support::{CALLED, CLIENT, DIAL, PERSON, PbxPlan, PbxWorld, connect_to, ended, incoming};

#[actix::test]
async fn a_ringing_leg_is_answered_and_a_connected_leg_is_greeted() {
    let world = PbxWorld::new().await;
    let ringing = |caller: &str, mode| NewCall { mode, auto_connect_ms: 400, ..NewCall::from(caller) };
    let answered = world.rings_so(ringing(&world.known_caller(1).await, Mode::NeedsAnswer));
    world.completed(world.call_of(&answered).await).await;
    assert_eq!(world.asked("POST", "/answer").len(), 1);
    // From here on the PBX refuses to answer calls.
    world.pbx.set_faults(vec![refuses_to_answer()]);
    let by_itself = world.rings_so(ringing(&world.known_caller(2).await, Mode::Ringing));
    let call = world.call_of(&by_itself).await;
    world.completed(call).await;
    for pbx_id in [&answered, &by_itself] {
        assert!(world.heard(pbx_id).contains(&world.notice().await));
        assert_eq!(world.report(pbx_id).discarded_bytes, 0, "audio before the leg was connected");
        assert_eq!(world.report(pbx_id).posts_opened, 1);
    }
    assert!(world.events(call).await.contains(&"leg_ringing".to_owned()));
    world.stop().await;
}

fn refuses_to_answer() -> Fault {
    Fault { suffix: "/answer".to_owned(), status: Some(422), ..Fault::default() }
}

#[actix::test]
async fn a_call_without_a_usable_leg_is_given_up_after_ten_seconds() {
    let world = PbxWorld::new().await;
    world.pbx.set_faults(vec![refuses_to_answer()]);
    let (stranger, third) = (world.mapped_caller(1).await, world.known_caller(3).await);
    // A webhook without a leg, and a leg that cannot be answered.
    let announced = world.ring("never-a-leg", &world.known_caller(2).await).await;
    let unanswered = world.rings_so(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from(&stranger) });
    // A leg that never accepts audio; the PBX numbers its legs.
    let next = world.report(&unanswered).participant_id + 1;
    let path = format!("/callcontrol/{CLIENT}/participants/{next}/stream");
    world.pbx.set_faults(vec![refuses_to_answer(), Fault { status: Some(404), ..Fault::on(&path) }]);
    let deaf = world.rings(&third);
    assert_eq!(world.report(&deaf).participant_id, next);
    let without_audio = world.call_of(&deaf).await;
    let rings_on = world.call_of(&unanswered).await;
    let row = world.released(announced).await;
    assert_eq!(row.get::<_, String>("cause"), "no_leg");
    assert_eq!(row.get::<_, String>("blame"), "pbx");
    // 3CX routes a leg that it does not let precall answer.
    let row = world.released(rings_on).await;
    let end = ["cause", "blame", "told"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["reached_person", "pbx", "person"]);
    let routed = world.report(&unanswered);
    assert_eq!((routed.transfers.len(), routed.transfers[0].destination.as_str()), (1, PERSON));
    let statement = "select pii ->> 'detail' from call_events where call = $1
        and event ->> 'kind' = 'answer_refused'";
    let words: String = world.client.query_one(statement, &[&rings_on]).await.unwrap().get(0);
    assert!(!words.is_empty(), "the PBX's words are kept");
    let row = world.released(without_audio).await;
    assert_eq!(row.get::<_, String>("cause"), "reached_person");
    assert_eq!(row.get::<_, String>("blame"), "pbx");
    assert_eq!(row.get::<_, String>("told"), "person");
    let report = world.report(&deaf);
    assert_eq!((report.transfers.len(), report.transfers[0].destination.as_str()), (1, PERSON));
    assert_eq!(report.posts_opened, 0);
    // No call back.
    assert_eq!(world.requests(DIAL).len(), 0);
    assert_eq!(world.asked("POST", "/makecall").len(), 0);
    world.stop().await;
}

#[actix::test]
async fn a_webhook_before_or_after_the_leg_makes_no_second_call() {
    let world = PbxWorld::new().await;
    let modes = [WebhookMode::First, WebhookMode::Late, WebhookMode::Double, WebhookMode::None];
    let mut calls = Vec::new();
    for (n, webhook) in (1..).zip(modes) {
        let call = NewCall {
            webhook,
            called: CALLED.to_owned(),
            webhook_late_ms: Some(400),
            ..NewCall::from(&world.known_caller(n).await)
        };
        calls.push(world.rings_so(call));
    }
    for pbx_id in &calls {
        let row = world.completed(world.call_of(pbx_id).await).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        assert_eq!(world.report(pbx_id).posts_opened, 1);
        assert_eq!(world.heard(pbx_id).count(&world.greeting), 1);
    }
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 4);
    let posted = |kind: &str| {
        let webhooks = world.pbx.webhooks();
        webhooks
            .into_iter()
            .filter(|webhook| webhook["event_type"] == kind && webhook["status"] == 200)
            .count()
    };
    world.until("every webhook is answered", || async { posted("IncomingCall") == 4 }).await;
    world.until("and every call end", || async { posted("CallEnded") == 4 }).await;
    world.stop().await;
}

#[actix::test]
async fn a_call_ended_webhook_does_not_end_a_call_with_a_live_leg() {
    let world = PbxWorld::new().await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    world.hears(&pbx_id, &world.notice().await).await;
    assert_eq!(world.post_3cx(&ended(&pbx_id)).await.0, 200);
    assert_eq!(world.post_3cx(&incoming(&pbx_id, &caller)).await.1["status"], "duplicate");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert!(world.heard(&pbx_id).contains(&world.greeting));
    assert!(world.events(call).await.contains(&"pbx_call_ended".to_owned()));
    world.stop().await;
}

#[actix::test]
async fn legs_of_other_dns_are_ignored() {
    let lines = LogLines::default();
    let mut plan = PbxPlan::default();
    plan.world.log = lines.logger();
    plan.pbx.extensions = vec!["150".to_owned()];
    let world = PbxWorld::with(plan).await;
    let (other, ours) = ("+12025550177", world.known_caller(1).await);
    let to_colleague = NewCall { called: "150".to_owned(), ..NewCall::from(other) };
    let not_ours = world.rings_so(to_colleague);
    let leg = world.report(&not_ours).participant_id.to_string();
    let pbx_id = world.rings(&ours);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    world.hangs_up(&not_ours);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    let asked: Vec<String> =
        world.pbx.requests().iter().map(|r| r["path"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(asked.iter().any(|path| path.starts_with(&format!("/callcontrol/{CLIENT}/"))), "{asked:?}");
    let of_other = format!("/participants/{leg}");
    assert!(!asked.iter().any(|path| path.contains("/150") || path.contains(&of_other)), "{asked:?}");
    let kept =
        "select count(*) from call_events where event::text || coalesce(pii::text, '') like '%5550177%'";
    assert_eq!(world.count(kept, &[]).await, 0);
    let lines = lines.all();
    assert!(lines.iter().any(|line| line.starts_with("call offered")), "nothing was logged");
    for line in &lines {
        assert!(!line.contains("5550177") && !line.contains(&format!("leg={leg}")), "{line}");
        assert!(!line.contains(&ours[1..]), "a complete phone number in the log: {line}");
    }
    assert_eq!(world.simulator.voices().as_array().map(Vec::len), Some(1), "{}", json!(lines));
    world.stop().await;
}

#[actix::test]
async fn a_leg_that_appears_while_its_call_ends_without_one_is_a_call_of_its_own() {
    let world = PbxWorld::new().await;
    let caller = world.known_caller(1).await;
    // The PBX numbers its calls.
    let first: u64 = world.rings(&world.known_caller(2).await).parse().unwrap();
    world.hangs_up(&first.to_string());
    let pbx_id = (first + 1).to_string();
    let announced = world.ring(&pbx_id, &caller).await;
    // The end of the call cannot be written: for the supervisor it is live until it is.
    std::fs::remove_dir_all(world.spool()).unwrap();
    let mut blocking = connect_to(&world.url).await;
    let lock = blocking.transaction().await.unwrap();
    lock.batch_execute("lock table call_events in access exclusive mode").await.unwrap();
    let is_over = || async {
        let live = world.app.engine().live();
        live.iter().all(|call| call.id.0 != announced.as_u128() || call.state == "released")
    };
    world.until("the call has given its leg up", is_over).await;
    assert_eq!(world.rings(&caller), pbx_id);
    let leg = format!("/participants/{}", world.report(&pbx_id).participant_id);
    world.until("precall has seen the leg", || async { !world.asked("GET", &leg).is_empty() }).await;
    lock.rollback().await.unwrap();
    world.at_pbx(&pbx_id, "precall plays into the leg", |call| call.posts_opened == 1).await;
    let row = world.released(announced).await;
    assert_eq!(row.get::<_, String>("cause"), "no_leg");
    assert_ne!(world.call_of(&pbx_id).await, announced);
    world.stop().await;
}
