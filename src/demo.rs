//! The demo: the service with an embedded database, a simulated ElevenLabs, simulated callers, and on the routes with a
//! live leg a simulated PBX.

mod bridged;
mod callers;
mod dialogues;
mod heartbeat;
mod interrupt;
mod pbx;
mod percentiles;
mod ringing;
mod sounds;
mod summary;
pub mod tones;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use precall_actors::api::OperatorOrder;
use precall_actors::runtime::fault_injection::Faults;
use precall_call::{CallId, Operator, Request, Route};
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_simulators::elevenlabs::{self, Agent, CloneDelay, SessionReport, Simulator};
use precall_simulators::{Target, threecx};
use precall_store::connect;
use precall_store::connect::Limits;
use slog::Logger;
use uuid::Uuid;

use crate::app::{AppError, Application};
use crate::config::{ApiKeys, Config, ConfigError, Scope};
use crate::embedded_database::{EmbeddedError, start_server};
use crate::logging::{self, Format, Logging};
use bridged::{Between, Conversed, Listened};
use callers::Callers;
use heartbeat::{Heartbeat, Stalls};
use ringing::{Calls, Door, Ringing, Rung};
use sounds::Sounds;
use tones::Recording;

pub use bridged::{Bridged, Judge};
pub use heartbeat::Machine;
pub use interrupt::Interrupt;
pub use pbx::Heard;
pub use summary::Summary;

const AGENT_ID: &str = "agent_demo";
const CLONE_DELAY: &str = "1500..4000";
/// On a live leg new callers hear music before the agent: a clone takes longer than notice and greeting.
const CLONE_DELAY_LIVE: &str = "4500..7000";
const CONVERSATION: Duration = Duration::from_millis(1_500);
/// On the bridge a conversation ends by its script.
const CONVERSATION_MAX: Duration = Duration::from_secs(60);
/// The fields of `conversation_config_override` that precall sends. An agent allows none by default.
const OVERRIDES: [&str; 2] = ["tts.voice_id", "agent.first_message"];
/// A demo has more callers than a small plan has slots; the slots must not run out.
const VOICE_SLOTS: u32 = 100_000;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The time limit for the end of live calls when the demo is told to end.
const CUT_WITHIN: Duration = Duration::from_secs(20);

/// The options of a demo.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// Calls; None runs until Ctrl-C.
    pub calls: Option<u32>,
    /// New calls a second.
    pub rate: f64,
    /// The folder of the database; None is a temporary folder.
    pub data_dir: Option<PathBuf>,
    /// The folder for recordings of what each caller heard. It is created when missing.
    pub record: Option<PathBuf>,
    /// Which checks are made.
    pub judge: Judge,
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The demo's configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service does not start.
    #[error(transparent)]
    App(#[from] AppError),
    /// The database server does not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A file or socket.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The database.
    #[error("the database: {0}")]
    Database(String),
    /// A part of the demo cannot be set up.
    #[error("{0}")]
    Setup(String),
}

/// A demo that is set up.
pub struct Demo {
    plan: Plan,
    app: Application,
    simulator: Simulator,
    pbx: Option<threecx::Simulator>,
    sounds: Sounds,
    postgres: Arc<EmbeddedPostgres>,
    callers: Callers,
    pool: deadpool_postgres::Pool,
    secret: String,
    interrupt: Interrupt,
    heartbeat: Heartbeat,
    _samples: tempfile::TempDir,
    _logging: Logging,
}

