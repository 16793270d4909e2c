//! The program reads its configuration again: by SIGHUP during a live call, and for `precall config`.

use nix::sys::signal::Signal;
use precall::config::{ApiKeys, Scope};
use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_simulators::elevenlabs::{Agent, Simulator};
use serde_json::Value;

use crate::program::{Ended, Program, Run};
use crate::support::{
    KEY, Plan, SECRET, caller, connect_to, database, http_client, incoming, start_simulator, until,
};

/// The words of `precall config` with the address of the service.
async fn config(url: &str, words: &[&str]) -> Ended {
    let words = [&["config"], words, &["--url", url]].concat();
    Run::of(&words).env("PRECALL_API_KEY", KEY).end().await
}

async fn ring(url: &str, n: u32) {
    let text = incoming(&format!("pbx-{n}"), &caller(n)).to_string();
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), text.as_bytes(), clock::now());
    let request = http_client().post(format!("{url}/webhook/3cx")).insert_header((name, value));
    assert_eq!(request.send_body(text).await.unwrap().status().as_u16(), 200);
}

/// First words and agent of each greeting.
fn greetings(simulator: &Simulator) -> Vec<[String; 2]> {
    let requests = simulator.requests();
    let dials = requests.iter().filter(|request| {
        let purpose =
            &request["body"]["conversation_initiation_client_data"]["dynamic_variables"]["precall_purpose"];
        request["path"] == crate::support::DIAL && purpose == "greeting"
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = |dial: &Value| {
        let changes = &dial["body"]["conversation_initiation_client_data"]["conversation_config_override"];
        [text(&changes["agent"]["first_message"]), text(&dial["body"]["agent_id"])]
    };
    dials.map(first).collect()
}

async fn reloads(service: &Program, count: usize) {
    until("the service has reloaded", || async {
        service.said("stderr").matches("\"msg\":\"configuration reloaded\"").count() == count
    })
    .await;
}

#[actix::test]
async fn sighup_during_a_live_call_changes_the_next_call_and_not_this_one() {
    let simulator = start_simulator(&Plan::default().conversation_ms(1_500)).await;
    simulator.set_agent(Agent::allowing(&["agent.first_message", "tts.voice_id"]));
    let (database, samples) = (database(), tempfile::tempdir().unwrap());
    let client = connect_to(database.url()).await;
    let released = async || {
        let statement = "select count(*) from call_log where state = 'released'";
        client.query_one(statement, &[]).await.unwrap().get::<_, i64>(0)
    };
    let run = Run::of(&[]).in_production(database.url(), &simulator.url(), samples.path().to_str().unwrap());
    let run = run.env("DRAIN_TIMEOUT_SECONDS", "0").env("LOG_LEVEL", "").env("ELEVENLABS_AGENT_ID", "");
    let first = "GREETING_MESSAGE='Good morning.'\nELEVENLABS_AGENT_ID=agent_one\nLOG_LEVEL=warning\n";
    let mut service = run.dotenv(first).start();
    let url = service.listening().await;
    until("calls are taken", || async {
        let ready = http_client().get(format!("{url}/health/ready")).send().await;
        ready.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    let webhook = precall_simulators::Target {
        url: format!("{url}/webhook/elevenlabs/postcall").parse().unwrap(),
        secret: SECRET.parse().unwrap(),
    };
    simulator.set_webhook(Some(webhook));

    ring(&url, 1).await;
    until("the first greeting", || async { greetings(&simulator).len() == 1 }).await;
    let second = "GREETING_MESSAGE='Good evening.'\nELEVENLABS_AGENT_ID=agent_two\nLOG_LEVEL=info\nPORT=1\n";
    service.write_dotenv(second);
    service.signal(Signal::SIGHUP);
    reloads(&service, 1).await;
    assert_eq!(released().await, 0, "the first call is live");
    ring(&url, 2).await;
    until("both calls are over", || async { released().await == 2 }).await;
    let greetings = greetings(&simulator);
    assert_eq!(greetings[0], ["Good morning.", "agent_one"]);
    assert_eq!(greetings[1], ["Good evening.", "agent_two"]);
    let agents: Vec<String> = simulator
        .requests()
        .iter()
        .filter(|r| r["path"] == crate::support::DIAL)
        .map(|r| r["body"]["agent_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(agents.iter().filter(|agent| *agent == "agent_one").count(), 2, "{agents:?}");
    let log = service.said("stderr");
    let line = log.lines().find(|line| line.contains("configuration reloaded")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["changed"], "ELEVENLABS_AGENT_ID GREETING_MESSAGE LOG_LEVEL");
    // The environment of the process sets it.
    assert_eq!(
        (&line["needs_restart"], &line["hidden_by_environment"]),
        (&Value::from(""), &Value::from("PORT"))
    );
    assert!(!log.contains("\"msg\":\"listening\""), "the line above is of the new level");

    service
        .write_dotenv("GREETING_MESSAGE='Good night.'\nELEVENLABS_AGENT_ID=agent_two\nMAX_LIVE_CALLS=many\n");
    service.signal(Signal::SIGHUP);
    until("the reload was refused", || async {
        service.said("stderr").contains("configuration not reloaded, the old one stays in use")
    })
    .await;
    assert!(service.said("stderr").contains("MAX_LIVE_CALLS (.env line 3)"), "{}", service.said("stderr"));
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));
}

#[actix::test]
async fn the_command_shows_and_reloads_what_the_service_uses() {
    let simulator = start_simulator(&Plan::default()).await;
    let (database, samples) = (database(), tempfile::tempdir().unwrap());
    let run =
        Run::of(&["serve"]).in_production(database.url(), &simulator.url(), samples.path().to_str().unwrap());
    let run = run.env("API_KEYS", &ApiKeys::entry("anna", Scope::Admin, KEY).unwrap());
    let mut service = run.env("DRAIN_TIMEOUT_SECONDS", "0").dotenv("MAX_LIVE_CALLS=7\n").start();
    let url = service.listening().await;
    let line = |text: &str, name: &str| {
        text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap_or_default().to_owned()
    };
    let shown = config(&url, &["show", "--running"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(line(&shown.stdout, "MAX_LIVE_CALLS").ends_with(" 7 (.env line 1)"), "{}", shown.stdout);
    assert!(line(&shown.stdout, "WEBHOOK_SECRET").ends_with(" set (environment)"), "{}", shown.stdout);
    service.write_dotenv("MAX_LIVE_CALLS=8\nDATABASE_OUTAGE_MAX_SECONDS=77\n");
    let shown = config(&url, &["show", "--running"]).await;
    let [limit, outage] =
        ["MAX_LIVE_CALLS", "DATABASE_OUTAGE_MAX_SECONDS"].map(|name| line(&shown.stdout, name));
    assert!(
        limit.ends_with("7 (.env line 1); CHANGED in the files, `precall config reload` applies it"),
        "{limit}"
    );
    assert!(outage.ends_with("; CHANGED in the files, needs a restart"), "{outage}");
    let reloaded = config(&url, &["reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{}", reloaded.stderr);
    assert!(reloaded.stdout.contains("Reloaded, for new calls: MAX_LIVE_CALLS\n"), "{}", reloaded.stdout);
    assert!(
        reloaded.stdout.contains("needs a restart: DATABASE_OUTAGE_MAX_SECONDS\n"),
        "{}",
        reloaded.stdout
    );
    let shown = config(&url, &["show", "--running", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let limit =
        shown["items"].as_array().unwrap().iter().find(|item| item["name"] == "MAX_LIVE_CALLS").unwrap();
    assert_eq!((&limit["value"], &limit["differs"]), (&Value::from("8"), &Value::from(false)));
    service.write_dotenv("MAX_LIVE_CALLS=many\n");
    let refused = config(&url, &["reload"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("MAX_LIVE_CALLS (.env line 1)"), "{}", refused.stderr);
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));
}

#[actix::test]
async fn another_file_of_settings_can_be_named_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precall.env");
    std::fs::write(&file, "MAX_LIVE_CALLS=9\n").unwrap();
    let file = file.to_str().unwrap();
    let run = Run::of(&["config", "show", "--env-file", file]);
    let run = run.in_production("postgresql://a:b@127.0.0.1/x", "http://127.0.0.1:9", "/nowhere");
    let shown = run.clone().end().await;
    assert!(shown.stdout.contains(&format!("9 ({file} line 1)")), "{}{}", shown.stdout, shown.stderr);
    std::fs::remove_file(file).unwrap();
    let refused = run.end().await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--env-file"), "{}", refused.stderr);
}
