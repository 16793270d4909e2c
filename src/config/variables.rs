//! Every variable that is accepted, once: defaults, secrets and what is required are decided here, and
//! `.env.example` is held against this table.

use super::environment_name::Environment;

/// Which part of the configuration a variable belongs to; envy reads one struct for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Which installation this is.
    General,
    /// Listening, workers, who is trusted to forward.
    Server,
    /// PostgreSQL.
    Database,
    /// The provider of voices and agents.
    Elevenlabs,
    /// The phone system.
    Threecx,
    /// What others post to us.
    Webhook,
    /// How a call goes.
    Call,
    /// The agent on the caller's own leg.
    Agent,
    /// What the caller hears first.
    Greeting,
    /// Voices and samples.
    Clone,
    /// Outbound calls and their guard.
    Callback,
    /// How much may be used.
    Budget,
    /// Our own API.
    Api,
    /// Logs.
    Log,
    /// What is kept, and for how long.
    Retention,
}

/// How a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Plain,
    /// Never; may also come from the file that `NAME_FILE` names.
    Secret,
    /// With the digits of telephone numbers masked.
    Numbers,
}

/// What holds when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing: the feature is off, or the section decides.
    Unset,
    /// This text.
    Text(&'static str),
    /// One text in production, another in development.
    ByEnvironment {
        /// Where `ENVIRONMENT` is `production`.
        production: &'static str,
        /// Where it is `development`.
        development: &'static str,
    },
    /// As many as the machine has cores.
    Cores,
}

/// When a variable must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// Never.
    No,
    /// Always.
    Yes,
    /// In the case that the text names.
    When(&'static str),
}

/// One variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name in the environment.
    pub name: &'static str,
    /// Where it belongs.
    pub section: Section,
    /// How it may be shown.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: Default,
    /// When it must be set.
    pub required: Required,
}

impl Variable {
    const fn numbers(mut self) -> Self {
        self.kind = Kind::Numbers;
        self
    }

