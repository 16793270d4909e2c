//! How many file descriptors live calls take, and that none is left over.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use precall_base::open_files;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::NewCall;

use crate::program::Run;
use crate::support::{
    caller, connect_to, database, http_client, pause, pbx_simulator, talkative_agent, until,
};

const CALLS: usize = 50;
/// Idle connections are looked at every 30 s.
const SHRINKS_WITHIN: Duration = Duration::from_secs(120);

#[actix::test]
async fn descriptors_return_to_the_base_after_a_burst_of_calls() {
    let database = database();
    let options = elevenlabs::Options {
        conversation: Duration::from_secs(600),
        agent: talkative_agent(),
        ..Default::default()
    };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let run = Run::of(&["serve"])
        .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
        .env("LOG_LEVEL", "info");
    let mut service = run.start();
    let ready = format!("{}/health/ready", service.listening().await);
    let client = connect_to(database.url()).await;
    let in_state = async |state: &str| {
        let statement = "select count(*) from call_log where state = $1";
        let count: i64 = client.query_one(statement, &[&state]).await.unwrap().get(0);
        usize::try_from(count).unwrap()
    };
    until("the service is connected to the PBX", || async { pbx.websockets() > 0 }).await;
    until("calls are accepted", || async {
        http_client().get(&ready).send().await.is_ok_and(|answer| answer.status().as_u16() == 200)
    })
    .await;
    let base = service.descriptors();
    let numbers = (0..CALLS).map(|n| caller(u32::try_from(n).unwrap()));
    let ids: Vec<String> =
        numbers.map(|number| pbx.place_call(NewCall::from(&number)).unwrap().call_id).collect();
    until("every call is in conversation", || async { in_state("conversing").await == CALLS }).await;
    let live = service.descriptors();
    println!("{base} descriptors without calls, {live} with {CALLS} on the bridge");
    assert!(live >= base + 3 * CALLS, "a bridged call has three sockets: {base}, {live}");
    let allowed = usize::try_from(open_files::needed(CALLS)).unwrap();
    assert!(live <= allowed, "{live} descriptors, {allowed} are reckoned with");
    for id in &ids {
        assert!(pbx.hang_up(id));
    }
    until("every call has ended", || async { in_state("released").await == CALLS }).await;
    let begun = Instant::now();
    // Connections to the database are opened when they are needed, and stay. A leak has one for each call at least.
    while service.descriptors() > base + CALLS / 5 {
        let open = service.descriptors();
        assert!(
            begun.elapsed() < SHRINKS_WITHIN,
            "{open} descriptors are still open, {base} before the calls"
        );
        pause().await;
    }
    println!("{} descriptors {:?} after the last call", service.descriptors(), begun.elapsed());
    let log = service.said("stderr") + &service.said("stdout");
    assert!(log.contains("limit of open files"), "{log}");
    pbx.stop().await;
    provider.stop().await;
}
