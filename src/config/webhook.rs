//! What others post to us, and how we know that it is them.

use serde::Deserialize;

use super::environment_name::Environment;
use super::problem::Problems;
use super::secret::Secret;
use super::value::Read;
use super::values::Values;
use super::variables::Section;
use crate::trusted_addresses::AddressList;

/// How one sender proves who it is.
#[derive(Clone, Debug)]
pub enum WebhookAuth {
    /// By a signature with this secret.
    Signed(Secret),
    /// Not at all: development without a secret, reachable from this machine alone.
    OpenInDevelopment,
}

/// One sender of webhooks.
#[derive(Clone, Debug)]
pub struct Sender {
    /// How it proves who it is.
    pub auth: WebhookAuth,
    /// Where it may post from; from anywhere when unset.
    pub trusted_ips: Option<AddressList>,
}

/// The webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// `/webhook/3cx`.
    pub threecx: Sender,
    /// `/webhook/elevenlabs/postcall`.
    pub elevenlabs: Sender,
    /// `X-Initiation-Secret` of `/webhook/elevenlabs/initiation`; closed when unset.
    pub initiation_secret: Option<Secret>,
    /// Bytes of a body at most.
    pub body_limit: usize,
}

impl Webhooks {
    /// Bytes of a transcription at most: transcripts of long calls are larger than anything else.
    #[must_use]
    pub fn transcription_body_limit(&self) -> usize {
        const TRANSCRIPTION: usize = 16 * 1024 * 1024;
        self.body_limit.max(TRANSCRIPTION)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    threecx_webhook_secret: Option<Read<Secret>>,
    webhook_secret: Option<Read<Secret>>,
    threecx_trusted_ips: Option<Read<AddressList>>,
    elevenlabs_trusted_ips: Option<Read<AddressList>>,
    initiation_secret: Option<Read<Secret>>,
    webhook_body_limit: Read<u64>,
}

impl Webhooks {
    pub(super) fn read(values: &Values, environment: Environment, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Webhook, problems)?;
        let threecx = auth(
            "THREECX_WEBHOOK_SECRET",
            raw.threecx_webhook_secret,
            "the secret that the 3CX call flow signs its webhooks with (or ENVIRONMENT=development)",
            environment,
            problems,
        );
        let elevenlabs = auth(
            "WEBHOOK_SECRET",
            raw.webhook_secret,
            "the secret that ElevenLabs gave when its webhook was created (or ENVIRONMENT=development)",
            environment,
            problems,
        );
        let threecx_ips = problems.optional("THREECX_TRUSTED_IPS", raw.threecx_trusted_ips);
        let elevenlabs_ips = problems.optional("ELEVENLABS_TRUSTED_IPS", raw.elevenlabs_trusted_ips);
        let initiation_secret = problems.optional("INITIATION_SECRET", raw.initiation_secret);
        let body_limit =
            problems.number("WEBHOOK_BODY_LIMIT", raw.webhook_body_limit, 1_024..=67_108_864, "bytes");
        Some(Self {
            threecx: Sender { auth: threecx?, trusted_ips: threecx_ips? },
            elevenlabs: Sender { auth: elevenlabs?, trusted_ips: elevenlabs_ips? },
            initiation_secret: initiation_secret?,
            body_limit: body_limit?,
        })
    }
}

fn auth(
    name: &'static str,
    secret: Option<Read<Secret>>,
    right: &str,
    environment: Environment,
    problems: &mut Problems,
) -> Option<WebhookAuth> {
    // A secret that was meant to be there and cannot be read must not open the door.
    let unreadable = problems.has(&format!("{name}_FILE"));
    if secret.is_none() && environment == Environment::Development && !unreadable {
        return Some(WebhookAuth::OpenInDevelopment);
    }
    problems.required(name, secret, right).map(WebhookAuth::Signed)
}
