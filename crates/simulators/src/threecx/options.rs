//! The options of the simulated PBX and the flags of its command. Addresses of other machines are refused.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::leg::Control;
use crate::shared::options::{LoopbackUrl, OptionError, Secret, Target};

/// Why an option was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TrunkError {
    /// There is no `=`, or nothing before it.
    #[error("expected DN=URL, for example 88100=http://127.0.0.1:4010")]
    NotATrunk,
    /// The address cannot be used.
    #[error(transparent)]
    Url(#[from] OptionError),
}

/// A number at which a simulated ElevenLabs answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// The destination that leads there.
    pub dn: String,
    /// Base address of the ElevenLabs simulator.
    pub url: LoopbackUrl,
    /// The agent that the number belongs to; the other simulator's own default when not given.
    pub agent_id: Option<String>,
}

impl FromStr for Trunk {
    type Err = TrunkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (dn, url) = text.split_once('=').ok_or(TrunkError::NotATrunk)?;
        if dn.trim().is_empty() {
            return Err(TrunkError::NotATrunk);
        }
        Ok(Self { dn: dn.trim().to_owned(), url: url.trim().parse()?, agent_id: None })
    }
}

/// In which unit the token endpoint says how long a token lives (facts page, fact 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExpiresIn {
    /// Builds before 20.0 Update 9.
    Minutes,
    /// Builds since.
    #[default]
    Seconds,
}

/// What happens to older tokens when one is issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OldTokens {
    /// One access token is active at a time, as 3CX says.
    #[default]
    Revoked,
    /// They live on.
    Kept,
}

/// How `finalstatus` and `reason` of a result are written: which of the two builds use is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Codes {
    /// `"Success"`.
    #[default]
    Names,
    /// `1`.
    Numbers,
}

/// What happens to a second POST stream of a leg. The PBX's behaviour is not known (facts page, section 1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SecondPost {
    /// It takes the place of the first, which is closed.
    #[default]
    Replaces,
    /// 409 while the first is open.
    Refused,
    /// 409, also when the first is over: a leg has one stream in its life.
    Never,
}

/// How streams end when their leg does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StreamEnd {
    /// The GET body ends, the POST is answered.
    #[default]
    Clean,
    /// The connections are dropped.
    Reset,
}

/// Whether the PBX also sends events that a client must ignore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Noise {
    /// Events of devices, and of unknown types.
    #[default]
    On,
    /// Participants alone.
    Off,
}

/// A second API client with a route point of its own, which may call that of the first. It has no event connection.
#[derive(Clone, Debug)]
pub struct SecondClient {
    /// OAuth client and at the same time the DN of its route point.
    pub id: String,
    /// The API key.
    pub secret: Secret,
}

/// The options of a simulated PBX.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// OAuth client and at the same time the DN of its route point.
    pub client_id: String,
    /// The API key.
    pub client_secret: Secret,
    /// Another API client.
    pub second_client: Option<SecondClient>,
    /// Extensions that the client may see, but not control.
    pub extensions: Vec<String>,
    /// Extensions that the client may see and control.
    pub controlled: Vec<String>,
    /// Numbers that lead to a simulated ElevenLabs.
    pub trunks: Vec<Trunk>,
    /// Where signed webhooks go.
    pub webhook: Option<Target>,
    /// How long a token lives.
    pub token_ttl: Duration,
    /// The unit of `expires_in`.
    pub expires_in: ExpiresIn,
    /// What becomes of older tokens.
    pub old_tokens: OldTokens,
    /// How results are written.
    pub codes: Codes,
    /// Status of a successful action: 200 or 202 (not known which).
    pub action_status: u16,
    /// How long after Connected the GET stream is answered with 404.
    pub stream_missing: Duration,
    /// How long after that the GET stream is answered with 424.
    pub stream_not_ready: Duration,
    /// How long after Connected the POST stream is answered with 424.
    pub post_not_ready: Duration,
    /// What happens to a second POST stream.
    pub second_post: SecondPost,
    /// How long a leg stays after its POST stream ended without a successor. None: for ever.
    pub kept_without_post: Option<Duration>,
    /// How streams end.
    pub stream_end: StreamEnd,
    /// Whether there is noise.
    pub noise: Noise,
    /// Whether noise has Upserts whose path is a bare DN. 3CX's own example client dies of one, so a PBX very
    /// probably sends none.
    pub dn_upserts: Noise,
    /// How long after each change a leg's Upsert is repeated.
    pub upsert_for: Duration,
    /// The buffer for audio that is sent ahead; more is lost.
    pub playout_limit: Duration,
    /// What is kept of one call's audio.
    pub record: Duration,
    /// The caller does not hear this much of the first audio.
    pub discard_first: Duration,
    /// Bytes that arrive within this time after a hang-up were in flight and are counted separately.
    pub hangup_grace: Duration,
    /// How much later than its leg a `late` webhook is posted.
    pub webhook_late: Duration,
}

