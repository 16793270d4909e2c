//! The options of the simulator and the flags of its command. Addresses of other machines are refused here.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use super::overrides::{OverrideRefusal, field};
use super::session::agent_settings::{Agent, OnViolation};
use super::session::format::AgentAudio;
use crate::shared::options::{LoopbackUrl, Secret, Target};

/// The longest clone delay and conversation that may be asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// More voice slots than any plan has; bounds the voice table.
pub(super) const MOST_VOICE_SLOTS: u32 = 10_000;
/// The provider's waits between the attempts of one transcription webhook (facts page, section 5).
const RETRY_SPACING: [Duration; 4] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(8 * 60),
    Duration::from_secs(30 * 60),
];

/// Why a duration was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DelayError {
    /// Neither `N` nor `A..B`.
    #[error("expected milliseconds as N or A..B, for example 1500 or 5000..30000")]
    NotADelay,
    /// Not a whole number of milliseconds.
    #[error("expected milliseconds as a whole number, for example 3000")]
    NotMilliseconds,
    /// The first number is larger than the second.
    #[error("the range {0}..{1} is empty: the first number must not be larger than the second")]
    EmptyRange(u64, u64),
    /// Longer than an hour.
    #[error("{0} ms is more than the {1} ms that are allowed")]
    TooLong(u64, u128),
}

/// How long a clone takes: each request takes a random time from this range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneDelay {
    min_ms: u64,
    max_ms: u64,
}

impl CloneDelay {
    /// No delay at all.
    pub(crate) const NONE: Self = Self { min_ms: 0, max_ms: 0 };

    /// A range of milliseconds, both ends included.
    ///
    /// # Errors
    /// When the range is empty or reaches beyond an hour.
    pub fn between(min_ms: u64, max_ms: u64) -> Result<Self, DelayError> {
        if min_ms > max_ms {
            return Err(DelayError::EmptyRange(min_ms, max_ms));
        }
        if Duration::from_millis(max_ms) > LONGEST_WAIT {
            return Err(DelayError::TooLong(max_ms, LONGEST_WAIT.as_millis()));
        }
        Ok(Self { min_ms, max_ms })
    }

    /// One time out of the range.
    pub(super) fn pick(self) -> Duration {
        let span = self.max_ms.saturating_sub(self.min_ms).saturating_add(1);
        let (random, _) = Uuid::new_v4().as_u64_pair();
        Duration::from_millis(self.min_ms.saturating_add(random.checked_rem(span).unwrap_or(0)))
    }
}

impl FromStr for CloneDelay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| DelayError::NotADelay);
        match text.split_once("..") {
            Some((min, max)) => Self::between(number(min)?, number(max)?),
            None => number(text).and_then(|ms| Self::between(ms, ms)),
        }
    }
}

fn conversation_ms(text: &str) -> Result<u64, DelayError> {
    let ms = text.trim().parse::<u64>().map_err(|_| DelayError::NotMilliseconds)?;
    CloneDelay::between(ms, ms).map(|_| ms)
}

/// The options of a simulator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Key that `xi-api-key` must carry; without one, every key and none is accepted.
    pub api_key: Option<Secret>,
    /// How long a clone takes.
    pub clone_delay: CloneDelay,
    /// How long a conversation lasts unless its own maximum is shorter.
    pub conversation: Duration,
    /// Where post-call webhooks go, and the secret that signs them.
    pub webhook: Option<Target>,
    /// The initiation webhook, and the value of `X-Initiation-Secret`.
    pub initiation: Option<Target>,
    /// Clones the account may hold at once.
    pub voice_slots: u32,
    /// The agent of all conversations.
    pub agent: Agent,
    /// The address of a proxy in front of it that speaks TLS: signed addresses of conversations lead there.
    pub tls_front: Option<String>,
    /// Waits before the second, third, ... attempt of a transcription webhook. The command line cannot change them;
    /// tests shorten them.
    pub retry_spacing: Vec<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            api_key: None,
            clone_delay: CloneDelay::NONE,
            conversation: Duration::from_secs(3),
            webhook: None,
            initiation: None,
            voice_slots: 30,
            agent: Agent::default(),
            tls_front: None,
            retry_spacing: RETRY_SPACING.to_vec(),
        }
    }
}

/// Flags of `precall simulate elevenlabs`. No flag reads the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Key that requests must carry in xi-api-key; without it every key is accepted
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<Secret>,
    /// How long a clone takes in milliseconds: N, or a random time from A..B (both included)
    #[arg(long, value_name = "A..B|N", default_value = "5000..12000")]
    pub clone_delay_ms: CloneDelay,
    /// How long a conversation lasts, in milliseconds
    #[arg(long, value_name = "N", default_value = "3000", value_parser = conversation_ms)]
    pub conversation_ms: u64,
    /// URL for post-call webhooks (loopback only)
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    pub webhook_url: Option<LoopbackUrl>,
    /// Secret that signs post-call webhooks
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    pub webhook_secret: Option<Secret>,
    /// URL of the initiation webhook, asked when a call comes in (loopback only)
    #[arg(long, value_name = "URL", requires = "initiation_secret")]
    pub initiation_url: Option<LoopbackUrl>,
    /// Value of the header X-Initiation-Secret
    #[arg(long, value_name = "SECRET", requires = "initiation_url")]
    pub initiation_secret: Option<Secret>,
    /// Clones the account may hold at once
    #[arg(long, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST_VOICE_SLOTS)))]
    pub voice_slots: u32,
    /// Audio of the agent's WebSocket, both ways: pcm_8000, pcm_16000, ..., ulaw_8000
    #[arg(long, value_name = "FORMAT", default_value = "pcm_8000")]
    pub agent_format: AgentAudio,
    /// A field of conversation_config_override that the agent allows, as tts.voice_id; repeatable, or a list with
    /// commas; none is allowed by default
    #[arg(long = "allow-override", value_name = "FIELD", value_delimiter = ',', value_parser = field)]
    pub allow_overrides: Vec<String>,
    /// What happens to a field that the agent does not allow
    #[arg(long, value_enum, default_value_t)]
    pub override_refusal: OverrideRefusal,
    /// What happens when a message on the agent's WebSocket breaks the provider's contract
    #[arg(long, value_enum, default_value_t)]
    pub on_violation: OnViolation,
    /// A proxy in front of it that speaks TLS: signed addresses of conversations are wss://HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    pub tls_front: Option<String>,
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        // clap requires that a URL and its secret come together.
        let target = |url: Option<LoopbackUrl>, secret: Option<Secret>| {
            url.zip(secret).map(|(url, secret)| Target { url, secret })
        };
        Self {
            port: args.port,
            api_key: args.api_key,
            clone_delay: args.clone_delay_ms,
            conversation: Duration::from_millis(args.conversation_ms),
            webhook: target(args.webhook_url, args.webhook_secret),
            initiation: target(args.initiation_url, args.initiation_secret),
            voice_slots: args.voice_slots,
            tls_front: args.tls_front,
            agent: Agent {
                agent_output_audio_format: args.agent_format,
                user_input_audio_format: args.agent_format,
                violations: args.on_violation,
                allowed_overrides: args.allow_overrides,
                override_refusal: args.override_refusal,
                ..Agent::default()
            },
            ..Self::default()
        }
    }
}
