//! What an operator asks the running service: `precall status`, `calls`, `why`, and what acts on calls.

use precall::config::{ApiKeys, Scope};
use precall_simulators::elevenlabs;
use serde_json::Value;

use crate::program::{Ended, Run};
use crate::support::{KEY, caller, connect_to, database, pbx_simulator, talkative_agent, until};

/// Words of a command line, with the address of the service.
async fn asked(url: &str, words: &[&str]) -> Ended {
    let ended =
        Run::of(words).arguments(&[words, &["--url", url]].concat()).env("PRECALL_API_KEY", KEY).end().await;
    println!("$ precall {}\n{}{}", words.join(" "), ended.stdout, ended.stderr);
    ended
}

fn says(ended: &Ended, code: i32, all: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    for words in all {
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[actix::test]
async fn an_operator_sees_and_ends_calls_from_the_command_line() {
    let database = database();
    let options = elevenlabs::Options { agent: talkative_agent(), ..Default::default() };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let run = Run::of(&["serve"])
        .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
        .env("API_KEYS", &ApiKeys::entry("anna", Scope::Operate, KEY).unwrap())
        .env("TRANSFER_DESTINATIONS", "sales=200");
    let mut service = run.start();
    let url = service.listening().await;
    until("the service is connected to the PBX", || async { pbx.websockets() > 0 }).await;
    let empty = asked(&url, &["calls"]).await;
    says(&empty, 0, &["no calls"]);

    let number = caller(1);
    let pbx_id = pbx.place_call(precall_simulators::threecx::NewCall::from(&number)).unwrap().call_id;
    let client = connect_to(database.url()).await;
    let in_state = async |state: &str| {
        let statement = "select count(*) from call_log where state = $1";
        client.query_one(statement, &[&state]).await.unwrap().get::<_, i64>(0) == 1
    };
    until("the caller talks with the agent", || in_state("conversing")).await;
    let status = asked(&url, &["status"]).await;
    says(
        &status,
        0,
        &["takes calls", "On the line: 1 (1 conversing)", "Failed in the last hour\n  none", "live calls"],
    );
    let live = asked(&url, &["why", &pbx_id]).await;
    // The key has no scope `pii`.
    says(&live, 0, &["+1*****101", "is live: conversing", "The caller hears the agent for the first time"]);

    says(&asked(&url, &["transfer", &pbx_id, "marketing"]).await, 1, &["TRANSFER_DESTINATIONS: sales"]);
    says(&asked(&url, &["retry-clone", &pbx_id]).await, 0, &["the caller's next call uses it"]);
    says(&asked(&url, &["hangup", &pbx_id]).await, 0, &["is told to end"]);
    until("the call is over", || in_state("released")).await;
    says(&asked(&url, &["hangup", &pbx_id]).await, 1, &["409", "The call has ended"]);
    let over = asked(&url, &["why", &number]).await;
    says(
        &over,
        0,
        &["Operator \"anna\" ended the call", "an operator ended it", "What to do\n  Map the caller"],
    );
    let listed = asked(&url, &["calls", "--since", "1h", "--caller", &number]).await;
    says(&listed, 0, &["operator_ended (operator)", &pbx_id]);
    let json = asked(&url, &["calls", "--json"]).await;
    let calls: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(calls[0]["threecx_call_id"], pbx_id.as_str());

    says(&asked(&url, &["why", "conv_of_nobody"]).await, 1, &["404", "There is no such call"]);
    says(&asked(&url, &["calls", "--since", "soon"]).await, 2, &["must be a number with s, m, h or d"]);
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("report.tar");
    let packed = asked(&url, &["bundle", &pbx_id, "--out", archive.to_str().unwrap()]).await;
    says(
        &packed,
        0,
        &["why.txt", "call.json", "events.json", "live.json", "versions.json", "Numbers are masked"],
    );
    let content = String::from_utf8_lossy(&std::fs::read(&archive).unwrap()).into_owned();
    assert!(content.contains("an operator ended it") && !content.contains(&number[1..]), "{number}");

    says(&asked(&url, &["bypass", "show"]).await, 0, &["No bypass"]);
    let on = asked(&url, &["bypass", "on", "--for", "2h", "--reason", "old prices"]).await;
    says(&on, 0, &["New calls of every line go to FALLBACK_DESTINATION", "anna: old prices"]);
    says(&asked(&url, &["status"]).await, 0, &["bypass is on for every line", "Run `precall bypass off`"]);
    says(&asked(&url, &["bypass", "on"]).await, 2, &["--reason"]);
    says(
        &asked(&url, &["bypass", "on", "--line", "x", "--reason", "y"]).await,
        1,
        &["must be one of: default"],
    );
    let closed = Run::of(&["status", "--url", &url]).end().await;
    says(&closed, 2, &["give an API key"]);
    drop(service);
    says(&asked(&url, &["status"]).await, 1, &[&url]);
    pbx.stop().await;
    provider.stop().await;
}