impl Options {
    /// Options of a PBX with this API client.
    pub fn new(client_id: &str, client_secret: Secret) -> Self {
        Self {
            port: 0,
            client_id: client_id.to_owned(),
            client_secret,
            second_client: None,
            extensions: Vec::new(),
            controlled: Vec::new(),
            trunks: Vec::new(),
            webhook: None,
            token_ttl: Duration::from_secs(3_600),
            expires_in: ExpiresIn::default(),
            old_tokens: OldTokens::default(),
            codes: Codes::default(),
            action_status: 200,
            stream_missing: Duration::from_millis(20),
            stream_not_ready: Duration::from_millis(60),
            post_not_ready: Duration::ZERO,
            second_post: SecondPost::default(),
            kept_without_post: None,
            stream_end: StreamEnd::default(),
            noise: Noise::default(),
            dn_upserts: Noise::Off,
            upsert_for: Duration::from_secs(3),
            playout_limit: Duration::from_secs(5),
            record: Duration::from_secs(120),
            discard_first: Duration::ZERO,
            hangup_grace: Duration::from_millis(200),
            webhook_late: Duration::from_secs(1),
        }
    }

    /// The trunk behind a destination.
    pub(super) fn trunk(&self, destination: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.dn == destination)
    }

    /// Whether this is the route point of the second client.
    pub(super) fn is_second(&self, dn: &str) -> bool {
        self.second_client.as_ref().is_some_and(|second| second.id == dn)
    }

    /// Whether the client sees this DN.
    pub(super) fn sees(&self, dn: &str) -> bool {
        dn == self.client_id || self.extensions.iter().any(|extension| extension == dn) || self.controls(dn)
    }

    /// Whether the client may act on the legs of this extension.
    pub(super) fn controls(&self, dn: &str) -> bool {
        self.controlled.iter().any(|extension| extension == dn)
    }

    /// What the client may do with a leg on this DN. `direct`: whether an extension's telephone answers on an order.
    pub(super) fn control(&self, dn: &str, direct: bool) -> Control {
        match dn == self.client_id || self.is_second(dn) {
            true => Control::Own,
            false if self.controls(dn) => Control::Extension { direct },
            false => Control::Seen,
        }
    }
}

