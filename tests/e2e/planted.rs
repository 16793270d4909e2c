//! Secrets, numbers, PINs, words and tokens are planted everywhere, every fault is played, and everything that precall
//! shows is searched for them: its log at level trace, metrics, traces, answers, wire record, bundle and arguments.

mod faults;

use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use precall::config::{ApiKeys, Scope};
use precall_actors::call::pin::hash_pin;
use precall_simulators::Target;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::{self, NewCall, Simulator};
use serde_json::json;

use self::faults::{agent, close_reasons, closed_socket, closing_agent, echo};
use crate::program::{Ended, Program, Run, free_port};
use crate::support::collector::{CollectorAnswer, TestCollector};
use crate::support::{CLIENT, connect_to, database, lasting, until, write_sample};

const PBX_SECRET: &str = "planted-secret-of-the-pbx-client";
const WEBHOOK_SECRET: &str = "planted-secret-of-3cx-webhooks";
const WEBHOOK_PREVIOUS: &str = "planted-secret-of-3cx-webhooks-before";
const REPORT_SECRET: &str = "planted-secret-of-the-reports";
const REPORT_PREVIOUS: &str = "planted-secret-of-the-reports-before";
const INITIATION_SECRET: &str = "planted-secret-of-the-initiation";
const WEBHOOK_TOKEN: &str = "planted-token-of-3cx-webhooks-0123456789";
const PROVIDER_KEY: &str = "planted-key-of-elevenlabs-0123456789";
const COLLECTOR_KEY: &str = "planted-key-of-the-collector";
const ALERT_SECRET: &str = "planted-secret-of-the-alerts-0123456789";
const DATABASE_PASSWORD: &str = "planted-password-of-postgresql";
/// Scope `operate`: it sees no numbers and no words.
const OPERATOR_KEY: &str = "planted-key-of-an-operator-0123456789abcdef";
const STRANGER_KEY: &str = "planted-key-of-a-stranger-0123456789abcdef";
const PIN: &str = "7391548206";
const WRONG_PIN: &str = "8642139750";
const AGENT_WORD: &str = "zwiebelturm";
const CALLER_WORD: &str = "kirschkuchen";

/// What must not be found, and what it is.
const PLANTED: [(&str, &str); 26] = [
    (PBX_SECRET, "secret of the PBX client"),
    (WEBHOOK_SECRET, "secret of 3CX webhooks"),
    (REPORT_SECRET, "secret of the reports"),
    (INITIATION_SECRET, "secret of the initiation"),
    (WEBHOOK_TOKEN, "token of 3CX webhooks"),
    (PROVIDER_KEY, "key of ElevenLabs"),
    (COLLECTOR_KEY, "key of the collector"),
    (ALERT_SECRET, "secret of the alerts"),
    (DATABASE_PASSWORD, "password of PostgreSQL"),
    (OPERATOR_KEY, "API key"),
    (STRANGER_KEY, "wrong API key"),
    (WEBHOOK_PREVIOUS, "secret before"),
    (REPORT_PREVIOUS, "secret before"),
    (PIN, "PIN"),
    (WRONG_PIN, "wrong PIN"),
    (AGENT_WORD, "word of the agent"),
    (CALLER_WORD, "word of the caller"),
    // The last digits of every number that calls, in the spellings of trunks and people.
    ("2555501", "number"),
    ("255-5501", "number"),
    ("255 5501", "number"),
    ("255.5501", "number"),
    ("255%205501", "number"),
    ("255%2D5501", "number"),
    // Every token of the simulated PBX is a JWT with this head. Three letters of it can begin the name of a voice.
    ("eyJhbGciOiJIUzI1Ni", "access token"),
    ("Bearer eyJ", "access token"),
    ("conversation_signature=sig", "signed URL"),
];

/// Caller `n` in one of three spellings.
fn number(n: usize) -> String {
    let last = format!("{:02}", n % 100);
    match n % 3 {
        0 => format!("+1202255{}{last}", "55"),
        1 => format!("(202) 255-55{last}"),
        _ => format!("1 202 255 55{last}"),
    }
}

