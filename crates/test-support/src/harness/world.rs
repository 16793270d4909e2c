//! PostgreSQL, the simulated ElevenLabs and the service, each in its own process.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use precall::config::{ApiKeys, Scope};
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_providers::test_peers::tls_front::Front;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::child::Server;
use super::client::{Connection, once, plain, with_key};
use super::{Outcome, usage};
use crate::cluster::Frozen;
use crate::consent::consent_of;
use crate::sound::write_wav;
use crate::world::{CALLED, KEY};

/// The name in the certificates of TLS proxies.
pub(super) const LOCALHOST: &str = "localhost";
/// Signs every webhook.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-bench";
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SAMPLE_FILE: &str = "sample.wav";
/// Voice slots of the simulator. Each call of the bench `calls` uses one.
pub const VOICE_SLOTS: usize = 10_000;

/// The overrides that the simulated agents allow. Without the last one, a greeting lasts as long as a conversation.
const ALLOWED_OVERRIDES: &str = "tts.voice_id,agent.first_message,conversation.max_duration_seconds";

/// Settings that differ between benches.
pub struct Plan {
    /// The path of the program `precall`.
    pub program: &'static str,
    /// How long a conversation lasts. `GREETING_MAX_SECONDS` limits greetings.
    pub conversation: Duration,
    /// How long a clone takes.
    pub clone_delay: Duration,
    /// How many cores the service may use.
    pub cores: Cores,
    /// Whether the service reaches the simulated agents by TLS.
    pub tls: Tls,
    /// Environment variables that are added to the usual ones or replace them.
    pub variables: Vec<(&'static str, &'static str)>,
}

/// How the service reaches a simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Directly.
    Without,
    /// Through a proxy of the bench that speaks TLS.
    With,
}

/// Where the service may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// On all cores.
    All,
    /// On the first core only, by `taskset`. Other processes may use that core as well.
    One,
}

/// The running processes. Dropping it ends them all.
pub struct World {
    /// The service.
    pub service: Server,
    /// The simulated ElevenLabs.
    pub simulator: Server,
    /// The bench's own connection to the database.
    pub database: Client,
    /// URL of the database.
    url: String,
    postmaster: u32,
    health: Option<Connection>,
    version: String,
    program: &'static str,
    variables: BTreeMap<&'static str, String>,
    _front: Option<Front>,
    // Last, because the fields above use them.
    _postgres: EmbeddedPostgres,
    folder: TempDir,
}

/// CPU time by process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// The service.
    pub service: Duration,
    /// PostgreSQL, all processes.
    pub postgres: Duration,
    /// The simulated provider.
    pub simulator: Duration,
    /// The bench itself.
    pub load: Duration,
}

impl Cpu {
    /// The difference to an earlier value.
    pub fn since(self, then: Self) -> Self {
        Self {
            service: self.service.saturating_sub(then.service),
            postgres: self.postgres.saturating_sub(then.postgres),
            simulator: self.simulator.saturating_sub(then.simulator),
            load: self.load.saturating_sub(then.load),
        }
    }
}

impl World {
    /// Starts everything and waits until the service is ready.
    pub async fn start(plan: Plan) -> Outcome<Self> {
        Self::start_with(plan, BTreeMap::new()).await
    }

