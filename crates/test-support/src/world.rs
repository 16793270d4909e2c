//! The whole service for one test: a database of its own and a simulated ElevenLabs, over real sockets.

mod service;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use awc::http::header::HeaderMap;
use precall::app::Application;
use precall::signature::{Kind, sign};
use precall_actors::runtime::fault_injection::Faults;
use precall_base::clock;
use precall_embedded_postgres::template::{TestCluster, TestDatabase};
use precall_simulators::elevenlabs::{self, Fault, Simulator};
use precall_store::connect;
use precall_store::people::consents;
use precall_store::people::consents::EndedWhy;
use precall_store::schema::{embedded, migrate};
use precall_store::verify::{Breach, verify};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

pub use self::service::start_app;
pub(crate) use self::service::target;
use self::service::{env_file, env_line, serve};
use crate::agents::allowing_agent;
use crate::api_document::ApiDocument;
use crate::consent::consent_of;
use crate::plan::Plan;
use crate::sound::write_sample;
use crate::wait::{PATIENCE, pause, until};

/// Signs every webhook of a test.
pub const SECRET: &str = "test-secret-of-the-webhooks";
/// An API key with scope `admin`.
pub const KEY: &str = "test-key-0123456789abcdef0123456789abcdef";
/// The path of outbound calls at the simulated ElevenLabs.
pub const DIAL: &str = "/v1/convai/sip-trunk/outbound-call";
/// The path of voice clones there.
pub const ADD: &str = "/v1/voices/add";
/// The number that callers dial.
pub const CALLED: &str = "+12025550199";

/// A migrated database for one test; dropped with its value.
pub fn database() -> TestDatabase {
    let cluster = TestCluster::shared(|url| async move {
        let url: connect::DatabaseUrl = url.parse()?;
        let mut connected = connect::connect(&url, "template", connect::Limits::default()).await?;
        migrate::migrate(&mut connected.client, &embedded::runner(), migrate::Limits::default()).await?;
        Ok(())
    });
    cluster.expect("the test cluster starts").database().expect("a copy of the template")
}

/// An empty database in the cluster of the tests. It is deleted with the cluster, when the process ends.
pub async fn empty_database(name: &str) -> String {
    let _started = database();
    let cluster = TestCluster::shared(|_| async { Ok(()) }).expect("it was started");
    let client = connect_to(&cluster.postgres().url("postgres")).await;
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    cluster.postgres().url(name)
}

/// A valid number that is reserved for fiction, for caller `n` of a test.
pub fn caller(n: u32) -> String {
    format!("+1202555{:04}", 100 + n % 99)
}

/// Adds a speaker for this caller, who agrees that the sample is cloned.
pub async fn consent(database: &str, number: &str, sample: &Path) -> Uuid {
    let mut client = connect_to(database).await;
    consent_of(&mut client, sample, &[number.to_owned()]).await
}

/// The running service, its database and its simulated ElevenLabs.
pub struct World {
    pub app: Application,
    pub simulator: Simulator,
    /// URL of the database.
    pub url: String,
    pub client: Client,
    pub http: awc::Client,
    _database: Option<TestDatabase>,
    samples: tempfile::TempDir,
    plan_env: Vec<(String, String)>,
    faults: Faults,
    log: slog::Logger,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub async fn with(plan: Plan) -> Self {
        let database = database();
        let url = database.url().to_owned();
        Self { _database: Some(database), ..Self::at(url, plan).await }
    }

    /// On a database that the test manages itself.
    pub async fn at(url: String, plan: Plan) -> Self {
        let simulator = start_simulator(&plan).await;
        Self::around(url, simulator, plan).await
    }

    /// On this database, which is dropped with the world, with a simulator that already runs.
    pub(crate) async fn in_database(database: TestDatabase, simulator: Simulator, plan: Plan) -> Self {
        let url = database.url().to_owned();
        Self { _database: Some(database), ..Self::around(url, simulator, plan).await }
    }

    /// With a simulator that already runs.
    async fn around(url: String, simulator: Simulator, plan: Plan) -> Self {
        let samples = tempfile::tempdir().unwrap();
        let Plan { env, faults, log, .. } = plan;
        let app = serve(&url, &simulator, samples.path(), &env, &faults, &log).await;
        let client = connect_to(&url).await;
        let (http, _database) = (http_client(), None);
        let world =
            Self { app, simulator, url, client, http, _database, samples, plan_env: env, faults, log };
        world.ready().await;
        world
    }

    /// Stops the service and starts it again on the same database, as a deployment does.
    pub async fn restart(self) -> Self {
        let world = self.restart_unreached().await;
        world.ready().await;
        world
    }

