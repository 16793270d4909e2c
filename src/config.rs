//! The configuration: read once from the environment, checked as a whole, then used as typed settings.
//!
//! Each section has a file that defines its variables with `variables!` and turns them into settings. The definitions
//! are the only place for a variable's name, type, range, default and help. Only [`read_environment`] reads the process
//! environment. Everything else works on a map, so that tests and the demo can give their own.

mod agent;
mod alerts;
mod api_keys;
mod base_url;
mod budget;
mod call;
mod callback;
mod canary;
mod certificate_file;
mod clone;
mod database;
mod dtmf_key;
mod elevenlabs;
mod environment;
mod environment_name;
mod general;
mod greeting;
mod kind;
mod log;
mod music;
mod notice;
mod notice_rule;
mod problem;
mod quiet_hours;
mod redact;
mod reference;
mod reload;
mod retention;
mod s3;
mod scopes;
mod secret;
mod section;
mod server;
mod setting;
mod show;
mod sources;
mod startup_warnings;
mod table;
#[cfg(test)]
mod tests;
mod threecx;
mod traces;
mod unknown_variables;
mod value;
mod values;
mod variables;
mod webhook;
mod writable_paths;

use std::collections::BTreeMap;
use std::path::PathBuf;

use general::General;
use problem::Problems;
use values::Values;

pub use agent::Agent;
pub use alerts::{AlertMail, AlertReceiver, Alerts, MailServer};
pub use api_keys::{ApiKeys, Principal, new_key};
pub(crate) use api_keys::{digest as key_digest, is_name as is_key_name};
pub use base_url::BaseUrl;
pub use budget::Budget;
pub use call::Call;
pub use callback::Callback;
pub use canary::{Canary, CanaryClient};
pub use clone::{Storage, VoiceClone};
pub use database::{Database, DatabaseSource};
pub use elevenlabs::{ElevenLabs, Telephony};
pub use environment::{ConfigSource, parse_dotenv, read_environment};
pub use environment_name::Environment;
pub use greeting::Greeting;
pub use kind::Kind;
pub use log::{Log, LogFile};
pub use notice::{NoticeGivenBy, NoticeMessage, NoticeText};
pub use problem::{ConfigError, Problem};
pub use quiet_hours::QuietHours;
pub use reference::{BRIDGE_MINIMUM, CALLBACK_MINIMUM, configuration_md, env_example};
pub use reload::Reloaded;
pub use retention::Retention;
pub use scopes::{Scope, Scopes};
pub use secret::Secret;
pub use section::Section;
pub use server::{CorsOrigins, Server};
pub use show::{ShownSource, ShownVariable, show};
pub use sources::{Place, Sources};
pub use table::{find, variables};
pub use threecx::{CallControl, ThreeCx};
pub use traces::{OtlpProtocol, TraceExport, TraceSampler};
pub use variables::{DefaultValue, Probed, Required, Restart, Routes, Shown, Variable};
pub use webhook::{Sender, WebhookAuth, Webhooks};
pub use writable_paths::{PathKind, WritablePath};

/// The whole configuration of `serve`, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the installation is for.
    pub environment: Environment,
    /// Short name, part of the names of its voices at ElevenLabs.
    pub installation: String,
    /// Listening address and threads.
    pub server: Server,
    /// PostgreSQL.
    pub database: Database,
    /// The ElevenLabs account and agent.
    pub elevenlabs: ElevenLabs,
    /// 3CX call control.
    pub threecx: ThreeCx,
    /// Webhooks that precall receives.
    pub webhooks: Webhooks,
    /// Route and deadlines of a call.
    pub call: Call,
    /// The agent on the caller's own leg.
    pub agent: Agent,
    /// What the caller hears before the agent.
    pub greeting: Greeting,
    /// Cloned voices and their samples.
    pub clone: VoiceClone,
    /// Outbound calls and the dial guard.
    pub callback: Callback,
    /// Limits of use.
    pub budget: Budget,
    /// Test calls of precall itself.
    pub canary: Canary,
    /// Keys of the API.
    pub api_keys: ApiKeys,
    /// Logs.
    pub log: Log,
    /// Where traces of calls go; none: they are off.
    pub traces: Option<TraceExport>,
    /// What is kept, and for how long.
    pub retention: Retention,
    /// Who is told when something is wrong.
    pub alerts: Alerts,
    /// Whether the start sends the callers of the last start away, instead of going on with their calls. The command
    /// line sets it.
    pub abandon_live_calls: bool,
    /// Where a reload reads the configuration again.
    pub source: ConfigSource,
    notices: Vec<String>,
    warnings: Vec<String>,
    values: Values,
}

