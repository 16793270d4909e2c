//! The clock of the host is set by an hour, in both directions, while calls are live.

use std::path::{Path, PathBuf};
use std::time::Duration;

use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::NewCall;
use serde_json::Value;

use crate::program::Run;
use crate::support::{KEY, SECRET, caller, connect_to, database, pbx_simulator, talkative_agent, until};

const HOUR: i64 = 3_600;
/// Long enough for both steps, and short enough that the test sees its end.
const CONVERSATION: u64 = 20;

/// Steps the clock of the program, whole: it never reads half a file.
fn step(file: &Path, seconds: i64) {
    let new = file.with_extension("new");
    std::fs::write(&new, seconds.to_string()).unwrap();
    std::fs::rename(&new, file).unwrap();
}

async fn health(url: &str) -> Value {
    let client = awc::Client::default();
    let mut answer = client.get(format!("{url}/health")).bearer_auth(KEY).send().await.unwrap();
    answer.json().await.unwrap()
}

/// What health says about the host.
async fn said_of_host(url: &str) -> String {
    let health = health(url).await;
    let problems = health["problems"].as_array().unwrap();
    let of_host = problems.iter().find(|problem| problem["area"] == "host");
    of_host.map(|problem| problem["words"].as_str().unwrap().to_owned()).unwrap_or_default()
}

#[actix::test]
async fn a_step_of_the_clock_neither_ends_nor_prolongs_a_conversation() {
    let database = database();
    let options = elevenlabs::Options {
        conversation: Duration::from_secs(600),
        agent: talkative_agent(),
        ..Default::default()
    };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let file: PathBuf = samples.path().join("clock");
    let run = Run::of(&["serve"])
        .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
        .env("CONVERSATION_MAX_SECONDS", &CONVERSATION.to_string())
        .env(clock::STEP_FILE, file.to_str().unwrap());
    let mut service = run.start();
    let url = service.listening().await;
    let client = connect_to(database.url()).await;
    let ends = async || {
        let statement = "select coalesce(cause, state) from call_log order by call_started_at";
        let rows = client.query(statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    until("the service is connected to the PBX", || async { pbx.websockets() > 0 }).await;
    let pbx_id = pbx.place_call(NewCall::from(&caller(1))).unwrap().call_id;
    until("the call is in conversation", || async { ends().await == ["conversing"] }).await;

    for (seconds, words) in [(HOUR, "s ahead of"), (-HOUR, "s behind")] {
        step(&file, seconds);
        until("health names the step", || async { said_of_host(&url).await.contains(words) }).await;
        assert_eq!(ends().await, ["conversing"], "{seconds}");
        // A sender with the true time is told how far this host is off: by the host's clock, not by precall's own.
        let body = br#"{"event_type":"CallEnded","call_id":"none"}"#;
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), body, clock::wall());
        let request = awc::Client::default().post(format!("{url}/webhook/3cx")).insert_header((name, value));
        let mut refused = request.send_body(body.as_slice()).await.unwrap();
        assert_eq!(refused.status(), 401);
        let problem: Value = refused.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap().to_owned();
        let opposite = if seconds > 0 { "behind this host's clock" } else { "ahead of this host's clock" };
        assert!(detail.contains(opposite) && detail.contains(" s "), "{detail}");
    }
    // The clock stays an hour behind. By it the conversation would go on for more than an hour.
    until("the conversation ends in time", || async { ends().await == ["max_duration"] }).await;
    let log = service.said("stderr") + &service.said("stdout");
    assert!(log.contains("the host's clock was set"), "{log}");
    assert!(pbx.call(&pbx_id).is_some());
    let lasted = "select extract(epoch from call_ended_at - call_started_at)::float8 from call_log";
    let lasted: f64 = client.query_one(lasted, &[]).await.unwrap().get(0);
    let shortest = f64::from(u32::try_from(CONVERSATION).unwrap());
    assert!((shortest..shortest + 60.0).contains(&lasted), "the log says {lasted} s");
    pbx.stop().await;
    provider.stop().await;
}
