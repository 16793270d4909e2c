//! How bridged conversations continue and end: interrupted, stalled, lost, finished; and what is stored.

use precall_simulators::elevenlabs::{Act, Agent, EndedBy, Fault, ReportFate, Say, Script, Step};
use precall_simulators::threecx::{self, NewCall, StreamFault};
use uuid::Uuid;

use crate::live_bridge::{dialogue, ends, hears, listens, say, waits};
use crate::support::{PbxPlan, PbxWorld, allowing_agent};

/// The stored transcript of a call.
async fn transcript(world: &PbxWorld, call: Uuid) -> String {
    let statement = "select coalesce(transcript, '') from call_log where id = $1";
    world.client.query_one(statement, &[&call]).await.unwrap().get(0)
}

#[actix::test]
async fn an_interrupted_agent_turn_stops_at_once_and_is_not_resumed() {
    let talks_on = Act::Say(Say {
        text: "A very long explanation that nobody wants to hear to its end.".to_owned(),
        ms: Some(6_000),
        interrupt_after_ms: Some(1_000),
        late_pieces: 5,
        ..Say::default()
    });
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![
        say(300),
        listens(),
        // precall and the agent count from different moments how long the caller has spoken.
        waits(500),
        Step::Act(talks_on),
        waits(1_500),
        ends(),
    ]))
    .await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    let talk = &world.talks(call)[0];
    let spoken = world.tone_ms(&pbx_id, talk.tone_hz.unwrap());
    // The first words, what the agent had said by then, and audio in transit: far less than was sent, and none of
    // the late chunks.
    let [first, cut] = &talk.said[..] else { panic!("{:?}", talk.said) };
    let said_ms = first.sent_ms + cut.heard_ms.unwrap();
    assert!(first.sent_ms + cut.sent_ms > said_ms + 900, "it was sent far ahead: {:?}", talk.said);
    let most = usize::try_from(said_ms).unwrap() + 300 + PbxWorld::music_like(talk.tone_hz.unwrap());
    assert!((600..most).contains(&spoken), "heard {spoken} ms of {:?}", talk.said);
    world.audio_never_stopped(&pbx_id, "silence is sent, not nothing");

    // The caller spoke, and the agent answered; then it was interrupted.
    // On a busy machine the answer may come in two parts.
    for share in ["provider", "precall"] {
        let turns = world.metric(&format!("precall_turn_seconds_count{{share=\"{share}\"}}")).await;
        assert!((1.0..=3.0).contains(&turns), "{share}: {turns}");
    }
    let ours = world.metric("precall_turn_seconds_sum{share=\"precall\"}").await;
    assert!((0.0..5.0).contains(&ours), "{ours} s");
    assert_eq!(world.metric("precall_barge_in_seconds_count").await, 1.0);
    let stopped_after = world.metric("precall_barge_in_seconds_sum").await;
    assert!((0.0..5.0).contains(&stopped_after), "{stopped_after} s");
    assert_eq!(world.metric("precall_hold_seconds_count{route=\"bridge\"}").await, 1.0);
    let by_line = "precall_ended_calls_total{line=\"default\",pbx=\"default\",outcome=\"agent\"}";
    assert_eq!(world.metric(by_line).await, 1.0);
    world.stop().await;
}

#[actix::test]
async fn a_stalled_agent_answer_is_covered_with_music_then_the_next_rung_follows() {
    let world = PbxWorld::with(
        PbxPlan::default()
            .bridge(vec![say(400), listens(), hears("Hello?"), Step::Act(Act::Stall { ms: 60_000 })])
            .env("AGENT_STALL_SECONDS", "1"),
    )
    .await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    world.hears(&pbx_id, &world.hold.start(500)).await;
    let statement =
        "select event ->> 'why' from call_events where call = $1 and event ->> 'kind' = 'agent_lost'";
    let lost = world.until_row("the agent is given up", statement, &[&call]).await;
    assert_eq!(lost.get::<_, String>(0), "stalled");
    world.hangs_up(&pbx_id);
    let row = world.released(call).await;
    let statement = "select metadata -> 'audio' -> 'silence_on_agents_turn_ms' ->> 'longest' from call_log
        where id = $1 and metadata -> 'audio' is not null";
    let silence: String = world.until_row("the silence is stored", statement, &[&call]).await.get(0);
    let silence: u64 = silence.parse().unwrap();
    assert!((900..10_000).contains(&silence), "{silence} ms of silence before the music");
    drop(row);
    world.stop().await;
}

#[actix::test]
async fn a_lost_agent_socket_is_reopened_once_with_the_transcript() {
    let plan = PbxPlan::default().bridge(vec![
        say(400),
        listens(),
        hears("I call about my order."),
        Step::Act(Act::Drop {}),
    ]);
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.talk(call, 1).await;
    world.simulator.set_agent(Agent { script: Script::new(dialogue()).unwrap(), ..allowing_agent() });
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    let talks = world.talks(call);
    assert_eq!(talks.len(), 2);
    assert_eq!(talks[1].voice_id.as_ref(), Some(&voice), "the voice stays the same");
    assert_eq!(talks[1].contextual_updates.len(), 1, "{talks:#?}");
    let told = &talks[1].contextual_updates[0];
    assert!(told.len() <= 2_048 && told.contains("I call about my order."), "{told}");
    world.audio_never_stopped(&pbx_id, "music covers the new session");
    world.stop().await;
}

