//! The service is stopped or killed during calls.

use nix::sys::signal::Signal;
use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_simulators::Target;
use precall_simulators::elevenlabs::Simulator;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::program::{Program, Run, free_port};
use crate::support::{
    Plan, SECRET, caller, connect_to, database, http_client, incoming, start_simulator, until,
};

/// A service in its own process, with a simulator that repeats webhooks soon.
struct Site {
    port: u16,
    simulator: Simulator,
    samples: tempfile::TempDir,
    database: precall_embedded_postgres::template::TestDatabase,
    client: Client,
}

impl Site {
    async fn new() -> Self {
        let simulator = start_simulator(&Plan::default().conversation_ms(1_000)).await;
        let database = database();
        let client = connect_to(database.url()).await;
        let samples = tempfile::tempdir().unwrap();
        let site = Self { port: free_port(), simulator, samples, database, client };
        let url = format!("{}/webhook/elevenlabs/postcall", site.url()).parse().unwrap();
        site.simulator.set_webhook(Some(Target { url, secret: SECRET.parse().unwrap() }));
        site
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn run(&self) -> Run {
        let samples = self.samples.path().to_str().unwrap();
        let run = Run::of(&[]).in_production(self.database.url(), &self.simulator.url(), samples);
        run.env("PORT", &self.port.to_string())
    }

    async fn serve(&self, drain_seconds: &str) -> Program {
        let mut service = self.run().env("DRAIN_TIMEOUT_SECONDS", drain_seconds).start();
        service.listening().await;
        until("calls are accepted", || async { self.get("/health/ready").await == 200 }).await;
        service
    }

    async fn get(&self, path: &str) -> u16 {
        let answer = http_client().get(format!("{}{path}", self.url())).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), text.as_bytes(), clock::now());
        let request = http_client().post(format!("{}/webhook/3cx", self.url())).insert_header((name, value));
        let mut answer = request.send_body(text).await.unwrap();
        let text = answer.body().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&text).unwrap())
    }

    async fn ring(&self, n: u32) -> Uuid {
        let (status, answer) = self.post(&incoming(&format!("pbx-{n}"), &caller(n))).await;
        assert_eq!((status, &answer["status"]), (200, &json!("accepted")), "{answer}");
        answer["call_id"].as_str().unwrap().parse().unwrap()
    }

    async fn count(&self, statement: &str) -> i64 {
        self.client.query_one(statement, &[]).await.unwrap().get(0)
    }

    async fn completed(&self) -> i64 {
        self.count("select count(*) from call_log where status = 'completed' and state = 'released'").await
    }

    /// How many calls were dialled for the greeting and for the agent, and the most dials of one call for one of them.
    fn dials(&self) -> ([usize; 2], usize) {
        let mut counts = std::collections::BTreeMap::<(String, String), usize>::new();
        for request in self.simulator.requests() {
            let data = &request["body"]["conversation_initiation_client_data"];
            if request["path"] == "/v1/convai/sip-trunk/outbound-call" {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let key = (text(&data["dynamic_variables"]["precall_purpose"]), text(&data["user_id"]));
                *counts.entry(key).or_default() += 1;
            }
        }
        let of = |purpose: &str| counts.keys().filter(|(dialled, _)| dialled == purpose).count();
        ([of("greeting"), of("agent")], counts.values().copied().max().unwrap_or(0))
    }
}

#[actix::test]
async fn twenty_calls_survive_sigkill() {
    let site = Site::new().await;
    let service = site.serve("30").await;
    for n in 0..20 {
        site.ring(n).await;
    }
    let some = "select count(*) from conversations where purpose = 'greeting' and provider_id is not null";
    until("the greetings are in progress", || async { site.count(some).await >= 10 }).await;
    service.signal(Signal::SIGKILL);
    assert_eq!(service.end().await.code, None, "killed, no exit code");
    assert!(site.completed().await < 20, "calls were in progress");
    let service = site.serve("30").await;
    until("every call is completed", || async { site.completed().await == 20 }).await;
    // A process that is killed between its intent and the request has not dialled. Nobody can know that, so the call
    // goes on without a greeting: a number is never rung twice.
    let ([greetings, agents], most) = site.dials();
    assert_eq!((agents, most), (20, 1), "one dial for the agent, and none twice");
    assert!((10..=20).contains(&greetings), "{greetings} greetings");
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));
}