/// So many faults of each peer are set together, and so many callers ring. Each fault hits one request.
const AT_ONCE: usize = 4;

/// Everything that precall has shown, by where.
#[derive(Default)]
struct Shown(Vec<(String, String)>);

impl Shown {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    /// Each planted value that was found: where, what, and the line.
    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in &self.0 {
            for (planted, what) in PLANTED {
                for line in text.lines().filter(|line| line.contains(planted)) {
                    let at = line.find(planted).unwrap();
                    let from = line.floor_char_boundary(at.saturating_sub(200));
                    let to = line.floor_char_boundary((at + 200).min(line.len()));
                    found.push(format!("{place}: {what}: ...{}...", &line[from..to]));
                }
            }
        }
        found
    }
}

async fn asked(url: &str, words: &[&str]) -> Ended {
    Run::of(words)
        .arguments(&[words, &["--url", url]].concat())
        .env("PRECALL_API_KEY", OPERATOR_KEY)
        .end()
        .await
}

/// Requests that are refused, with what was planted in every part of them.
async fn refusals(url: &str, shown: &mut Shown) {
    let client = awc::Client::builder().timeout(Duration::from_secs(10)).finish();
    let requests = [
        ("GET", "/api/v1/calls".to_owned(), "authorization", format!("Bearer {STRANGER_KEY}"), String::new()),
        (
            "GET",
            format!("/api/v1/calls?caller_id={}&colour=red", "%2B12022555501"),
            "x-api-key",
            OPERATOR_KEY.to_owned(),
            String::new(),
        ),
        (
            "GET",
            "/api/v1/callers/+12022555501".to_owned(),
            "x-api-key",
            OPERATOR_KEY.to_owned(),
            String::new(),
        ),
        (
            "POST",
            "/webhook/3cx".to_owned(),
            "x-3cx-signature",
            format!("t=1,v0={WEBHOOK_SECRET}"),
            json!({ "caller_id": number(1) }).to_string(),
        ),
        (
            "POST",
            format!("/webhook/3cx/{WEBHOOK_TOKEN}"),
            "x-none",
            "1".to_owned(),
            format!("{{\"event_type\": \"{}\", \"caller_id\": \"{}\"", echo().replace('"', ""), number(2)),
        ),
        (
            "POST",
            "/webhook/3cx/planted-secret-of-3cx-webhooks".to_owned(),
            "x-none",
            "1".to_owned(),
            "{}".to_owned(),
        ),
        (
            "POST",
            "/webhook/elevenlabs/postcall".to_owned(),
            "elevenlabs-signature",
            format!("t=1,v0={REPORT_SECRET}"),
            json!({ "data": { "transcript": [AGENT_WORD] } }).to_string(),
        ),
        (
            "POST",
            "/webhook/elevenlabs/initiation".to_owned(),
            "x-initiation-secret",
            format!("{INITIATION_SECRET}-wrong"),
            json!({ "caller_id": number(0) }).to_string(),
        ),
        (
            "PUT",
            "/api/v1/callers/+12022555501".to_owned(),
            "x-api-key",
            OPERATOR_KEY.to_owned(),
            json!({ "pin": PIN }).to_string(),
        ),
    ];
    for (method, path, name, value, body) in requests {
        let request =
            client.request(method.parse().unwrap(), format!("{url}{path}")).insert_header((name, value));
        let mut answer = request.send_body(body).await.unwrap();
        let body = answer.body().limit(1_000_000).await.unwrap();
        shown.add(format!("answer {} to {method} {path}", answer.status()), String::from_utf8_lossy(&body));
    }
}

/// One call: it rings, keys are pressed, the caller talks with the agent and hangs up.
async fn call(n: usize, pbx: &Simulator) {
    let Ok(placed) = pbx.place_call(NewCall::from(&number(n))) else { return };
    lasting(Duration::from_millis(500)).await;
    pbx.dtmf(&placed.call_id, if n.is_multiple_of(2) { PIN } else { WRONG_PIN });
    lasting(Duration::from_millis(2_500)).await;
    pbx.hang_up(&placed.call_id);
}

