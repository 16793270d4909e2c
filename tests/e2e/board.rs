//! `precall top` against a running service: one picture as text, and the board in a terminal of its own.

use precall::config::{ApiKeys, Scope};
use precall_simulators::elevenlabs;
use precall_simulators::threecx::NewCall;

use crate::program::{Ended, Run};
use crate::support::{KEY, caller, connect_to, database, pbx_simulator, talkative_agent, until};

/// One picture of this size.
async fn picture(url: &str, width: u16, height: u16) -> Ended {
    let (width, height) = (width.to_string(), height.to_string());
    let words = ["top", "--once", "--width", &width, "--height", &height, "--url", url];
    let ended = Run::of(&words).env("PRECALL_API_KEY", KEY).end().await;
    println!("{}{}", ended.stdout, ended.stderr);
    ended
}

fn says(ended: &Ended, all: &[&str]) {
    for words in all {
        assert!(ended.stdout.contains(words), "{words}: {}{}", ended.stdout, ended.stderr);
    }
}

#[actix::test]
async fn one_picture_shows_live_and_ended_calls() {
    let database = database();
    let options = elevenlabs::Options { agent: talkative_agent(), ..Default::default() };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let run = Run::of(&["serve"])
        .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
        .env("API_KEYS", &ApiKeys::entry("anna", Scope::Read, KEY).unwrap());
    let mut service = run.start();
    let url = service.listening().await;
    until("the service takes calls", || async { picture(&url, 120, 40).await.code == Some(0) }).await;
    says(&picture(&url, 120, 40).await, &["precall takes calls", "On the line: 0", "no calls", "Capacity:"]);

    let number = caller(1);
    let pbx_id = pbx.place_call(NewCall::from(&number)).unwrap().call_id;
    let client = connect_to(database.url()).await;
    let in_state = async |state: &str| {
        let statement = "select count(*) from call_log where state = $1";
        client.query_one(statement, &[&state]).await.unwrap().get::<_, i64>(0) == 1
    };
    until("the caller talks with the agent", || in_state("conversing")).await;
    let live = picture(&url, 200, 40).await;
    assert_eq!(live.code, Some(0), "{}", live.stderr);
    let row =
        live.stdout.lines().find(|line| line.contains("bridge")).expect("the call has a row").to_owned();
    for words in ["default", "conversing", "no mapping", "fallback", "ago"] {
        assert!(row.contains(words), "{words}: {row}");
    }
    assert!(!live.stdout.contains(&number[1..]), "numbers are masked");
    says(&live, &["On the line: 1  1 conversing", "Failed in the last hour: 0"]);

    assert!(pbx.hang_up(&pbx_id));
    until("the call is over", || in_state("released")).await;
    let over = picture(&url, 120, 40).await;
    says(&over, &["On the line: 0", "caller hung up", "ended after"]);

    let small = picture(&url, 20, 5).await;
    assert_eq!(small.stdout.lines().count(), 5, "{}", small.stdout);
    drop(service);
    let gone = picture(&url, 80, 24).await;
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(1), ""));
    pbx.stop().await;
    provider.stop().await;
}

#[actix::test]
async fn without_a_terminal_it_says_what_to_use() {
    let ended = Run::of(&["top", "--url", "http://127.0.0.1:9"]).env("PRECALL_API_KEY", KEY).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`precall status --json`"), "{}", ended.stderr);
    let ended = Run::of(&["top", "--once", "--width", "0"]).env("PRECALL_API_KEY", KEY).end().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}