impl Demo {
    /// Starts database, simulator and service, and fills in the callers.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start(plan: Plan, interrupt: Interrupt) -> Result<Self, DemoError> {
        if let Some(folder) = &plan.record {
            prepare(folder, plan.route)?;
        }
        let data = plan.data_dir.clone().map_or(DataDir::Temporary, DataDir::At);
        let options = Options::new(data, Durability::Fsync, Install::IfMissing);
        let postgres = start_server(options).await?;
        println!("PostgreSQL {} in {}", postgres.version(), postgres.directory().display());
        let samples = tempfile::tempdir()?;
        let secret = Uuid::new_v4().simple().to_string();
        let simulator = start_simulator(plan.route).await?;
        println!("ElevenLabs simulator on {}", simulator.url());
        let pbx = match plan.route {
            Route::Callback => None,
            Route::Bridge | Route::Transfer => {
                let pbx = pbx::start(&simulator.url(), &secret).await?;
                println!("3CX simulator on {}", pbx.base_url());
                Some(pbx)
            }
        };
        let sounds = Sounds::write(samples.path())?;
        let key = Uuid::new_v4().simple().to_string();
        let url = postgres.url("postgres");
        let mut pairs = pairs(&url, &simulator.url(), samples.path(), &secret, &key)?;
        if let Some(pbx) = &pbx {
            pairs.extend(live_leg_pairs(plan.route, pbx, &sounds, samples.path(), &secret));
        }
        let config = Config::from_pairs(pairs)?;
        let logging = logging::start(&config.log, Format::choose(config.environment));
        let log: Logger = logging.logger().clone();
        let app = Application::build(&config, log, Faults::default()).await?;
        let (asked, of_api) = (app.asked_to_stop(), interrupt.clone());
        actix::spawn(async move {
            asked.await;
            of_api.tell();
        });
        println!("precall on {}", app.url());
        println!("dashboard on {}, sign in with the key {key}", app.url());
        simulator.set_webhook(Some(target(&format!("{}/webhook/elevenlabs/postcall", app.url()), &secret)?));
        simulator
            .set_initiation(Some(target(&format!("{}/webhook/elevenlabs/initiation", app.url()), &secret)?));
        let url = url.parse().map_err(|error| DemoError::Setup(format!("{error}")))?;
        let pool = connect::pool(&url, "precall demo", Limits::default())
            .map_err(|error| DemoError::Database(error.to_string()))?;
        wait_until_ready(&app, pbx.as_ref()).await?;
        let callers = Callers::new(plan.calls, samples.path(), &pool).await?;
        Ok(Self {
            plan,
            app,
            simulator,
            pbx,
            sounds,
            postgres: Arc::new(postgres),
            callers,
            pool,
            secret,
            interrupt,
            heartbeat: Heartbeat::start()?,
            _samples: samples,
            _logging: logging,
        })
    }

    /// Places the calls, and reads the summary from the tables. If it is told to end, it hangs up its live calls and
    /// waits until their rows are closed.
    ///
    /// # Errors
    /// When the service or the database does not answer.
    pub async fn run(&self) -> Result<Summary, DemoError> {
        let before = summary::positions(&self.pool).await?;
        let door = match &self.pbx {
            Some(pbx) => Door::Pbx(pbx),
            None => Door::Webhook { url: format!("{}/webhook/3cx", self.app.url()), secret: &self.secret },
        };
        let (callers, interrupt) = (&self.callers, &self.interrupt);
        let ringing = Ringing { door, pool: self.pool.clone(), callers, interrupt };
        let Calls { over: calls, cut } = ringing.ring(self.plan.calls, self.plan.rate).await?;
        self.cut(&ringing, &cut).await?;
        let stalls = self.heartbeat.stalls();
        let judge = self.plan.judge;
        let (mut heard, mut bridged) = (None, None);
        if let Some(pbx) = &self.pbx {
            let ids: Vec<String> = calls.iter().filter_map(|call| call.pbx_id.clone()).collect();
            self.record(pbx, &ids)?;
            let gaps = pbx::gaps(pbx, &ids).await?;
            heard = Some(Heard::of(pbx, &ids, self.sounds.greeting_samples(), judge, &gaps, &stalls));
            if self.plan.route == Route::Bridge {
                bridged = Some(self.listen(pbx, &calls, &stalls).await?);
            }
        }
        let ids = calls.iter().map(|call| call.id).collect();
        let read = summary::read(&self.pool, before, ids, heard, bridged).await?;
        let cut = i64::try_from(cut.len()).unwrap_or(i64::MAX);
        Ok(Summary { cut, machine: stalls.machine(), ..read })
    }

    /// Hangs up calls that are still live, and waits until nothing of them is left.
    async fn cut(&self, ringing: &Ringing<'_>, calls: &[Rung]) -> Result<(), DemoError> {
        for call in calls {
            // A call that ended meanwhile, or an engine that is busy: what is left is counted below.
            let (call, by) = (CallId(call.id.as_u128()), Operator::new("demo"));
            let _asked = self.app.engine().order(call, OperatorOrder::Request(Request::HangUp), by).await;
        }
        let left = ringing.ended(calls, CUT_WITHIN).await?;
        if left > 0 {
            let within = CUT_WITHIN.as_secs();
            return Err(DemoError::Setup(format!(
                "{left} calls are still live {within} s after their hang-up"
            )));
        }
        if let Some(pbx) = &self.pbx {
            let began = tokio::time::Instant::now();
            while pbx.legs() > 0 && began.elapsed() < CUT_WITHIN {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn listen(
        &self,
        pbx: &threecx::Simulator,
        calls: &[Rung],
        stalls: &Stalls,
    ) -> Result<Bridged, DemoError> {
        let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
        let waits = summary::waits(&self.pool, &ids).await?;
        let talks = self.simulator.sessions();
        let mut listened = Vec::new();
        for (ordinal, call) in (1_u32..).zip(calls) {
            let Some(pbx_id) = &call.pbx_id else { continue };
            let user = serde_json::Value::String(call.id.to_string());
            let is_of_call = |talk: &&SessionReport| talk.initiation.get("user_id") == Some(&user);
            listened.push(Listened {
                name: format!("call {ordinal} (PBX {pbx_id})"),
                recording: Recording::of_wav(&pbx.audio(pbx_id).unwrap_or_default()),
                began: pbx::recording_begins(pbx, pbx_id),
                talks: talks.iter().filter(is_of_call).map(Conversed::from).collect(),
                between: waits.get(&call.id).map_or(Between::Either, |wait| Between::of(*wait)),
            });
        }
        Ok(Bridged::of(&listened, self.plan.judge, stalls))
    }

    /// Writes one file a call: what its caller heard.
    fn record(&self, pbx: &threecx::Simulator, ids: &[String]) -> Result<(), DemoError> {
        let Some(folder) = &self.plan.record else { return Ok(()) };
        for (ordinal, id) in (1_u32..).zip(ids) {
            let wav = pbx.audio(id).unwrap_or_default();
            std::fs::write(folder.join(format!("call-{ordinal:04}-pbx-{id}.wav")), wav)?;
        }
        println!("{} recordings in {}", ids.len(), folder.display());
        Ok(())
    }

    /// Stops everything; a temporary database is gone afterwards.
    pub async fn stop(self) {
        self.pool.close();
        self.app.stop().await;
        self.simulator.stop().await;
        if let Some(pbx) = self.pbx {
            pbx.stop().await;
        }
        let postgres = self.postgres;
        let _stopped =
            tokio::task::spawn_blocking(move || Arc::into_inner(postgres).map(EmbeddedPostgres::stop)).await;
    }
}

async fn start_simulator(route: Route) -> Result<Simulator, DemoError> {
    let (delay, conversation) = match route {
        Route::Callback => (CLONE_DELAY, CONVERSATION),
        Route::Transfer => (CLONE_DELAY_LIVE, CONVERSATION),
        Route::Bridge => (CLONE_DELAY_LIVE, CONVERSATION_MAX),
    };
    let clone_delay: CloneDelay = delay.parse().map_err(|error| DemoError::Setup(format!("{error}")))?;
    let mut scripts = dialogues::all().map_err(DemoError::Setup)?.into_iter();
    let mut agent = Agent::allowing(&OVERRIDES);
    if let (Route::Bridge, Some(first)) = (route, scripts.next()) {
        agent = Agent { script: first, dialogues: scripts.collect(), ..agent };
    }
    let options = elevenlabs::Options {
        clone_delay,
        conversation,
        agent,
        voice_slots: VOICE_SLOTS,
        ..elevenlabs::Options::default()
    };
    Ok(elevenlabs::start(options).await?)
}

/// Creates the folder for recordings, before the first call.
fn prepare(folder: &Path, route: Route) -> Result<(), DemoError> {
    if route == Route::Callback {
        return Err(DemoError::Setup(
            "--record needs --route bridge or transfer: a callback has no leg that could be recorded"
                .to_owned(),
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        DemoError::Setup(format!("--record {}: {error}; name a folder that can be created", folder.display()))
    })
}

fn target(url: &str, secret: &str) -> Result<Target, DemoError> {
    let url = url.parse().map_err(|error| DemoError::Setup(format!("{error}")))?;
    let secret = secret.parse().map_err(|error| DemoError::Setup(format!("{error}")))?;
    Ok(Target { url, secret })
}

/// The settings of the service. The process environment is not read.
fn pairs(
    database: &str,
    provider: &str,
    samples: &std::path::Path,
    secret: &str,
    key: &str,
) -> Result<BTreeMap<&'static str, String>, DemoError> {
    let entry = ApiKeys::entry("demo", Scope::Admin, key)
        .ok_or_else(|| DemoError::Setup("the demo's API key has no entry".to_owned()))?;
    let (samples, spool) = (samples.display().to_string(), samples.join("spool").display().to_string());
    let pairs = [
        ("ENVIRONMENT", "development"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("LOG_LEVEL", "warning"),
        ("INSTALLATION", "demo"),
        ("CALL_ROUTE", "callback"),
        ("DATABASE_URL", database),
        ("ELEVENLABS_API_KEY", "demo-key"),
        ("ELEVENLABS_AGENT_ID", AGENT_ID),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_demo"),
        ("ELEVENLABS_API_BASE", provider),
        ("LOCAL_VOICE_SAMPLES_PATH", &samples),
        ("SPOOL_DIR", &spool),
        ("THREECX_WEBHOOK_SECRET", secret),
        ("WEBHOOK_SECRET", secret),
        ("DEFAULT_REGION", "US"),
        ("CALLBACK_COUNTRIES", "US"),
        ("OWN_NUMBERS", ringing::CALLED),
        ("SOURCE_LIMIT_PER_SECOND", "1000000"),
        ("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000000"),
        ("CALLBACK_LIMIT_PER_HOUR", "1000000"),
        ("CALLBACK_LIMIT_PER_DAY", "1000000"),
        ("CALLBACK_LIMIT_CONCURRENT", "1000"),
        ("CLONE_CONCURRENCY", "32"),
        ("API_KEYS", &entry),
    ];
    Ok(pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect())
}

fn live_leg_pairs(
    route: Route,
    pbx: &threecx::Simulator,
    sounds: &Sounds,
    folder: &Path,
    secret: &str,
) -> BTreeMap<&'static str, String> {
    let mut pairs = BTreeMap::from([
        ("CALL_ROUTE", route.name().to_owned()),
        ("THREECX_BASE_URL", pbx.base_url()),
        ("THREECX_CLIENT_ID", pbx::CLIENT_ID.to_owned()),
        ("THREECX_CLIENT_SECRET", secret.to_owned()),
        ("INITIATION_SECRET", secret.to_owned()),
        ("GREETING_AUDIO_FILE", sounds.greeting().display().to_string()),
        ("GREETING_MUSIC_URL", sounds.hold().display().to_string()),
        ("GREETING_VOICE_ID", "voice_of_the_house".to_owned()),
        ("NOTICE_MESSAGE", "An artificial voice; recorded.".to_owned()),
        ("AGENT_STALL_SECONDS", dialogues::STALL_SECONDS.to_owned()),
        ("PROMPT_CACHE_DIR", folder.join("prompts").display().to_string()),
    ]);
    if route == Route::Transfer {
        pairs.insert("AGENT_DESTINATION", pbx::AGENT_DN.to_owned());
    }
    pairs
}

async fn wait_until_ready(app: &Application, pbx: Option<&threecx::Simulator>) -> Result<(), DemoError> {
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    let is_ready = || app.engine().health().database_reached && pbx.is_none_or(|pbx| pbx.websockets() > 0);
    while !is_ready() {
        if tokio::time::Instant::now() >= deadline {
            return Err(DemoError::Setup("the service did not become ready in time".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