/// The calls of a round.
async fn ring(round: usize, pbx: &Simulator) {
    join_all((0..AT_ONCE).map(|n| call(round * AT_ONCE + n, pbx))).await;
}

#[actix::test]
async fn nothing_that_is_secret_or_personal_is_shown_anywhere() {
    let (database, samples) = (database(), tempfile::tempdir().unwrap());
    let options = elevenlabs::Options {
        agent: agent(),
        clone_delay: "50..200".parse().unwrap(),
        voice_slots: 1_000,
        retry_spacing: vec![Duration::from_millis(50); 300],
        ..Default::default()
    };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = Simulator::start(threecx::Options::new(CLIENT, PBX_SECRET.parse().unwrap())).await.unwrap();
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let alerts = TestCollector::start(CollectorAnswer::Take).await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let target = |path: &str, secret: &str| {
        Some(Target { url: format!("{url}{path}").parse().unwrap(), secret: secret.parse().unwrap() })
    };
    provider.set_webhook(target("/webhook/elevenlabs/postcall", REPORT_SECRET));
    pbx.set_webhook(target("/webhook/3cx", WEBHOOK_SECRET));
    write_sample(&samples.path().join("known.wav"), 1);
    let client = connect_to(database.url()).await;
    // Every second caller is known; the voice of every third one needs a PIN.
    for n in (0..100).step_by(2) {
        let statement = "insert into caller_voice_mapping
            (caller_id, voice_sample_url, voice_name, voice_policy, pin_hash)
            values ($1, 'known.wav', 'Known', $2, $3)";
        let hash = hash_pin(PIN).unwrap();
        let policy = if n % 6 == 0 { "proof" } else { "number" };
        client.execute(statement, &[&format!("+120225555{n:02}"), &policy, &hash]).await.unwrap();
    }
    let with_password = database.url().replacen("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"), 1);
    assert!(with_password.contains(DATABASE_PASSWORD), "{with_password}");
    let run = Run::of(&["serve"])
        .on_the_bridge(&with_password, &provider.url(), &pbx.base_url(), samples.path())
        .without_limits()
        .env("PORT", &port.to_string())
        .env("LOG_LEVEL", "trace")
        .env("API_KEYS", &ApiKeys::entry("anna", Scope::Operate, OPERATOR_KEY).unwrap())
        .env("THREECX_CLIENT_SECRET", PBX_SECRET)
        .env("THREECX_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .env("THREECX_WEBHOOK_SECRET_PREVIOUS", WEBHOOK_PREVIOUS)
        .env("THREECX_WEBHOOK_TOKEN", WEBHOOK_TOKEN)
        .env("WEBHOOK_SECRET", REPORT_SECRET)
        .env("WEBHOOK_SECRET_PREVIOUS", REPORT_PREVIOUS)
        .env("INITIATION_SECRET", INITIATION_SECRET)
        .env("ELEVENLABS_API_KEY", PROVIDER_KEY)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", &format!("x-key={COLLECTOR_KEY}"))
        .env("ALERT_WEBHOOK_URL", &alerts.url())
        .env("ALERT_WEBHOOK_SECRET", ALERT_SECRET)
        .env("POSTCALL_WAIT_SECONDS", "1");
    let mut service = run.start();
    service.listening().await;
    until("the service is connected to the PBX", || async { pbx.websockets() > 0 }).await;

    let (at_provider, at_pbx) = (faults::of_elevenlabs(), faults::of_3cx());
    let rounds = at_provider.chunks(AT_ONCE).count().max(at_pbx.chunks(AT_ONCE).count());
    let (mut at_provider, mut at_pbx) = (at_provider.chunks(AT_ONCE), at_pbx.chunks(AT_ONCE));
    for round in 0..rounds {
        provider.set_faults(at_provider.next().unwrap_or_default().to_vec());
        pbx.set_faults(at_pbx.next().unwrap_or_default().to_vec());
        ring(round, &pbx).await;
    }
    // Both WebSockets are closed, and the database refuses rows.
    provider.set_faults(Vec::new());
    provider.set_agent(closing_agent());
    client.batch_execute(&faults::of_the_database()).await.unwrap();
    let mut rounds = rounds..;
    for (reason, round) in close_reasons().iter().zip(&mut rounds) {
        pbx.set_faults(Vec::new());
        until("the event socket is open", || async { pbx.websockets() > 0 }).await;
        ring(round, &pbx).await;
        pbx.set_faults(vec![closed_socket(reason)]);
    }
    // The last round has no fault, so that there is a whole conversation.
    client.batch_execute(faults::DATABASE_IS_WELL).await.unwrap();
    pbx.set_faults(Vec::new());
    provider.set_agent(agent());
    until("the event socket is open", || async { pbx.websockets() > 0 }).await;
    ring(rounds.start, &pbx).await;
    let mut shown = Shown::default();
    shown.add("arguments", std::fs::read_to_string(format!("/proc/{}/cmdline", service.pid())).unwrap());
    refusals(&url, &mut shown).await;
    collect(&url, &samples.path().join("bundle.tar"), &mut shown).await;
    for request in collector.requests() {
        // The key of the collector belongs into the head of its requests.
        shown.add("trace", String::from_utf8_lossy(&request.body));
    }
    assert!(!collector.requests().is_empty(), "no trace");
    for request in alerts.requests() {
        shown.add("alert", String::from_utf8_lossy(&request.body));
    }
    stop(service, &mut shown).await;

    let said = "select count(*) from call_events where pii ->> 'text' like $1";
    let said = client.query_one(said, &[&format!("%{AGENT_WORD}%")]).await.unwrap();
    assert!(said.get::<_, i64>(0) > 0, "no conversation took place");
    let found = shown.found();
    assert!(found.is_empty(), "{} places show what they must not:\n{}", found.len(), found.join("\n"));
    pbx.stop().await;
    provider.stop().await;
}