/// Flags of `precall simulate threecx`. No flag reads the environment.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// ClientID of the API client, which is also the DN of its route point
    #[arg(long, value_name = "DN", default_value = "900")]
    pub client_id: String,
    /// API key of the client
    #[arg(long, value_name = "SECRET")]
    pub client_secret: Secret,
    /// ClientID of a second API client, which may call the route point of the first
    #[arg(long, value_name = "DN", requires = "second_client_secret")]
    pub second_client_id: Option<String>,
    /// API key of the second client
    #[arg(long, value_name = "SECRET", requires = "second_client_id")]
    pub second_client_secret: Option<Secret>,
    /// An extension that the client may see but not control; may be repeated
    #[arg(long, value_name = "DN")]
    pub extension: Vec<String>,
    /// An extension that the client may see and control; may be repeated
    #[arg(long, value_name = "DN")]
    pub controlled_extension: Vec<String>,
    /// A number at which a simulated ElevenLabs answers (loopback only); may be repeated
    #[arg(long, value_name = "DN=URL")]
    pub trunk: Vec<Trunk>,
    /// The agent that the trunks' numbers belong to
    #[arg(long, value_name = "ID", requires = "trunk")]
    pub trunk_agent_id: Option<String>,
    /// URL for signed webhooks (loopback only)
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    pub webhook_url: Option<LoopbackUrl>,
    /// Secret that signs webhooks
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    pub webhook_secret: Option<Secret>,
    /// How long a token lives, in seconds
    #[arg(long, value_name = "N", default_value_t = 3_600,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub token_ttl_s: u64,
    /// Unit of expires_in
    #[arg(long, value_enum, default_value_t)]
    pub expires_in: ExpiresIn,
    /// What happens to older tokens when one is issued
    #[arg(long, value_enum, default_value_t)]
    pub old_tokens: OldTokens,
    /// How results name their outcome
    #[arg(long, value_enum, default_value_t)]
    pub codes: Codes,
    /// Status of a successful action
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=204))]
    pub action_status: u16,
    /// Milliseconds after Connected during which the GET stream is answered with 404
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub stream_missing_ms: u32,
    /// Milliseconds after that during which the GET stream is answered with 424
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub stream_not_ready_ms: u32,
    /// Milliseconds after Connected during which the POST stream is answered with 424
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub post_not_ready_ms: u32,
    /// What happens to a second POST stream to the same leg
    #[arg(long, value_enum, default_value_t)]
    pub second_post: SecondPost,
    /// Drop a leg N milliseconds after its POST stream ended without a successor; by default it stays
    #[arg(long, value_name = "N")]
    pub kept_without_post_ms: Option<u32>,
    /// How streams end when their leg does
    #[arg(long, value_enum, default_value_t)]
    pub stream_end: StreamEnd,
    /// Whether the PBX also sends events that a client must ignore
    #[arg(long, value_enum, default_value_t)]
    pub noise: Noise,
    /// Whether that noise has Upserts of a bare DN, of which 3CX's own example client dies
    #[arg(long, value_enum, default_value_t = Noise::Off)]
    pub dn_upserts: Noise,
    /// The caller does not hear the first N milliseconds of audio
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub discard_first_ms: u32,
    /// Bytes that arrive within N milliseconds after a hang-up count as in flight
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub hangup_grace_ms: u32,
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("port", &self.port)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let agent = args.trunk_agent_id;
        let trunks = args.trunk.into_iter().map(|trunk| Trunk { agent_id: agent.clone(), ..trunk });
        // clap requires that a URL and its secret come together.
        let webhook = args.webhook_url.zip(args.webhook_secret).map(|(url, secret)| Target { url, secret });
        let second = args.second_client_id.zip(args.second_client_secret);
        Self {
            port: args.port,
            second_client: second.map(|(id, secret)| SecondClient { id, secret }),
            extensions: args.extension,
            controlled: args.controlled_extension,
            trunks: trunks.collect(),
            webhook,
            token_ttl: Duration::from_secs(args.token_ttl_s),
            expires_in: args.expires_in,
            old_tokens: args.old_tokens,
            codes: args.codes,
            action_status: args.action_status,
            stream_missing: ms(args.stream_missing_ms),
            stream_not_ready: ms(args.stream_not_ready_ms),
            post_not_ready: ms(args.post_not_ready_ms),
            second_post: args.second_post,
            kept_without_post: args.kept_without_post_ms.map(ms),
            stream_end: args.stream_end,
            noise: args.noise,
            dn_upserts: args.dn_upserts,
            discard_first: ms(args.discard_first_ms),
            hangup_grace: ms(args.hangup_grace_ms),
            ..Self::new(&args.client_id, args.client_secret)
        }
    }
}
