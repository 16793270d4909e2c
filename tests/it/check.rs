//! `precall check` against broken set-ups: each says what is wrong, and none is ok.

mod here;
mod pbx;
mod provider;

use std::path::PathBuf;
use std::time::Duration;

use precall::cli::check::{Finding, Level, Options, findings};
use precall::config::Config;
use precall_embedded_postgres::template::TestDatabase;
use precall_simulators::elevenlabs::{self, Account, Agent, AgentAudio, Fault};
use precall_simulators::threecx;
use serde_json::{Value, json};

use crate::support::{
    CLIENT, PERSON, Plan, SECRET, allowing_agent, caller, connect_to, consent, database, fault,
    start_simulator, write_sample,
};

const AGENT_ID: &str = "agent_test";
const GREETING_VOICE: &str = "voice_greeting";
const FALLBACK_VOICE: &str = "voice_fallback";
const NUMBER: &str = "phnum_test";
const WEBHOOK: &str = "webhook_1";
const SUBSCRIPTION: &str = "/v1/user/subscription";
const SIGNED_URL: &str = "/v1/convai/conversation/get-signed-url";

/// A sound set-up around real simulators and a real database, which a case breaks.
struct Setup {
    provider: elevenlabs::Simulator,
    pbx: threecx::Simulator,
    database: TestDatabase,
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Setup {
    async fn sound() -> Self {
        let plan = Plan { voice_slots: 30, ..Plan::default() };
        let provider = start_simulator(&plan).await;
        provider.set_account(account());
        let options = threecx::Options::new(CLIENT, SECRET.parse().unwrap());
        let pbx = threecx::Simulator::start(options).await.unwrap();
        let (database, folder) = (database(), tempfile::tempdir().unwrap());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let env = [
            ("ENVIRONMENT", "development"),
            ("DATABASE_URL", database.url()),
            ("ELEVENLABS_API_KEY", "test-key"),
            ("ELEVENLABS_AGENT_ID", AGENT_ID),
            ("ELEVENLABS_PHONE_NUMBER_ID", NUMBER),
            ("ELEVENLABS_API_BASE", &provider.url()),
            ("AGENT_CONCURRENCY", "10"),
            ("MAX_LIVE_CALLS", "10"),
            ("GREETING_VOICE_ID", GREETING_VOICE),
            ("FALLBACK_VOICE_ID", FALLBACK_VOICE),
            ("CALL_ROUTE", "bridge"),
            ("THREECX_BASE_URL", &pbx.base_url()),
            ("THREECX_CLIENT_ID", CLIENT),
            ("THREECX_CLIENT_SECRET", SECRET),
            ("THREECX_SIMULTANEOUS_CALLS", "16"),
            ("FALLBACK_DESTINATION", PERSON),
            ("NOTICE_MESSAGE", "Taped."),
            ("THREECX_WEBHOOK_SECRET", SECRET),
            ("WEBHOOK_SECRET", SECRET),
            ("DEFAULT_REGION", "US"),
            ("CALLBACK_COUNTRIES", "US"),
            ("LOCAL_VOICE_SAMPLES_PATH", &folder.path().display().to_string()),
            ("SPOOL_DIR", &path("spool")),
            ("ERASURE_LEDGER", &path("erasures.jsonl")),
            ("PROMPT_CACHE_DIR", &path("prompts")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let setup = Self { provider, pbx, database, folder, env };
        setup.map(1, true).await;
        setup
    }

    /// Maps a caller to a sample; `consented`: with the consent of the speaker.
    async fn map(&self, n: u32, consented: bool) {
        let sample = self.sample(n);
        write_sample(&sample, n);
        let insert =
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'T')";
        self.execute(insert, &[&caller(n), &format!("{n}.wav")]).await;
        if consented {
            consent(self.database.url(), &caller(n), &sample).await;
        }
    }

    fn sample(&self, n: u32) -> PathBuf {
        self.folder.path().join(format!("{n}.wav"))
    }

    async fn execute(&self, statement: &str, values: &[&(dyn tokio_postgres::types::ToSql + Sync)]) {
        connect_to(self.database.url()).await.execute(statement, values).await.unwrap();
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    async fn findings(&self) -> Vec<Finding> {
        let config = Config::from_pairs(self.env.clone()).expect("the configuration is valid");
        findings(&config, Options { within: Duration::from_secs(3), threecx: true }).await
    }

    async fn stop(self) {
        self.provider.stop().await;
        self.pbx.stop().await;
    }
}

fn account() -> Account {
    serde_json::from_value(account_json()).unwrap()
}

fn account_json() -> Value {
    json!({
        "agents": [AGENT_ID],
        "voices": [GREETING_VOICE, FALLBACK_VOICE],
        "phone_numbers": [{ "phone_number_id": NUMBER }],
        "webhooks": [{
            "webhook_id": WEBHOOK, "webhook_url": "https://calls.example/webhook/elevenlabs/postcall" }],
        "settings": { "post_call_webhook_id": WEBHOOK, "events": ["transcript", "call_initiation_failure"] },
    })
}

/// The account with one value replaced; the place is a JSON pointer.
fn account_with(place: &str, value: Value) -> Account {
    let mut account = account_json();
    let (parent, name) = place.rsplit_once('/').unwrap();
    account.pointer_mut(parent).unwrap()[name] = value;
    serde_json::from_value(account).unwrap()
}

fn refused(path: &str, status: u16, detail: Value) -> Fault {
    Fault { status: Some(status), body: Some(json!({ "detail": detail })), ..fault(path) }
}

fn agent(change: impl FnOnce(&mut Agent)) -> Agent {
    let mut agent = Agent { agent_output_audio_format: AgentAudio::default(), ..allowing_agent() };
    change(&mut agent);
    agent
}

/// An agent that does not allow this override.
fn without(field: &str) -> Agent {
    agent(|agent| agent.allowed_overrides.retain(|allowed| allowed != field))
}

fn pbx_fault(path: &str, suffix: Option<&str>, status: u16) -> threecx::Fault {
    let body = Some(json!({ "error": "not allowed" }));
    threecx::Fault {
        path: path.to_owned(),
        suffix: suffix.unwrap_or_default().to_owned(),
        status: Some(status),
        body,
        ..threecx::Fault::default()
    }
}

/// A broken set-up.
struct Case {
    what: &'static str,
    subject: &'static str,
    level: Level,
    /// What the line must contain.
    says: &'static str,
}

async fn holds(setup: Setup, case: Case) {
    let Case { what, subject, level, says } = case;
    let found = setup.findings().await;
    let is_it = |finding: &&Finding| {
        finding.subject == subject && finding.level == level && finding.text.contains(says)
    };
    let line = found.iter().find(is_it);
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        line.is_some(),
        "{what}: no line of `{subject}` says `{says}` as {level:?}:\n{}",
        shown.join("\n")
    );
    for secret in ["test-key", SECRET] {
        assert!(!shown.join("\n").contains(secret), "{what}: a secret is shown");
    }
    setup.stop().await;
}

fn good(what: &'static str, subject: &'static str, says: &'static str) -> Case {
    Case { what, subject, level: Level::Ok, says }
}

fn wrong(what: &'static str, subject: &'static str, says: &'static str) -> Case {
    Case { what, subject, level: Level::Wrong, says }
}

fn warned(what: &'static str, subject: &'static str, says: &'static str) -> Case {
    Case { what, subject, level: Level::Warning, says }
}

#[actix::test]
async fn a_sound_set_up_is_all_ok() {
    let mut setup = Setup::sound().await;
    // No agent of the simulator sends 8 kHz by default; the conversion is worth a warning, so choose it here.
    setup.provider.set_agent(telephone_audio());
    for route in ["bridge", "callback"] {
        setup.set("CALL_ROUTE", route);
        let found = setup.findings().await;
        let bad: Vec<String> =
            found.iter().filter(|finding| finding.level != Level::Ok).map(ToString::to_string).collect();
        assert_eq!(bad, [] as [String; 0], "{route}");
        assert!(found.len() > 20, "{found:?}");
    }
    let asked = setup.provider.requests();
    assert!(asked.iter().all(|request| request["method"] == "GET"), "the check changed something");
    assert!(setup.pbx.calls().is_empty(), "a telephone rang");
    setup.stop().await;
}

fn telephone_audio() -> Agent {
    agent(|agent| {
        agent.agent_output_audio_format = "pcm_8000".parse().unwrap();
        agent.user_input_audio_format = "pcm_8000".parse().unwrap();
    })
}
