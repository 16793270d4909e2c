//! The configuration: read once from the environment, checked as a whole, typed from then on.
//!
//! Nothing here touches the process environment but [`read_environment`]; everything else works on a map, so that
//! tests and the demo can bring their own.

mod agent;
mod api_keys;
mod base_url;
mod budget;
mod call;
mod callback;
mod clone;
mod database;
mod dtmf_key;
mod elevenlabs;
mod environment;
mod environment_name;
mod general;
mod greeting;
mod log;
mod music;
mod notice;
mod notice_rule;
mod problem;
mod redact;
mod retention;
mod s3;
mod secret;
mod server;
mod show;
mod startup_warnings;
#[cfg(test)]
mod tests;
mod threecx;
mod unknown_variables;
mod value;
mod values;
mod variables;
mod webhook;

use std::collections::BTreeMap;

use precall_call::Route;

pub use agent::Agent;
pub use api_keys::{ApiKeys, Principal, Scope};
pub use base_url::BaseUrl;
pub use budget::Budget;
pub use call::Call;
pub use callback::Callback;
pub use clone::{Storage, VoiceClone};
pub use database::{Database, DatabaseSource};
pub use elevenlabs::{ElevenLabs, Telephony};
pub use environment::read_environment;
pub use environment_name::Environment;
pub use greeting::Greeting;
pub use log::{Log, LogFile};
pub use notice::{NoticeGivenBy, NoticeMessage, NoticeText};
pub use problem::{ConfigError, Problem};
pub(crate) use redact::masked;
pub use retention::Retention;
pub use secret::Secret;
pub use server::{CorsOrigins, Server};
pub use show::show;
pub use threecx::{CallControl, ThreeCx};
pub use variables::{Default as VariableDefault, Kind, Required, Section, VARIABLES, Variable, find};
pub use webhook::{Sender, WebhookAuth, Webhooks};

use general::General;
use problem::Problems;
use values::Values;

/// Everything that `serve` needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the installation is for.
    pub environment: Environment,
    /// Its short name, part of the names of its voices at the provider.
    pub installation: String,
    /// Where we listen.
    pub server: Server,
    /// PostgreSQL.
    pub database: Database,
    /// The provider.
    pub elevenlabs: ElevenLabs,
    /// The phone system.
    pub threecx: ThreeCx,
    /// What others post to us.
    pub webhooks: Webhooks,
    /// How a call goes.
    pub call: Call,
    /// The agent on the caller's own leg.
    pub agent: Agent,
    /// What the caller hears first.
    pub greeting: Greeting,
    /// Voices.
    pub clone: VoiceClone,
    /// Outbound calls.
    pub callback: Callback,
    /// How much may be used.
    pub budget: Budget,
    /// Who may use the API.
    pub api_keys: ApiKeys,
    /// Logs.
    pub log: Log,
    /// What is kept.
    pub retention: Retention,
    notices: Vec<String>,
    warnings: Vec<String>,
    table: String,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// One error that lists every wrong variable.
    pub fn from_map(set: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut noted = Problems::default();
        let problems = &mut noted;
        let values = Values::gather(set, problems);
        let general = General::read(&values, problems);
        // With a bad ENVIRONMENT the stricter one is checked, so that its problems are listed as well.
        let environment = general.as_ref().map_or(Environment::Production, |general| general.environment);
        let server = Server::read(&values, environment, problems);
        let database = Database::read(&values, problems);
        let threecx = ThreeCx::read(&values, problems);
        let call = Call::read(&values, threecx.as_ref(), problems);
        let agent = Agent::read(&values, threecx.as_ref(), problems);
        let route = call.as_ref().map(|call| call.route);
        let elevenlabs = ElevenLabs::read(&values, route, problems);
        let webhooks = Webhooks::read(&values, environment, problems);
        let mut greeting = Greeting::read(&values, problems);
        if let (Some(Route::Bridge | Route::Transfer), Some(greeting)) = (route, &mut greeting)
            && !values.is_set("GREETING_MESSAGE")
        {
            greeting.message = greeting::ON_LIVE_LEG.to_owned();
        }
        if let (Some(route), Some(greeting)) = (route, &greeting) {
            notice_rule::require(route, environment, greeting, problems);
        }
        let clone = VoiceClone::read(&values, problems);
        let callback = Callback::read(&values, problems);
        let budget = Budget::read(&values, problems);
        let api_keys = ApiKeys::read(&values, problems);
        let log = Log::read(&values, problems);
        let retention = Retention::read(&values, problems);
        noted.into_error()?;
        // Everything is there when nothing was noted; a section that kept silent is a fault of ours.
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
                api_keys: api_keys?,
                log: log?,
                retention: retention?,
                notices: Vec::new(),
                warnings: Vec::new(),
                table: show::table(&values),
            })
        };
        let mut config = config().ok_or_else(silent_section)?;
        config.notices = startup_warnings::notices(&config, &values);
        config.warnings = values.strays;
        Ok(config)
    }

    /// The same from pairs, for the demo and for tests; the process environment has no part in it.
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

    /// The database alone, for commands that need nothing else; problems elsewhere do not matter to them.
    ///
    /// # Errors
    /// The wrong variables of that section.
    pub fn database_from_map(set: &BTreeMap<String, String>) -> Result<Database, ConfigError> {
        one_section(set, Section::Database, Database::read)
    }

    /// The listener alone, for a health check.
    ///
    /// # Errors
    /// The wrong variables of that section.
    pub fn server_from_map(set: &BTreeMap<String, String>) -> Result<Server, ConfigError> {
        one_section(set, Section::Server, |values, problems| {
            let mut elsewhere = Problems::default();
            let environment = General::read(values, &mut elsewhere).map(|general| general.environment);
            Server::read(values, environment.unwrap_or(Environment::Production), problems)
        })
    }

    /// Call control of the phone system alone, for a check that needs neither database nor provider.
    ///
    /// # Errors
    /// The wrong variables of that section.
    pub fn threecx_from_map(set: &BTreeMap<String, String>) -> Result<ThreeCx, ConfigError> {
        one_section(set, Section::Threecx, ThreeCx::read)
    }

    /// Logging alone, for commands that log without serving.
    ///
    /// # Errors
    /// The wrong variables of that section.
    pub fn log_from_map(set: &BTreeMap<String, String>) -> Result<Log, ConfigError> {
        one_section(set, Section::Log, Log::read)
    }

    /// What an operator should know before the first call, to be said loudly at start.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Variables that look like ours and are not.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every variable with its value and where that comes from; a secret only as `set (N characters)`.
    #[must_use]
    pub fn show(&self) -> &str {
        &self.table
    }
}

fn one_section<T>(
    set: &BTreeMap<String, String>,
    section: Section,
    read: impl FnOnce(&Values, &mut Problems) -> Option<T>,
) -> Result<T, ConfigError> {
    let mut problems = Problems::default();
    let values = Values::gather(set, &mut problems);
    let found = read(&values, &mut problems);
    problems.only(section).into_error()?;
    found.ok_or_else(silent_section)
}

fn silent_section() -> ConfigError {
    let problem = Problem {
        name: "precall".to_owned(),
        wrong: "a section of the configuration failed without saying why".to_owned(),
        right: "a report of this fault".to_owned(),
    };
    ConfigError { problems: vec![problem] }
}