#[actix::test]
async fn sigterm_finishes_live_calls_and_refuses_new_ones() {
    let site = Site::new().await;
    let service = site.serve("60").await;
    let mut calls = Vec::new();
    for n in 0..3 {
        calls.push(site.ring(n).await);
    }
    service.signal(Signal::SIGTERM);
    until("the service is draining", || async { site.get("/health/ready").await == 503 }).await;
    let (status, problem) = site.post(&incoming("pbx-late", &caller(9))).await;
    assert_eq!((status, &problem["code"]), (503, &json!("draining")), "{problem}");
    assert_eq!(
        site.post(&incoming("pbx-1", &caller(1))).await.1["status"],
        "duplicate",
        "known calls continue"
    );
    let ended = service.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let waits = ended.stderr.lines().find(|line| line.contains("waiting for live calls to end"));
    let waits = waits.expect("the log names the calls");
    assert!(calls.iter().all(|call| waits.contains(&call.to_string())), "{waits}");
    assert_eq!(site.completed().await, 3);
    assert_eq!(site.count("select count(*) from call_log").await, 3);
}

#[actix::test]
async fn calls_still_live_at_a_stop_are_resumed_at_the_next_start() {
    let site = Site::new().await;
    let service = site.serve("0").await;
    for n in 0..3 {
        site.ring(n).await;
    }
    service.signal(Signal::SIGINT);
    let ended = service.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("stopping with live calls"), "{}", ended.stderr);
    let _service = site.serve("0").await;
    until("every call is completed", || async { site.completed().await == 3 }).await;
    assert_eq!(site.dials(), ([3, 3], 1));
}

#[actix::test]
async fn a_signal_during_the_start_stops_the_service_by_plan() {
    // A database that takes connections and says nothing: the start looks at it for seconds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new().await;
    let database = format!("postgresql://precall@{}/precall", silent.local_addr().unwrap());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let run = site.run().env("DATABASE_URL", &database).env("DRAIN_TIMEOUT_SECONDS", "0");
        let service = run.start();
        until("the port is open", || async { service.said("stderr").contains("\"msg\":\"listening\"") })
            .await;
        assert!(!service.said("stdout").contains("listening"), "the look goes on");
        service.signal(signal);
        let ended = service.end().await;
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
    }
}

#[actix::test]
async fn an_unwritable_log_file_does_not_prevent_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new().await;
    let run = |file: &str| site.run().env("LOG_FILE", file).env("DRAIN_TIMEOUT_SECONDS", "0").start();
    for (file, is_written) in [(folder.path().join("good/x.log"), true), ("/proc/none/x.log".into(), false)] {
        let mut service = run(file.to_str().unwrap());
        service.listening().await;
        service.signal(Signal::SIGTERM);
        let ended = service.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("listening"), "standard error has the same lines");
        let lines = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(lines.contains("\"msg\":\"listening\""), is_written, "{lines}");
    }
}

#[actix::test]
async fn sighup_reloads_the_lines() {
    let site = Site::new().await;
    let service = site.serve("0").await;
    let line = "insert into lines (number, agent_id) values ($1, 'agent_of_the_line')";
    site.client.execute(line, &[&crate::support::CALLED]).await.unwrap();
    service.signal(Signal::SIGHUP);
    until("the lines were loaded", || async { service.said("stderr").matches("lines loaded").count() >= 2 })
        .await;
    site.ring(1).await;
    let agent = || site.simulator.requests().iter().any(|r| r["body"]["agent_id"] == "agent_of_the_line");
    until("the line's agent is dialled", || async { agent() }).await;
}
