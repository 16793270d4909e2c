//! One door to the whole program for tests: a database of one's own, a simulated ElevenLabs, the service, over real sockets.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests that cannot go on should stop; not every binary uses all of it.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use precall::app::Application;
use precall::config::{ApiKeys, Config, Scope};
use precall::embedded_postgres::template::{TestCluster, TestDatabase};
use precall::signature::{Kind, sign};
use precall::simulators::elevenlabs::{self, Fault, Simulator, Target};
use precall_actors::clock;
use precall_actors::faults::Faults;
use precall_actors::store::{connect, migrate, schema};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

pub const SECRET: &str = "test-secret-of-the-webhooks";
pub const KEY: &str = "test-key-0123456789abcdef0123456789abcdef";
pub const CALLED: &str = "+12025550199";
/// Long enough for the slowest shared machine; a condition that holds is seen at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A migrated database of one test.
pub fn database() -> TestDatabase {
    let cluster = TestCluster::shared(|url| async move {
        let url: connect::DatabaseUrl = url.parse()?;
        let mut connected = connect::connect(&url, "template", connect::Limits::default()).await?;
        migrate::migrate(&mut connected.client, &schema::runner(), migrate::Limits::default()).await?;
        Ok(())
    });
    cluster.expect("the test cluster starts").database().expect("a copy of the template")
}

/// A number that is valid, belongs to nobody, and is this test's own.
pub fn caller(n: u32) -> String {
    format!("+1202555{:04}", 100 + n % 99)
}

/// What a world is made of.
pub struct Plan {
    pub env: Vec<(String, String)>,
    pub clone_delay: &'static str,
    pub conversation: Duration,
    pub voice_slots: u32,
    pub faults: Faults,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            env: Vec::new(),
            clone_delay: "50",
            conversation: Duration::from_millis(150),
            voice_slots: 1_000,
            faults: Faults::default(),
        }
    }
}

impl Plan {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Everything, running.
pub struct World {
    pub app: Application,
    pub simulator: Simulator,
    pub database: TestDatabase,
    pub client: Client,
    pub http: awc::Client,
    samples: tempfile::TempDir,
    plan_env: Vec<(String, String)>,
    faults: Faults,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub async fn with(plan: Plan) -> Self {
        let database = database();
        let simulator = elevenlabs::start(elevenlabs::Options {
            clone_delay: plan.clone_delay.parse().unwrap(),
            conversation: plan.conversation,
            voice_slots: plan.voice_slots,
            ..elevenlabs::Options::default()
        })
        .await
        .unwrap();
        let samples = tempfile::tempdir().unwrap();
        let app = start_app(database.url(), &simulator.url(), samples.path(), &plan.env, &plan.faults).await;
        point_webhooks(&simulator, &app);
        let client = connect_to(database.url()).await;
        let http = awc::Client::builder().timeout(Duration::from_secs(10)).finish();
        let world =
            Self { app, simulator, database, client, http, samples, plan_env: plan.env, faults: plan.faults };
        world.until("the engine is ready", || async { world.app.engine().health().database_reached }).await;
        world
    }

    /// The service goes and comes back on the same database, as after a deployment.
    pub async fn restart(mut self) -> Self {
        self.app.stop_now().await;
        self.app = start_app(
            self.database.url(),
            &self.simulator.url(),
            self.samples.path(),
            &self.plan_env,
            &self.faults,
        )
        .await;
        point_webhooks(&self.simulator, &self.app);
        self.until("the engine is ready", || async { self.app.engine().health().database_reached }).await;
        self
    }

    /// A caller with a sample and a consent.
    pub async fn known_caller(&self, n: u32) -> String {
        let number = caller(n);
        let file = format!("{n}.wav");
        write_sample(&self.samples.path().join(&file), n);
        self.execute(
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'Test')",
            &[&number, &file],
        )
        .await;
        self.execute(
            "insert into consents (caller_id, speaker, basis) values ($1, 'Test', 'recorded')",
            &[&number],
        )
        .await;
        number
    }