#[actix::test]
async fn a_pbx_that_goes_away_in_a_conversation_is_the_cause() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(120_000)])).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let spoken = "select from call_events where call = $1 and event ->> 'kind' = 'agent_spoke'";
    world.until_row("the agent speaks", spoken, &[&call]).await;
    world.pbx.set_faults(vec![
        threecx::Fault { streams: Some(StreamFault::Reset), ..threecx::Fault::default() },
        threecx::Fault { status: Some(503), ..threecx::Fault::on("/callcontrol") },
    ]);
    let row = world.released(call).await;
    let end = ["cause", "blame", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["pbx_lost", "pbx", "nothing", "completed"], "an agent conversation took place");
    world.pbx.set_faults(Vec::new());
    world.stop_after_cuts().await;
}

#[actix::test]
async fn after_repeated_loss_of_the_agent_the_caller_goes_to_a_person() {
    let plan = PbxPlan::default().bridge(vec![say(400), listens(), Step::Act(Act::Drop {})]);
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    let end = ["cause", "told"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["agent_lost", "person"]);
    let talks = world.talks(call);
    assert!((2..=4).contains(&talks.len()), "{} conversations", talks.len());
    world.stop().await;
}

#[actix::test]
async fn the_last_words_of_an_ending_agent_are_played_in_full() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![
        Step::Act(Act::Say(Say {
            until: precall_simulators::elevenlabs::Until::Sent,
            ms: Some(1_500),
            ..Say::default()
        })),
        ends(),
    ]))
    .await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("told"), "goodbye");
    let report = world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
    assert_eq!(report.ended_by, Some(threecx::EndedBy::Client));
    let voice: String = row.get("cloned_voice_id");
    assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 1_480).await), "the last words were cut");
    world.stop().await;
}

#[actix::test]
async fn a_hang_up_closes_the_agent_socket() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(30_000)])).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    world.hangs_up(&pbx_id);
    let row = world.released(call).await;
    assert_eq!(
        ["cause", "status"].map(|column| row.get::<_, String>(column)),
        ["caller_hung_up", "completed"]
    );
    world.until("the socket is closed", || async { world.talks(call)[0].end.is_some() }).await;
    let talk = &world.talks(call)[0];
    let end = talk.end.as_ref().unwrap();
    assert_eq!((end.by, end.code), (EndedBy::Client, Some(1000)));
    world.stop().await;
}

#[actix::test]
async fn a_hang_up_during_the_greeting_leaves_no_conversation_open() {
    let plan = PbxPlan { greeting_ms: 3_000, ..PbxPlan::default().bridge(vec![say(400), waits(30_000)]) };
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings_so(NewCall { hangup_after_ms: Some(2_600), ..NewCall::from(&caller) });
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "caller_hung_up");
    world
        .until("no socket is open", || async { world.talks(call).iter().all(|talk| talk.end.is_some()) })
        .await;
    world.stop().await;
}

#[actix::test]
async fn a_conversation_ends_at_its_maximum_duration() {
    let plan = PbxPlan::default().bridge(vec![say(400), waits(30_000)]).env("CONVERSATION_MAX_SECONDS", "10");
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "max_duration");
    world.until("the socket is closed", || async { world.talks(call)[0].end.is_some() }).await;
    world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
    world.stop().await;
}

#[actix::test]
async fn the_live_transcript_is_kept_without_a_report_and_replaced_by_one() {
    let lost = Fault { report: ReportFate::None, ..Fault::on("/v1/convai/conversation?") };
    let gone = Fault { status: Some(404), ..Fault::on("/v1/convai/conversations/") };
    let plan = PbxPlan { provider: vec![lost, gone], ..PbxPlan::default().bridge(dialogue()) };
    let world = PbxWorld::with(plan.env("POSTCALL_WAIT_SECONDS", "1")).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    let kept = transcript(&world, call).await;
    assert!(kept.contains("Something is said.") && kept.contains("When are you open?"), "{kept}");
    world.faults(vec![Fault { report: ReportFate::None, ..Fault::on("/v1/convai/conversation?") }]);
    // Now the report can be fetched.
    let statement =
        "select 1 from conversations where call = $1 and purpose = 'agent' and outcome = 'completed'";
    world.until_row("the report is collected", statement, &[&call]).await;
    world.stop().await;
}

#[actix::test]
async fn after_a_restart_the_bridge_is_opened_again() {
    let script = vec![say(400), listens(), hears("I call about my order."), waits(30_000)];
    let world = PbxWorld::with(PbxPlan::default().bridge(script)).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let spoken = "select from call_events where call = $1 and event ->> 'kind' = 'line_spoken'
        and event ->> 'by' = 'caller'";
    world.until_row("the caller's words are stored", spoken, &[&call]).await;
    world.simulator.set_agent(Agent { script: Script::new(dialogue()).unwrap(), ..allowing_agent() });
    let world = world.restart().await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    let talks = world.talks(call);
    assert_eq!(talks.len(), 2);
    let told = &talks[1].contextual_updates;
    assert!(told.len() == 1 && told[0].contains("caller: I call about my order."), "{told:?}");
    assert_eq!(talks[1].user_messages, ["I call about my order."], "the caller's words are answered");
    let sent = &talks[1].initiation["conversation_config_override"]["agent"]["first_message"];
    assert_eq!(sent, "", "the caller was greeted before the restart");
    world.stop_after_cuts().await;
}