/// What the service shows while it runs.
async fn collect(url: &str, bundle: &std::path::Path, shown: &mut Shown) {
    for path in ["/metrics", "/health", "/health/ready"] {
        let request = awc::Client::default().get(format!("{url}{path}"));
        let mut answer = request.insert_header(("x-api-key", OPERATOR_KEY)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let body = answer.body().limit(10_000_000).await.unwrap();
        shown.add(path, String::from_utf8_lossy(&body));
    }
    let list = asked(url, &["calls", "--json"]).await;
    let calls: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    assert!(calls.len() > 20, "{} calls", calls.len());
    shown.add("calls", list.stdout);
    let status = asked(url, &["status"]).await;
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    shown.add("status", status.stdout);
    for call in calls.iter().take(30) {
        let id = call["id"].as_str().unwrap();
        let why = asked(url, &["why", id, "--wire"]).await;
        assert_eq!(why.code, Some(0), "{}", why.stderr);
        shown.add(format!("why {id}"), format!("{}{}", why.stdout, why.stderr));
    }
    let id = calls[0]["id"].as_str().unwrap();
    let packed = asked(url, &["bundle", id, "--out", bundle.to_str().unwrap()]).await;
    assert_eq!(packed.code, Some(0), "{}", packed.stderr);
    shown.add("bundle", String::from_utf8_lossy(&std::fs::read(bundle).unwrap()));
}

/// Ends the service, and takes all that it has said.
async fn stop(service: Program, shown: &mut Shown) {
    service.signal(Signal::SIGTERM);
    let ended = service.end().await;
    assert!(ended.stderr.lines().count() > 200, "the log is not at level trace: {}", ended.stderr);
    shown.add("standard output", ended.stdout);
    shown.add("log", ended.stderr);
}