    const fn required(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// The text that holds when it is not set.
    #[must_use]
    pub(super) fn default_text(&self, environment: Environment) -> Option<String> {
        match (self.default, environment) {
            (Default::Unset, _) => None,
            (Default::Text(text), _) => Some(text.to_owned()),
            (Default::ByEnvironment { production, .. }, Environment::Production) => {
                Some(production.to_owned())
            }
            (Default::ByEnvironment { development, .. }, Environment::Development) => {
                Some(development.to_owned())
            }
            (Default::Cores, _) => {
                Some(std::thread::available_parallelism().map_or(1, usize::from).to_string())
            }
        }
    }
}

const fn plain(section: Section, name: &'static str, default: Default) -> Variable {
    Variable { name, section, kind: Kind::Plain, default, required: Required::No }
}

const fn text(section: Section, name: &'static str, default: &'static str) -> Variable {
    plain(section, name, Default::Text(default))
}

const fn unset(section: Section, name: &'static str) -> Variable {
    plain(section, name, Default::Unset)
}

const fn secret(section: Section, name: &'static str, required: Required) -> Variable {
    Variable { name, section, kind: Kind::Secret, default: Default::Unset, required }
}

const PRODUCTION: Required = Required::When("unless ENVIRONMENT is development");
const CALL_CONTROL: Required =
    Required::When("when one of the three THREECX_BASE_URL, _CLIENT_ID, _CLIENT_SECRET is set");

const BUCKET: Required = Required::When("with S3_BUCKET_NAME");

const NOTICE: Required = Required::When(
    "when CALL_ROUTE is bridge or transfer, unless ENVIRONMENT is development or NOTICE_GIVEN_BY is pbx",
);

/// The table, in the order of `.env.example`.
pub const VARIABLES: &[Variable] = &{
    use Section::{
        Agent, Api, Budget, Call, Callback, Clone, Database, Elevenlabs, General, Greeting, Log, Retention,
        Server, Threecx, Webhook,
    };
    [
        text(General, "ENVIRONMENT", "production"),
        text(General, "INSTALLATION", "default"),
        plain(Server, "HOST", Default::ByEnvironment { production: "0.0.0.0", development: "127.0.0.1" }),
        text(Server, "PORT", "3006"),
        plain(Server, "HTTP_WORKERS", Default::Cores),
        plain(Server, "CALL_ARBITERS", Default::Cores),
        unset(Server, "CORS_ORIGINS"),
        unset(Server, "TRUSTED_PROXIES"),
        unset(Server, "METRICS_ADDR"),
        text(Server, "SOURCE_LIMIT_PER_SECOND", "500"),
        text(Server, "DRAIN_TIMEOUT_SECONDS", "30"),
        secret(Database, "DATABASE_URL", Required::When("unless the embedded database is used")),
        text(Database, "DATABASE_POOL_SIZE", "10"),
        plain(
            Database,
            "EMBEDDED_DATABASE",
            Default::ByEnvironment { production: "false", development: "true" },
        ),
        plain(
            Database,
            "EMBEDDED_DATABASE_DIR",
            Default::ByEnvironment { production: "/var/lib/precall/postgres", development: "data/postgres" },
        ),
        unset(Database, "PG_BIN_DIR"),
        secret(Elevenlabs, "ELEVENLABS_API_KEY", Required::Yes),
        unset(Elevenlabs, "ELEVENLABS_AGENT_ID").required(Required::Yes),
        unset(Elevenlabs, "ELEVENLABS_PHONE_NUMBER_ID")
            .required(Required::When("when CALL_ROUTE is callback")),
        text(Elevenlabs, "ELEVENLABS_TELEPHONY", "sip_trunk"),
        text(Elevenlabs, "ELEVENLABS_API_BASE", "https://api.elevenlabs.io"),
        secret(Webhook, "THREECX_WEBHOOK_SECRET", PRODUCTION),
        secret(Webhook, "WEBHOOK_SECRET", PRODUCTION),
        unset(Webhook, "THREECX_TRUSTED_IPS"),
        unset(Webhook, "ELEVENLABS_TRUSTED_IPS"),
        secret(Webhook, "INITIATION_SECRET", Required::No),
        text(Webhook, "WEBHOOK_BODY_LIMIT", "1048576"),
        unset(Threecx, "THREECX_BASE_URL").required(CALL_CONTROL),
        unset(Threecx, "THREECX_CLIENT_ID").required(CALL_CONTROL),
        secret(Threecx, "THREECX_CLIENT_SECRET", CALL_CONTROL),
        unset(Threecx, "THREECX_CA_FILE"),
        unset(Threecx, "THREECX_SIMULTANEOUS_CALLS"),
        unset(Call, "CALL_ROUTE"),
        text(Call, "MAX_LIVE_CALLS", "500"),
        text(Call, "AUTO_TRANSITION_ENABLED", "true"),
        text(Call, "VOICE_WAIT", "hold"),
        text(Call, "MAX_HOLD_SECONDS", "8"),
        text(Call, "HANDOFF_MAX_SECONDS", "20"),
        text(Call, "TRANSFER_RING_SECONDS", "20"),
        text(Call, "CONVERSATION_MAX_SECONDS", "600"),
        text(Call, "POSTCALL_WAIT_SECONDS", "180"),
        unset(Call, "FALLBACK_VOICE_ID"),
        unset(Call, "AGENT_DESTINATION").numbers(),
        unset(Call, "FALLBACK_DESTINATION").numbers(),
        unset(Agent, "TRANSFER_DESTINATIONS").numbers(),
        text(Agent, "AGENT_ACCESS", "signed"),
        unset(Agent, "AGENT_HOSTS"),
        unset(Agent, "AGENT_FIRST_MESSAGE"),
        unset(Agent, "AGENT_DYNAMIC_VARIABLES"),
        text(Agent, "AGENT_STALL_SECONDS", "6"),
        text(Agent, "AGENT_AUDIO_MS", "60"),
        unset(Greeting, "GREETING_VOICE_ID"),
        text(
            Greeting,
            "GREETING_MESSAGE",
            "Hello! You are speaking with an AI assistant that uses an artificial voice, and this call is \
             recorded. One moment please; if the line closes, I will call you straight back.",
        ),
        text(Greeting, "GREETING_MAX_SECONDS", "15"),
        text(Greeting, "GREETING_MUSIC_ENABLED", "true"),
        unset(Greeting, "GREETING_MUSIC_URL"),
        unset(Greeting, "GREETING_AUDIO_FILE"),
        text(Greeting, "GREETING_LEAD_SILENCE_MS", "300"),
        unset(Greeting, "GREETING_SKIP_DTMF"),
        unset(Greeting, "FALLBACK_DTMF"),
        unset(Greeting, "GREETING_MODEL_ID"),
        unset(Greeting, "NOTICE_MESSAGE").required(NOTICE),
        text(Greeting, "NOTICE_GIVEN_BY", "precall"),
        text(
            Greeting,
            "APOLOGY_MESSAGE",
            "We are sorry: this call cannot be connected at the moment. Please try again later. Goodbye.",
        ),
        plain(
            Greeting,
            "PROMPT_CACHE_DIR",
            Default::ByEnvironment { production: "/var/lib/precall/prompts", development: "data/prompts" },
        ),
        text(Clone, "CLONE_MAX_WAIT_SECONDS", "35"),
        text(Clone, "VOICE_CLONE_TIMEOUT", "30"),
        text(Clone, "CLONE_CONCURRENCY", "4"),
        text(Clone, "CACHE_TTL", "86400"),
        text(Clone, "CONSENT_REQUIRED", "true"),
        text(Clone, "VOICE_POLICY", "number"),
        unset(Clone, "TRUSTED_TRUNKS"),
        text(Clone, "PIN_WAIT_SECONDS", "10"),
        text(Clone, "VOICE_SAMPLE_STORAGE", "local"),
        text(Clone, "LOCAL_VOICE_SAMPLES_PATH", "/data/voices"),
        unset(Clone, "S3_BUCKET_NAME").required(Required::When("when VOICE_SAMPLE_STORAGE is s3")),
        unset(Clone, "S3_REGION").required(Required::When("with S3_BUCKET_NAME, unless S3_ENDPOINT is set")),
        unset(Clone, "S3_ENDPOINT"),
        unset(Clone, "AWS_ACCESS_KEY_ID").required(BUCKET),
        secret(Clone, "AWS_SECRET_ACCESS_KEY", BUCKET),
        unset(Callback, "DEFAULT_REGION"),
        unset(Callback, "CALLBACK_COUNTRIES"),
        unset(Callback, "OWN_NUMBERS").numbers(),
        text(Callback, "CALLBACK_LIMIT_PER_NUMBER_HOUR", "3"),
        text(Callback, "CALLBACK_LIMIT_PER_HOUR", "500"),
        text(Callback, "CALLBACK_LIMIT_PER_DAY", "5000"),
        text(Callback, "CALLBACK_LIMIT_CONCURRENT", "100"),
        text(Callback, "CALLBACK_RING_SECONDS", "45"),
        text(Callback, "CALLBACK_ENDS_WITH_PBX_CALL", "true"),
        unset(Budget, "BUDGET_CALLER_CLONES_PER_DAY"),
        unset(Budget, "BUDGET_CALLER_LIVE_CALLS"),
        unset(Budget, "BUDGET_CALLER_CALLS_PER_HOUR"),
        unset(Budget, "BUDGET_CLONES_PER_DAY"),
        unset(Budget, "BUDGET_AGENT_MINUTES_PER_DAY"),
        unset(Budget, "BUDGET_COST_PER_DAY"),
        unset(Budget, "AGENT_CONCURRENCY"),
        secret(Api, "API_KEYS", Required::No),
        text(Log, "LOG_LEVEL", "info"),
        unset(Log, "LOG_FILE"),
        text(Log, "LOG_FILE_MAX_MB", "50"),
        text(Log, "LOG_FILE_KEEP", "5"),
        text(Retention, "SPOOL_DIR", "/var/lib/precall/spool"),
        text(Retention, "SPOOL_MAX_MB", "1024"),
        plain(
            Retention,
            "ERASURE_LEDGER",
            Default::ByEnvironment {
                production: "/var/lib/precall/erasures.jsonl",
                development: "data/erasures.jsonl",
            },
        ),
        text(Retention, "STORE_RECORDINGS", "false"),
        unset(Retention, "RETENTION_DAYS"),
        unset(Retention, "DATABASE_MAX_GB"),
    ]
};

/// The variable with that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests;
