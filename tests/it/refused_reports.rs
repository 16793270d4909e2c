//! ElevenLabs repeats a transcription that was answered with 503. Reports that it sends only once are looked up.

use precall_simulators::elevenlabs::{CallFate, Fault};

use crate::support::cluster::Cluster;
use crate::support::{Plan, World, caller, dial_fault, until};

/// From here on nothing can be stored.
async fn keep_nothing(world: &World, cluster: &mut Cluster) {
    std::fs::remove_dir_all(world.spool()).unwrap();
    cluster.stop().await;
    until("the outage was detected", || async { world.get("/health/ready").await.0 == 503 }).await;
}

async fn keep_again(world: &mut World, cluster: &mut Cluster) {
    cluster.start().await;
    world.ready().await;
    world.reconnect().await;
}

/// The status codes with which precall answered this kind of report, in order.
fn answers(world: &World, kind: &str) -> Vec<u64> {
    let posts = world.simulator.webhooks();
    posts.iter().filter(|post| post["type"] == kind).filter_map(|post| post["status"].as_u64()).collect()
}

fn refused(world: &World, kind: &str) -> bool {
    answers(world, kind).contains(&503)
}

#[actix::test]
async fn a_transcription_answered_with_503_is_delivered_again() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(900)).await;
    let call = world.ring("pbx-1", &caller(1)).await;
    world.conversation(call, "greeting").await;
    keep_nothing(&world, &mut cluster).await;
    until("its report is refused", || async { refused(&world, "post_call_transcription") }).await;
    keep_again(&mut world, &mut cluster).await;
    world.completed(call).await;
    let taken = || answers(&world, "post_call_transcription").iter().filter(|status| **status == 200).count();
    until("both were accepted, each once", || async { taken() == 2 }).await;
    world.stop().await;
}

#[actix::test]
async fn a_failed_dial_whose_only_report_was_lost_is_looked_up() {
    let mut cluster = Cluster::new().await;
    let plan = Plan::default().env("POSTCALL_WAIT_SECONDS", "1");
    let mut world = World::at(cluster.url("postgres"), plan).await;
    world.faults(vec![Fault { call: Some(CallFate::Busy), delay_ms: 1_500, ..dial_fault("agent") }]);
    let call = world.ring("pbx-1", &caller(1)).await;
    until("the agent is dialled", || async { world.dials("agent").len() == 1 }).await;
    keep_nothing(&world, &mut cluster).await;
    until("its report is refused", || async { refused(&world, "call_initiation_failure") }).await;
    assert_eq!(answers(&world, "call_initiation_failure"), [503]);
    keep_again(&mut world, &mut cluster).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("status"), "failed");
    let sql = "select outcome from conversations where call = $1 and purpose = 'agent'";
    let outcome: Vec<String> =
        world.client.query(sql, &[&call]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(outcome, ["failed"]);
    assert_eq!(answers(&world, "call_initiation_failure"), [503], "it was sent only once");
    let fetched = "select count(*) from call_events where call = $1 and event ->> 'kind' = 'reported'
        and event ->> 'purpose' = 'agent' and event ->> 'grade' = 'failed'";
    // The call may have given the dial up before.
    until("the report was looked up", || async { world.count(fetched, &[&call]).await == 1 }).await;
    assert_eq!(world.dials("agent").len(), 1, "the agent was not dialled again");
    world.stop().await;
}