    /// Posts a signed 3CX webhook; answers status and body.
    pub async fn post_3cx(&self, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), text.as_bytes(), clock::now());
        self.post("/webhook/3cx", &[(name, &value)], text).await
    }

    /// Posts a signed report.
    pub async fn post_report(&self, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let (name, value) = sign(Kind::ElevenLabs, SECRET.as_bytes(), text.as_bytes(), clock::now());
        self.post("/webhook/elevenlabs/postcall", &[(name, &value)], text).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.app.url()));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let mut answer = request.send_body(body).await.expect("the service answers");
        let bytes = answer.body().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// An authorised read of the API.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.app.url())).bearer_auth(KEY);
        let mut answer = request.send().await.expect("the service answers");
        let bytes = answer.body().limit(16 << 20).await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// An `IncomingCall` that must be accepted; our id of it.
    pub async fn ring(&self, id: &str, caller: &str) -> Uuid {
        let (status, answer) = self.post_3cx(&incoming(id, caller)).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
        answer["call_id"].as_str().unwrap().parse().unwrap()
    }

    /// Waits until the call is released and its agent's report, if it had an agent, is in; the row of `call_log`.
    pub async fn released(&self, call: Uuid) -> Row {
        let statement = "select * from call_log where id = $1 and state = 'released'";
        self.until_row("the call is released", statement, &[&call]).await
    }

    pub async fn completed(&self, call: Uuid) -> Row {
        let statement =
            "select * from call_log where id = $1 and state = 'released' and status = 'completed'";
        self.until_row("the call is completed", statement, &[&call]).await
    }

    pub async fn until_row(&self, what: &str, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Row {
        let begun = Instant::now();
        loop {
            if let Some(row) = self.client.query_opt(statement, values).await.unwrap() {
                return row;
            }
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
            pause().await;
        }
    }

    pub async fn until<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        until(what, condition).await;
    }

    pub async fn count(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> i64 {
        self.client.query_one(statement, values).await.unwrap().get(0)
    }

    pub async fn execute(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) {
        self.client.execute(statement, values).await.unwrap();
    }

    /// The kinds of a call's events, in order; their `seq` must have no gap.
    pub async fn events(&self, call: Uuid) -> Vec<String> {
        let statement = "select seq, event ->> 'kind' from call_events where call = $1 order by seq";
        let rows = self.client.query(statement, &[&call]).await.unwrap();
        for (expected, row) in (1_i64..).zip(&rows) {
            assert_eq!(row.get::<_, i64>(0), expected, "a gap in the log");
        }
        rows.iter().map(|row| row.get(1)).collect()
    }

    /// What the simulator was asked under this path.
    pub fn requests(&self, path: &str) -> Vec<Value> {
        let requests = self.simulator.requests();
        requests.into_iter().filter(|r| r["path"].as_str().is_some_and(|p| p.starts_with(path))).collect()
    }

    pub fn faults(&self, faults: Vec<Fault>) {
        self.simulator.set_faults(faults);
    }

    pub async fn stop(self) {
        self.app.stop_now().await;
        self.simulator.stop().await;
    }
}

pub fn incoming(id: &str, caller: &str) -> Value {
    json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller, "called_number": CALLED,
            "direction": "In" })
}

pub fn ended(id: &str) -> Value {
    json!({ "event_type": "CallEnded", "call_id": id, "duration": 12 })
}

/// Waits for a condition; never for a time.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        pause().await;
    }
}

/// Between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

pub async fn connect_to(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    actix::spawn(async move {
        let _ = connection.await;
    });
    client
}

async fn start_app(
    database: &str,
    provider: &str,
    samples: &Path,
    env: &[(String, String)],
    faults: &Faults,
) -> Application {
    let entry = ApiKeys::entry("tests", Scope::Admin, KEY).unwrap();
    let samples = samples.display().to_string();
    let mut pairs: Vec<(String, String)> = [
        ("ENVIRONMENT", "development"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("HTTP_WORKERS", "1"),
        ("CALL_ARBITERS", "2"),
        ("DATABASE_POOL_SIZE", "4"),
        ("INSTALLATION", "test"),
        ("DATABASE_URL", database),
        ("ELEVENLABS_API_KEY", "test-key"),
        ("ELEVENLABS_AGENT_ID", "agent_test"),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_test"),
        ("ELEVENLABS_API_BASE", provider),
        ("FALLBACK_VOICE_ID", "voice_fallback"),
        ("LOCAL_VOICE_SAMPLES_PATH", &samples),
        ("THREECX_WEBHOOK_SECRET", SECRET),
        ("WEBHOOK_SECRET", SECRET),
        ("DEFAULT_REGION", "US"),
        ("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000"),
        ("API_KEYS", &entry),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for (name, value) in env {
        pairs.retain(|(existing, _)| existing != name);
        pairs.push((name.clone(), value.clone()));
    }
    let config = Config::from_pairs(pairs).expect("the test's configuration is good");
    let log = slog::Logger::root(slog::Discard, slog::o!());
    Application::build(&config, log, faults.clone()).await.expect("the application starts")
}

fn point_webhooks(simulator: &Simulator, app: &Application) {
    let url = format!("{}/webhook/elevenlabs/postcall", app.url()).parse().unwrap();
    simulator.set_webhook(Some(Target { url, secret: SECRET.parse().unwrap() }));
}

/// Two seconds of a tone that no other caller has.
pub fn write_sample(path: &Path, n: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..16_000_u32 {
        let value = (i * (n + 7)) % 8_000;
        writer.write_sample(i16::try_from(value).unwrap()).unwrap();
    }
    writer.finalize().unwrap();
}