    /// As [`Self::restart`], and executes a statement while the service is stopped.
    pub async fn restart_after(mut self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Self {
        self.app.stop_now().await;
        self.client.execute(statement, values).await.unwrap();
        let (provider, samples) = (&self.simulator, self.samples.path());
        self.app = serve(&self.url, provider, samples, &self.plan_env, &self.faults, &self.log).await;
        self.ready().await;
        self
    }

    /// The folder of voice samples and of everything else that the service writes.
    pub fn samples(&self) -> &Path {
        self.samples.path()
    }

    /// Changes variables in the service's file of settings. The service does not read it before a reload.
    pub fn write_settings(&self, changes: &[(&str, &str)]) {
        let path = env_file(self.samples());
        let text = std::fs::read_to_string(&path).unwrap();
        let is_changed = |line: &&str| !changes.iter().any(|(name, _)| line.starts_with(&format!("{name}=")));
        let mut lines: Vec<String> =
            text.lines().filter(is_changed).map(|line| format!("{line}\n")).collect();
        lines.extend(changes.iter().map(|(name, value)| env_line(name, value)));
        std::fs::write(path, lines.concat()).unwrap();
    }

    /// Changes variables and has the service read them. Returns its answer.
    pub async fn reload(&self, changes: &[(&str, &str)]) -> (u16, Value) {
        self.write_settings(changes);
        self.operate("/api/v1/config/reload").await
    }

    /// `SPOOL_DIR`.
    pub fn spool(&self) -> std::path::PathBuf {
        self.samples.path().join("spool")
    }

    /// Waits until the service accepts calls.
    pub async fn ready(&self) {
        self.until("calls are taken", || async { self.get("/health/ready").await.0 == 200 }).await;
    }

    /// Opens the test's own connection again, after the database was stopped.
    pub async fn reconnect(&mut self) {
        self.client = connect_to(&self.url).await;
    }

    /// As [`Self::restart`], while the database is stopped: does not wait until the service is ready.
    pub async fn restart_unreached(self) -> Self {
        self.restart_while(|| ()).await
    }

    /// The same, and runs `meanwhile` while the service is stopped.
    pub(crate) async fn restart_while(mut self, meanwhile: impl FnOnce()) -> Self {
        self.app.stop_now().await;
        meanwhile();
        let (provider, samples) = (&self.simulator, self.samples.path());
        self.app = serve(&self.url, provider, samples, &self.plan_env, &self.faults, &self.log).await;
        self
    }

    /// Creates a caller with a sample and a consent.
    pub async fn known_caller(&self, n: u32) -> String {
        let number = self.mapped_caller(n).await;
        self.consent(&number, &self.sample(n)).await;
        number
    }

    /// Gives the consent of this caller's speaker.
    pub async fn consent(&self, number: &str, sample: &Path) -> Uuid {
        consent(&self.url, number, sample).await
    }

    /// Ends every consent of this speaker in the database only, without telling the service.
    pub async fn withdraw_unseen(&self, speaker: Uuid) {
        let mut client = connect_to(&self.url).await;
        let transaction = client.transaction().await.unwrap();
        let why = EndedWhy::Withdrawn;
        consents::end(&transaction, "default", speaker, why, "test", clock::now()).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Creates a caller with a sample and no consent.
    pub async fn mapped_caller(&self, n: u32) -> String {
        let number = caller(n);
        let file = format!("{n}.wav");
        write_sample(&self.samples.path().join(&file), n);
        self.execute(
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'Test')",
            &[&number, &file],
        )
        .await;
        number
    }

    /// The path of that caller's sample.
    pub fn sample(&self, n: u32) -> PathBuf {
        self.samples.path().join(format!("{n}.wav"))
    }

    /// Posts a signed 3CX webhook. Returns status and body of the answer.
    pub async fn post_3cx(&self, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), text.as_bytes(), clock::wall());
        self.post("/webhook/3cx", &[(name, &value)], text).await
    }

    /// Posts a signed post-call webhook of ElevenLabs.
    pub async fn post_report(&self, body: &Value) -> (u16, Value) {
        let text = body.to_string();
        let (name, value) = sign(Kind::ElevenLabs, SECRET.as_bytes(), text.as_bytes(), clock::wall());
        self.post("/webhook/elevenlabs/postcall", &[(name, &value)], text).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.app.url()));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let mut answer = request.send_body(body).await.expect("the service answers");
        let bytes = answer.body().await.unwrap();
        self.documented(("POST", path), answer.status().as_u16(), answer.headers(), &bytes)
    }

    /// Reads from the API with the admin key.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.app.url())).bearer_auth(KEY);
        let mut answer = request.send().await.expect("the service answers");
        let bytes = answer.body().limit(16 << 20).await.unwrap();
        self.documented(("GET", path), answer.status().as_u16(), answer.headers(), &bytes)
    }

    /// Checks that an answer is as the OpenAPI document says. Returns its status and its body.
    pub fn documented(
        &self,
        (method, path): (&str, &str),
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (u16, Value) {
        let media_type = headers.get("content-type").and_then(|value| value.to_str().ok());
        let objection = ApiDocument::shared().objection((method, path), status, media_type, body);
        assert_eq!(objection, None, "an answer is not as documented");
        (status, serde_json::from_slice(body).unwrap_or(Value::Null))
    }

    /// The page of metrics.
    pub async fn metrics(&self) -> String {
        let mut answer = self.http.get(format!("{}/metrics", self.app.url())).send().await.unwrap();
        let page = answer.body().limit(16 << 20).await.unwrap();
        String::from_utf8_lossy(&page).into_owned()
    }

    /// The value of a series, as the page shows it; 0 while it is absent.
    pub async fn metric(&self, series: &str) -> f64 {
        let page = self.metrics().await;
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Posts to the API with the admin key, without a body.
    pub async fn operate(&self, path: &str) -> (u16, Value) {
        self.post(path, &[("authorization", &format!("Bearer {KEY}"))], String::new()).await
    }

    /// The outbound calls that the simulator received for this purpose, in order.
    pub fn dials(&self, purpose: &str) -> Vec<Value> {
        let about = |request: &Value| {
            request["body"]["conversation_initiation_client_data"]["dynamic_variables"]["precall_purpose"]
                == json!(purpose)
        };
        self.requests(DIAL).into_iter().filter(about).collect()
    }

    /// All requests that the simulator received, without the regular reads of account and agent.
    pub fn asked(&self) -> Vec<Value> {
        let mut requests = self.simulator.requests();
        let looks = ["/v1/user/subscription", "/v1/convai/agents/agent_test"];
        requests.retain(|request| looks.iter().all(|look| request["path"] != *look));
        requests
    }

    /// How many voice clones the simulator was asked for.
    pub fn uploads(&self) -> usize {
        self.requests(ADD).len()
    }

    /// Waits until the call's conversation is known. Returns its id at ElevenLabs.
    pub async fn conversation(&self, call: Uuid, purpose: &str) -> String {
        let statement = "select provider_id from conversations
            where call = $1 and purpose = $2 and provider_id is not null";
        self.until_row("the conversation is known", statement, &[&call, &purpose]).await.get(0)
    }

    /// Waits until the call is in this state. Returns its row.
    pub async fn in_state(&self, call: Uuid, state: &str) -> Row {
        let statement = "select * from call_log where id = $1 and state = $2";
        self.until_row(&format!("the call is {state}"), statement, &[&call, &state]).await
    }

    /// Posts an `IncomingCall` that must be accepted. Returns the id of the call.
    pub async fn ring(&self, id: &str, caller: &str) -> Uuid {
        let (status, answer) = self.post_3cx(&incoming(id, caller)).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
        answer["call_id"].as_str().unwrap().parse().unwrap()
    }

    /// Waits until the call is released. Returns its row of `call_log`.
    pub async fn released(&self, call: Uuid) -> Row {
        let statement = "select * from call_log where id = $1 and state = 'released'";
        self.until_row("the call is released", statement, &[&call]).await
    }

    /// Waits until the call is released and a report has made it `completed`. Returns its row of `call_log`.
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

    /// The kinds of a call's events, in order. Their `seq` must have no gap.
    pub async fn events(&self, call: Uuid) -> Vec<String> {
        let statement = "select seq, event ->> 'kind' from call_events where call = $1 order by seq";
        let rows = self.client.query(statement, &[&call]).await.unwrap();
        for (expected, row) in (1_i64..).zip(&rows) {
            assert_eq!(row.get::<_, i64>(0), expected, "a gap in the log");
        }
        rows.iter().map(|row| row.get(1)).collect()
    }

    /// The requests that the simulator received at paths that begin so.
    pub fn requests(&self, path: &str) -> Vec<Value> {
        let requests = self.simulator.requests();
        requests.into_iter().filter(|r| r["path"].as_str().is_some_and(|p| p.starts_with(path))).collect()
    }

    pub fn faults(&self, faults: Vec<Fault>) {
        self.simulator.set_faults(faults);
    }

    /// Checks the tables as `precall verify` does.
    pub async fn is_sound(&self) {
        let verified = verify(&mut connect_to(&self.url).await).await.unwrap();
        assert_eq!(verified.breaches, [] as [Breach; 0], "{verified:?}");
    }

    pub async fn stop(self) {
        self.is_sound().await;
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

/// A fault on requests of this path.
pub fn fault(path: &str) -> Fault {
    Fault::on(path)
}

/// A fault on the outbound calls of one purpose.
pub fn dial_fault(purpose: &str) -> Fault {
    Fault { body_contains: Some(format!("\"precall_purpose\":\"{purpose}\"")), ..Fault::on(DIAL) }
}

pub async fn connect_to(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    actix::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// An HTTP client with a timeout.
pub fn http_client() -> awc::Client {
    awc::Client::builder().timeout(Duration::from_secs(10)).finish()
}

pub async fn start_simulator(plan: &Plan) -> Simulator {
    elevenlabs::start(elevenlabs::Options {
        clone_delay: plan.clone_delay.parse().unwrap(),
        conversation: plan.conversation,
        voice_slots: plan.voice_slots,
        retry_spacing: vec![plan.retry_after; 1_000],
        agent: allowing_agent(),
        ..elevenlabs::Options::default()
    })
    .await
    .unwrap()
}
