//! A call on the caller's own leg, from the first ring to the stored rows.

use serde_json::Value;

use crate::support::{AGENT, PbxWorld};

#[actix::test]
async fn a_caller_is_greeted_and_transferred_to_an_agent_in_the_cloned_voice() {
    let world = PbxWorld::new().await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;

    let (heard, notice) = (world.heard(&pbx_id), world.notice().await);
    let told = heard.find(&notice).expect("the whole notice was heard despite a lost beginning");
    let greeted = heard.find(&world.greeting).expect("the whole greeting was heard");
    let held = heard.find(&world.hold.start(60)).expect("then music");
    assert!(told < greeted && greeted < held, "{told} {greeted} {held}");
    assert_eq!(heard.count(&world.greeting), 1);

    let report = world.report(&pbx_id);
    assert_eq!(report.posts_opened, 1);
    assert_eq!(report.transfers.len(), 1);
    assert_eq!(report.transfers[0].destination, AGENT);
    assert_eq!(report.transfers[0].outcome, "answered");
    assert_eq!(report.attached.participant["public_precall_id"], call.to_string());
    let voice: String = row.get("cloned_voice_id");
    assert_eq!(report.trunk.unwrap().voice_id.as_deref(), Some(voice.as_str()));

    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert_eq!(row.get::<_, String>("route"), "transfer");
    assert_eq!(row.get::<_, String>("caller_id"), caller);
    assert!(row.get::<_, Option<String>>("transcript").unwrap().contains(": "));
    let timings: Value = row.get("timings");
    let figure = |name: &str| timings[name].as_i64().unwrap_or_else(|| panic!("no {name}: {timings}"));
    assert!(figure("first_frame_us") < figure("first_sound_us"), "{timings}");
    assert!(figure("notice_ended_ms") < figure("greeting_ended_ms"), "{timings}");
    assert!(figure("greeting_ended_ms") <= figure("handoff_started_ms"), "{timings}");
    let metadata: Value = row.get("metadata");
    assert_eq!(metadata["notice_version"].as_str().map(str::len), Some(12), "{metadata}");
    assert!(metadata["audio"]["written_ms"].as_i64().unwrap() > 1_000, "{metadata}");
    assert_eq!(metadata["audio"]["cuts"], 0, "{metadata}");

    let events = world.events(call).await;
    let order = |kind: &str| {
        events.iter().position(|event| event == kind).unwrap_or_else(|| panic!("no {kind}: {events:?}"))
    };
    for pair in
        ["offered", "leg_connected", "notice_ended", "greeting_ended", "handoff_started", "handoff_succeeded"]
            .windows(2)
    {
        assert!(order(pair[0]) < order(pair[1]), "{events:?}");
    }
    for (table, column, value) in [
        ("clone_ready_events", "greeting_call_id", call.to_string()),
        ("clone_transfer_events", "cloned_voice_id", voice),
    ] {
        let statement = format!("select count(*) from {table} where {column} = $1");
        assert_eq!(world.count(&statement, &[&value]).await, 1, "{table}.{column}");
    }
    world.stop().await;
}