impl Config {
    /// Reads and checks everything that the source says now.
    ///
    /// # Errors
    /// One error that lists every wrong variable, or says why the source cannot be read.
    pub fn read(source: ConfigSource) -> Result<Self, ConfigError> {
        let sources = source.read()?;
        Self::of_sources(&sources, source)
    }

    /// Checks everything. A reload finds the same again.
    ///
    /// # Errors
    /// One error that lists every wrong variable.
    pub fn from_map(set: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let sources = Sources::given(set.clone());
        Self::of_sources(&sources, ConfigSource::Given(sources.clone()))
    }

    fn of_sources(sources: &Sources, source: ConfigSource) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let values = Values::gather(sources, variables(), &mut problems);
        Self::of_values(values, problems, sources, source)
    }

    /// Checks the values. `found` has the problems of reading them.
    fn of_values(
        mut values: Values,
        mut found: Problems,
        sources: &Sources,
        source: ConfigSource,
    ) -> Result<Self, ConfigError> {
        let problems = &mut found;
        let general = General::read(&values, problems);
        // With a wrong ENVIRONMENT the stricter one is checked, so that its problems are listed too.
        let environment = general.as_ref().map_or(Environment::Production, |general| general.environment);
        let server = Server::read(&values, environment, problems);
        let database = Database::read(&values, problems);
        let threecx = ThreeCx::read(&values, problems);
        let call = Call::read(&values, threecx.as_ref(), problems);
        let agent = Agent::read(&values, threecx.as_ref(), problems);
        let route = call.as_ref().map(|call| call.route);
        if let Some(route) = route {
            values.use_route(route, variables());
        }
        let elevenlabs = ElevenLabs::read(&values, route, problems);
        let webhooks = Webhooks::read(&values, environment, problems);
        let greeting = Greeting::read(&values, problems);
        if let (Some(route), Some(greeting)) = (route, &greeting) {
            notice_rule::require(route, environment, greeting, problems);
        }
        let clone = VoiceClone::read(&values, problems);
        let callback = Callback::read(&values, problems);
        let budget = Budget::read(&values, problems);
        let canary = Canary::read(&values, route, threecx.as_ref(), callback.as_ref(), problems);
        let api_keys = ApiKeys::read(&values, problems);
        let log = Log::read(&values, problems);
        let traces = TraceExport::read(&values, problems);
        let retention = Retention::read(&values, problems);
        let alerts = Alerts::read(&values, problems);
        let unknown = unknown_variables::warnings(sources.texts().keys().map(String::as_str));
        found.locate(|name| problem_place(sources, name));
        found.into_error(unknown.clone())?;
        // Without problems every section has a value. A section without a value and without a problem is a bug.
        let config = || {
            let General { environment, installation } = general?;
            Some(Self {
                environment,
                installation,
                server: server?,
                database: database?,
                elevenlabs: elevenlabs?,
                threecx: threecx?,
                webhooks: webhooks?,
                call: call?,
                agent: agent?,
                greeting: greeting?,
                clone: clone?,
                callback: callback?,
                budget: budget?,
                canary: canary?,
                api_keys: api_keys?,
                log: log?,
                traces: traces?,
                retention: retention?,
                alerts: alerts?,
                abandon_live_calls: false,
                source,
                notices: Vec::new(),
                warnings: Vec::new(),
                values,
            })
        };
        let mut config = config().ok_or_else(silent_section)?;
        config.notices = startup_warnings::notices(&config, &config.values);
        config.warnings = config.values.remarks().to_vec();
        config.warnings.extend(unknown);
        config.warnings.extend(startup_warnings::supervision(&config));
        Ok(config)
    }

    /// [`Config::from_map`] from pairs, for the demo and for tests.
    ///
    /// # Errors
    /// As [`Config::from_map`].
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        Self::from_map(&pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The database alone, for commands that need nothing else. Problems of other sections do not matter.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn database_from_map(set: &BTreeMap<String, String>) -> Result<Database, ConfigError> {
        one_section(set, Section::Database, Database::read)
    }

    /// `SPOOL_DIR` alone, for a look at what waits there.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn spool_dir_from_map(set: &BTreeMap<String, String>) -> Result<PathBuf, ConfigError> {
        Ok(one_section(set, Section::Retention, Retention::read)?.spool_dir)
    }

    /// Samples and consents alone, for an adoption.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn clone_from_map(set: &BTreeMap<String, String>) -> Result<VoiceClone, ConfigError> {
        one_section(set, Section::Clone, VoiceClone::read)
    }

    /// The listener alone, for a health check.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn server_from_map(set: &BTreeMap<String, String>) -> Result<Server, ConfigError> {
        one_section(set, Section::Server, |values, problems| {
            let mut elsewhere = Problems::default();
            let environment = General::read(values, &mut elsewhere).map(|general| general.environment);
            Server::read(values, environment.unwrap_or(Environment::Production), problems)
        })
    }

    /// 3CX call control alone, for a check that needs neither database nor ElevenLabs.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn threecx_from_map(set: &BTreeMap<String, String>) -> Result<ThreeCx, ConfigError> {
        one_section(set, Section::Threecx, ThreeCx::read)
    }

    /// Where alerts go, and the name of the installation, for a test message.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn alerts_from_map(set: &BTreeMap<String, String>) -> Result<(Alerts, String), ConfigError> {
        one_section(set, Section::Alerts, |values, problems| {
            let mut elsewhere = Problems::default();
            let installation = General::read(values, &mut elsewhere).map(|general| general.installation);
            Some((Alerts::read(values, problems)?, installation.unwrap_or_default()))
        })
    }

    /// Logging alone, for commands that log without serving.
    ///
    /// # Errors
    /// One error that lists the wrong variables of that section.
    pub fn log_from_map(set: &BTreeMap<String, String>) -> Result<Log, ConfigError> {
        one_section(set, Section::Log, Log::read)
    }

    /// Startup warnings: settings that are allowed and may surprise.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// What is most likely a mistake: a variable that looks like one of precall's and is unknown, a value with spaces
    /// around it, supervision that the notice does not mention.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every variable with its value and where that comes from, as a table. A secret is shown as `set`.
    #[must_use]
    pub fn show(&self) -> String {
        show::table(&self.values)
    }

    /// The same, one item for each variable.
    #[must_use]
    pub fn shown(&self) -> Vec<ShownVariable> {
        show::items(&self.values)
    }
}

