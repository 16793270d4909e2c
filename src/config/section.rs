//! The sections of the configuration, in the order of the documents.

/// Part of the configuration that a variable belongs to. envy reads one struct for each section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Which installation this is.
    General,
    /// Listening address, threads, trusted proxies.
    Server,
    /// PostgreSQL.
    Database,
    /// The ElevenLabs account and its agent.
    Elevenlabs,
    /// Webhooks that precall receives.
    Webhook,
    /// 3CX call control.
    Threecx,
    /// Route and deadlines of a call.
    Call,
    /// The agent on the caller's own leg.
    Agent,
    /// What the caller hears before the agent.
    Greeting,
    /// Cloned voices and their samples.
    Clone,
    /// Outbound calls and the dial guard.
    Callback,
    /// Limits of use.
    Budget,
    /// Test calls of precall itself.
    Canary,
    /// The HTTP API.
    Api,
    /// Logs.
    Log,
    /// Traces of calls.
    Traces,
    /// What is kept, and for how long.
    Retention,
    /// Who is told when something is wrong.
    Alerts,
}

impl Section {
    /// Every section, in the order of `.env.example`.
    pub const ALL: &[Self] = &[
        Self::General,
        Self::Server,
        Self::Database,
        Self::Elevenlabs,
        Self::Webhook,
        Self::Threecx,
        Self::Call,
        Self::Agent,
        Self::Greeting,
        Self::Clone,
        Self::Callback,
        Self::Budget,
        Self::Canary,
        Self::Api,
        Self::Log,
        Self::Traces,
        Self::Retention,
        Self::Alerts,
    ];

    /// Its heading in the documents.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Server => "server",
            Self::Database => "database",
            Self::Elevenlabs => "elevenlabs",
            Self::Webhook => "webhook",
            Self::Threecx => "threecx",
            Self::Call => "call",
            Self::Agent => "agent",
            Self::Greeting => "greeting",
            Self::Clone => "clone",
            Self::Callback => "callback",
            Self::Budget => "budget",
            Self::Canary => "canary",
            Self::Api => "api",
            Self::Log => "log",
            Self::Traces => "traces",
            Self::Retention => "retention",
            Self::Alerts => "alerts",
        }
    }

    /// One sentence about it, for the documents.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::General => "Which installation this is.",
            Self::Server => "The address that precall listens on, its threads, and the proxies it trusts.",
            Self::Database => "The PostgreSQL database.",
            Self::Elevenlabs => "The ElevenLabs account and the agent of the default line.",
            Self::Webhook => "The webhooks that 3CX and ElevenLabs send to precall.",
            Self::Threecx => "3CX call control, which the routes bridge and transfer need.",
            Self::Call => "The route of a call, its deadlines, and where a call goes when no agent is there.",
            Self::Agent => "The conversation with the agent on the caller's own leg.",
            Self::Greeting => "What the caller hears before the agent speaks.",
            Self::Clone => "Cloned voices, who may hear them, and the samples they are made from.",
            Self::Callback => "Outbound calls of route callback, and the dial guard that limits them.",
            Self::Budget => "Limits of use, for one caller and for the installation. Unset means no limit.",
            Self::Canary => {
                "Test calls that precall makes to itself, to prove that calls work from end to end."
            }
            Self::Api => "Access to the HTTP API.",
            Self::Log => "Log level and log file.",
            Self::Traces => {
                "Traces of calls, sent to an OpenTelemetry collector. Off while no address is set."
            }
            Self::Alerts => "Who is told by mail or webhook when something is wrong, without Prometheus.",
            Self::Retention => "What precall keeps on disk and in the database, and for how long.",
        }
    }
}
