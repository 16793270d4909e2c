//! What several subjects of the check look at, fetched once.

use std::sync::Arc;

use precall_actors::voices::samples::SampleStore;
use precall_base::clock;
use precall_call::At;
use precall_providers::elevenlabs::{AgentDetail, ApiKey, ElevenLabs, ProviderError, Settings, Subscription};
use precall_store::connect::{self, Limits};
use precall_store::lines::{self, LineSettings, StoredLine};
use precall_store::reads::mapped_callers::{self, MappedCaller};
use precall_store::reads::server_clock;

use super::options::Options;
use crate::app;
use crate::config::{Config, DatabaseSource};
use crate::live_check::{Access, PbxSight, look};

/// Most mapped callers that the check looks at.
pub(super) const CALLERS_MAX: i64 = 100_000;

/// The world around one installation.
pub(super) struct World<'a> {
    pub(super) config: &'a Config,
    pub(super) options: Options,
    /// Why there is no client, in words.
    pub(super) elevenlabs: Result<ElevenLabs, String>,
    pub(super) database: SeenDatabase,
    pub(super) account: Option<Result<Subscription, ProviderError>>,
    /// The agents of the default line and of all lines, each once.
    pub(super) agents: Vec<(String, Result<AgentDetail, ProviderError>)>,
    pub(super) pbx: Option<Result<PbxSight, String>>,
    pub(super) samples: Result<SampleStore, String>,
    pub(super) clocks: Vec<SeenClock>,
}

/// The database.
pub(super) struct SeenDatabase {
    /// Rows; an error in words. None without a connection or without tables.
    pub(super) callers: Option<Result<Vec<MappedCaller>, String>>,
    pub(super) lines: Vec<StoredLine>,
}

/// A clock of another machine, read at the same moment as ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenClock {
    pub(super) of: &'static str,
    /// Seconds since 1970.
    pub(super) theirs: i64,
    pub(super) ours: i64,
}

impl<'a> World<'a> {
    pub(super) async fn gather(config: &'a Config, options: Options) -> Self {
        let mut clocks = Vec::new();
        let within = options.within;
        let database = database(config, &mut clocks).await;
        let elevenlabs = client(config);
        let account_and_clock = async {
            let client = elevenlabs.as_ref().ok()?;
            let account = client.subscription(within).await;
            let seen = client.server_time().map(|theirs| clock_of("ElevenLabs", seconds(theirs)));
            Some((account, seen))
        };
        let ids = ids_of(&database.lines, Some(&config.elevenlabs.agent_id), |line| line.agent_id.as_ref());
        let agents = async {
            let Ok(client) = &elevenlabs else { return Vec::new() };
            let asked = ids.iter().map(|id| async { (id.clone(), client.agent(id, within).await) });
            futures_util::future::join_all(asked).await
        };
        let pbx = async {
            let control = config.threecx.call_control.as_ref().filter(|_| options.threecx)?;
            Some(match Access::of(control) {
                Ok(access) => {
                    let sight = look(access, within).await;
                    let date = sight.date.map(|theirs| clock_of("3CX", theirs));
                    Ok((sight, date))
                }
                Err(why) => Err(why),
            })
        };
        let (account, agents, pbx) = futures_util::future::join3(account_and_clock, agents, pbx).await;
        let account = account.map(|(account, clock)| {
            clocks.extend(clock);
            account
        });
        let pbx = pbx.map(|pbx| {
            pbx.map(|(sight, clock)| {
                clocks.extend(clock);
                sight
            })
        });
        let samples = app::samples(&config.clone).map_err(|error| error.to_string());
        Self { config, options, elevenlabs, database, account, agents, pbx, samples, clocks }
    }

    /// The ids of a column of the lines, with the default line's, each once.
    pub(super) fn ids_of(
        &self,
        default: Option<&str>,
        of_line: impl Fn(&LineSettings) -> Option<&String>,
    ) -> Vec<String> {
        ids_of(&self.database.lines, default, of_line)
    }
}

fn ids_of(
    lines: &[StoredLine],
    default: Option<&str>,
    of_line: impl Fn(&LineSettings) -> Option<&String>,
) -> Vec<String> {
    let of_lines = lines
        .iter()
        .flat_map(StoredLine::every_settings)
        .filter_map(|line| of_line(line).map(String::as_str));
    let mut ids: Vec<String> = default.into_iter().chain(of_lines).map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn client(config: &Config) -> Result<ElevenLabs, String> {
    let key = ApiKey::new(config.elevenlabs.api_key.expose());
    let base = config.elevenlabs.api_base.as_str().parse();
    let base = base.map_err(|error| format!("ELEVENLABS_API_BASE cannot be used: {error}"))?;
    Ok(ElevenLabs::new(Arc::new(Settings::new(base, key).map_err(|error| error.to_string())?)))
}

async fn database(config: &Config, clocks: &mut Vec<SeenClock>) -> SeenDatabase {
    // What is wrong with the database is said by its own subject.
    let none = SeenDatabase { callers: None, lines: Vec::new() };
    let DatabaseSource::External(url) = &config.database.source else { return none };
    let Ok(connected) = connect::connect(url, "precall check", Limits::default()).await else { return none };
    let client = &connected.client;
    if let Ok(theirs) = server_clock::seconds(client).await {
        clocks.push(clock_of("PostgreSQL", theirs));
    }
    let (callers, found) = match mapped_callers::have_tables(client).await {
        Ok(true) => {
            let callers = mapped_callers::read(client, clock::wall(), CALLERS_MAX).await;
            let found = lines::read(client).await.unwrap_or_default();
            (Some(callers.map_err(|error| error.to_string())), found)
        }
        Ok(false) => (None, Vec::new()),
        Err(error) => (Some(Err(error.to_string())), Vec::new()),
    };
    SeenDatabase { callers, lines: found }
}

fn clock_of(of: &'static str, theirs: i64) -> SeenClock {
    SeenClock { of, theirs, ours: seconds(clock::wall()) }
}

fn seconds(at: At) -> i64 {
    at.0.div_euclid(1_000_000)
}