fn one_section<T>(
    set: &BTreeMap<String, String>,
    section: Section,
    read: impl FnOnce(&Values, &mut Problems) -> Option<T>,
) -> Result<T, ConfigError> {
    let mut problems = Problems::default();
    let values = Values::gather(&Sources::given(set.clone()), variables(), &mut problems);
    let found = read(&values, &mut problems);
    problems.keep(|name| {
        let variable = find(name).or_else(|| find(name.strip_suffix("_FILE").unwrap_or(name)));
        variable.is_none_or(|variable| variable.section == section)
    });
    problems.into_error(unknown_variables::warnings(set.keys().map(String::as_str)))?;
    found.ok_or_else(silent_section)
}

/// Where a wrong variable was set: the line of the file. Its name alone leads to the others.
fn problem_place(sources: &Sources, name: &str) -> Option<String> {
    match sources.place(name)? {
        place @ Place::Line { .. } => Some(place.to_string()),
        Place::Environment | Place::Given => None,
    }
}

fn silent_section() -> ConfigError {
    let problem = Problem {
        name: "precall".to_owned(),
        place: None,
        wrong: "a section of the configuration failed without a reason".to_owned(),
        right: "a report of this bug to the authors".to_owned(),
    };
    ConfigError { problems: vec![problem], unknown: Vec::new() }
}