    /// The same, with more environment variables.
    pub async fn start_with(plan: Plan, more: BTreeMap<&'static str, String>) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = Options::new(DataDir::Temporary, Durability::NoFsync, Install::IfMissing);
        options.settings.push(("max_connections".to_owned(), "50".to_owned()));
        let postgres = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await??;
        let postmaster = usage::postmaster(&postgres.directory().join("data"))?;
        // Four seconds, 128 kB, as the demo's samples are.
        let sample = (0..64_000_u32).map(|n| (n * 97 % 16_000) as i16);
        write_wav(&folder.path().join(SAMPLE_FILE), 16_000, sample);
        let program = Path::new(plan.program);
        // Simulator and service must each know the address of the other, so the port is chosen first.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let webhook = format!("http://127.0.0.1:{port}/webhook/elevenlabs/postcall");
        let (conversation, clone_delay) =
            (plan.conversation.as_millis().to_string(), plan.clone_delay.as_millis().to_string());
        let voice_slots = VOICE_SLOTS.to_string();
        let mut arguments = vec![
            "simulate",
            "elevenlabs",
            "--conversation-ms",
            &conversation,
            "--clone-delay-ms",
            &clone_delay,
            "--voice-slots",
            &voice_slots,
            "--webhook-url",
            &webhook,
            "--webhook-secret",
            SECRET,
            "--allow-override",
            ALLOWED_OVERRIDES,
        ];
        // The proxy and the simulator must each know the address of the other.
        let simulated = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let front = (plan.tls == Tls::With).then(|| Front::before(simulated, LOCALHOST));
        let names =
            front.as_ref().map(|front| (format!("{LOCALHOST}:{}", front.port), simulated.port().to_string()));
        if let Some((front, port)) = &names {
            arguments.extend(["--tls-front", front, "--port", port]);
        }
        let simulator = Server::start(program, &arguments, &BTreeMap::new(), folder.path()).await?;
        let mut variables = variables(&postgres.url("postgres"), &simulator, folder.path(), port);
        variables.extend(plan.variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        variables.extend(more);
        if let Some(front) = &front {
            variables.insert("AGENT_HOSTS", LOCALHOST.to_owned());
            // The certificates of the host, as the service takes them.
            variables.insert("SSL_CERT_FILE", front.ca_file().display().to_string());
        }
        let service = match plan.cores {
            Cores::All => Server::start(program, &["serve"], &variables, folder.path()).await?,
            Cores::One => {
                let pinned = ["--cpu-list", "0", plan.program, "serve"];
                Server::start(Path::new("/usr/bin/taskset"), &pinned, &variables, folder.path()).await?
            }
        };
        wait_until_ready(&service).await?;
        let (database, connection) = tokio_postgres::connect(&postgres.url("postgres"), NoTls).await?;
        tokio::spawn(connection);
        let version = postgres.version().to_owned();
        let url = postgres.url("postgres");
        let _postgres = postgres;
        Ok(Self {
            service,
            simulator,
            database,
            url,
            postmaster,
            health: None,
            version,
            program: plan.program,
            variables,
            _front: front,
            _postgres,
            folder,
        })
    }

    /// Kills the service and starts it again at once, as a service manager does. Returns when it listens: it may not
    /// be ready.
    pub async fn kill_and_start(&mut self) -> Outcome<()> {
        self.service.kill().await?;
        let folder = self.folder.path();
        self.service = Server::start(Path::new(self.program), &["serve"], &self.variables, folder).await?;
        Ok(())
    }

    /// Starts another service on the same database, as on another host.
    pub async fn start_standby(&self) -> Outcome<Server> {
        let folder = self.folder.path().join("standby");
        std::fs::create_dir_all(&folder)?;
        let mut variables = self.variables.clone();
        variables.insert("PORT", "0".to_owned());
        variables.insert("SPOOL_DIR", folder.join("spool").display().to_string());
        Server::start(Path::new(self.program), &["serve"], &variables, &folder).await
    }

    /// Waits until the service takes calls.
    pub async fn until_ready(&self) -> Outcome<()> {
        wait_until_ready(&self.service).await
    }

    /// `SPOOL_DIR`.
    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// PostgreSQL stops where it stands, until the value is dropped: its connections stay open, and nothing answers.
    pub fn freeze_database(&self) -> Frozen {
        Frozen::server_of(self.postmaster)
    }

    /// What the agent of every conversation does.
    pub async fn set_script(&self, script: Vec<Value>) -> Outcome<()> {
        let body = Value::Array(script).to_string();
        let request = format!(
            "PUT /sim/agent HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = once(self.simulator.address, request.as_bytes()).await?;
        if answer.status != 200 {
            return Err(
                format!("the agent cannot be set up: {}", String::from_utf8_lossy(&answer.body)).into()
            );
        }
        Ok(())
    }

    /// Gives each of these callers a sample and a consent.
    pub async fn map(&self, callers: &[String]) -> Outcome<()> {
        let map = "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name)
            select n, $2, 'Bench' from unnest($1::text[]) n";
        self.database.execute(map, &[&callers, &SAMPLE_FILE]).await?;
        let (mut database, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        consent_of(&mut database, &self.folder.path().join(SAMPLE_FILE), callers).await;
        // Otherwise PostgreSQL would keep query plans for empty tables for a while.
        self.database.batch_execute("analyze").await?;
        Ok(())
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Outcome<Cpu> {
        Ok(Cpu {
            service: usage::cpu(self.service.pid()?)?,
            postgres: usage::cpu_with_children(self.postmaster)?,
            simulator: usage::cpu(self.simulator.pid()?)?,
            load: usage::cpu(std::process::id())?,
        })
    }

    /// The number of live calls, from the health page of the service.
    pub async fn live(&mut self) -> Outcome<u64> {
        let request = with_key("GET", "/health", KEY);
        let kept = match self.health.take() {
            Some(mut connection) => {
                connection.exchange(&request).await.ok().map(|answer| (connection, answer))
            }
            None => None,
        };
        // The service closes idle connections.
        let (connection, answer) = match kept.filter(|(_, answer)| answer.status == 200) {
            Some(answered) => answered,
            None => {
                let mut connection = Connection::open(self.service.address).await?;
                let answer = connection.exchange(&request).await?;
                (connection, answer)
            }
        };
        self.health = Some(connection);
        let live = answer.json()?.get("live_calls").and_then(Value::as_u64);
        live.ok_or_else(|| "no live_calls".into())
    }

    /// Waits until no call is live.
    pub async fn until_idle(&mut self, within: Duration) -> Outcome<()> {
        let begun = Instant::now();
        while self.live().await? > 0 {
            if begun.elapsed() > within {
                let left = self.live().await?;
                return Err(format!("{left} calls are still live:\n{}", self.service.log_tail()).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The requests that the simulator received since this was last called.
    pub async fn requests(&self) -> Outcome<Vec<Value>> {
        let answer = once(self.simulator.address, &plain("GET", "/sim/requests")).await?.json()?;
        once(self.simulator.address, &plain("DELETE", "/sim/requests")).await?;
        match answer {
            Value::Array(requests) => Ok(requests),
            _ => Err("the simulator's requests are no list".into()),
        }
    }

    /// The machine and the versions of this measurement.
    pub fn describe(&self) -> String {
        format!("{}; PostgreSQL {}, fsync off", usage::machine(), self.version)
    }
}

/// An `IncomingCall`.
pub fn incoming(id: &str, caller: &str) -> Value {
    json!({
        "event_type": "IncomingCall", "call_id": id, "caller_id": caller, "called_number": CALLED,
        "timestamp": "2026-01-05T09:30:00Z", "direction": "In", "duration": null, "recording_url": null,
    })
}

/// An outbound call: the service checks and answers it, and does nothing else.
pub fn outgoing(id: &str, caller: &str) -> Value {
    json!({
        "event_type": "IncomingCall", "call_id": id, "caller_id": caller, "called_number": CALLED,
        "timestamp": "2026-01-05T09:30:00Z", "direction": "Out", "duration": null, "recording_url": null,
    })
}

fn variables(database: &str, simulator: &Server, folder: &Path, port: u16) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("ENVIRONMENT", "production".to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
        ("METRICS_ADDR", "127.0.0.1:0".to_owned()),
        ("API_KEYS", ApiKeys::entry("bench", Scope::Read, KEY).unwrap()),
        ("INSTALLATION", "bench".to_owned()),
        ("CALL_ROUTE", "callback".to_owned()),
        ("DATABASE_URL", database.to_owned()),
        ("ELEVENLABS_API_KEY", "bench-key".to_owned()),
        ("ELEVENLABS_AGENT_ID", "agent_bench".to_owned()),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_bench".to_owned()),
        ("ELEVENLABS_API_BASE", format!("http://{}", simulator.address)),
        ("FALLBACK_VOICE_ID", "voice_fallback".to_owned()),
        ("LOCAL_VOICE_SAMPLES_PATH", folder.display().to_string()),
        ("THREECX_WEBHOOK_SECRET", SECRET.to_owned()),
        ("WEBHOOK_SECRET", SECRET.to_owned()),
        ("DEFAULT_REGION", "US".to_owned()),
        ("MAX_LIVE_CALLS", "100000".to_owned()),
        ("SOURCE_LIMIT_PER_SECOND", "1000000".to_owned()),
        ("CALLBACK_LIMIT_PER_HOUR", "1000000".to_owned()),
        ("CALLBACK_LIMIT_PER_DAY", "1000000".to_owned()),
        ("CALLBACK_LIMIT_CONCURRENT", "1000000".to_owned()),
        ("CLONE_CONCURRENCY", "64".to_owned()),
        ("SPOOL_DIR", folder.join("spool").display().to_string()),
    ])
}

async fn wait_until_ready(service: &Server) -> Outcome<()> {
    let begun = Instant::now();
    while once(service.address, &plain("GET", "/health/ready")).await?.status != 200 {
        if begun.elapsed() > READY_WITHIN {
            return Err(format!("the service is not ready:\n{}", service.log_tail()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
