//! The webhooks that 3CX and ElevenLabs send, and how precall knows that they are genuine.

use super::environment_name::Environment;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::{Setting, variables};
use super::value::numbers::Whole;
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Routes};
use crate::trusted_addresses::AddressList;

const IN_PRODUCTION: Required = Required::When("unless ENVIRONMENT is development");

variables! { Section::Webhook;
    threecx_webhook_secret: Secret {
        probed: Probed::Cannot("the secret of the call flow shows only in its webhooks; health counts refused ones"),
        required: IN_PRODUCTION,
        example: "CHANGE_ME",
        help: "Secret that the 3CX call flow signs its webhooks with (X-3CX-Signature).",
        note: "Use 32 random characters or more.",
    }
    webhook_secret: Secret {
        probed: Probed::Cannot("ElevenLabs shows a secret only once; health counts refused webhooks"),
        required: IN_PRODUCTION,
        example: "CHANGE_ME",
        help: "Secret that ElevenLabs showed when its webhook was created (ElevenLabs-Signature).",
    }
    threecx_trusted_ips: AddressList {
        probed: Probed::Cannot("an address shows only in a webhook; health counts refused ones"),
        example: "203.0.113.7",
        help: "Addresses that 3CX webhooks may come from. Unset: any address.",
    }
    elevenlabs_trusted_ips: AddressList {
        probed: Probed::Cannot("an address shows only in a webhook; health counts refused ones"),
        example: "203.0.113.0/24",
        help: "Addresses that ElevenLabs webhooks may come from. Unset: any address.",
    }
    initiation_secret: Secret {
        probed: Probed::Cannot("ElevenLabs shows no headers of webhooks; health counts refused ones"),
        routes: Routes::LiveLeg,
        example: "CHANGE_ME",
        help: "Secret that the ElevenLabs initiation webhook sends as X-Initiation-Secret.",
        note: "Unset: precall answers no initiation webhook.",
    }
    webhook_body_limit: Whole<usize, 1_024, 67_108_864> {
        unit: "bytes",
        default: Text("1048576"),
        help: "Largest body of a webhook.",
        note: "A transcription may have 16 MiB, or this value when it is larger.",
    }
}

/// How a sender proves that its webhooks are genuine.
#[derive(Clone, Debug)]
pub enum WebhookAuth {
    /// By a signature with this secret.
    Signed(Secret),
    /// Not at all: development without a secret, reachable from this machine only.
    OpenInDevelopment,
}

/// One sender of webhooks.
#[derive(Clone, Debug)]
pub struct Sender {
    /// How it proves that its webhooks are genuine.
    pub auth: WebhookAuth,
    /// Addresses it may send from; any address when unset.
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
    /// Largest body in bytes.
    pub body_limit: usize,
}

impl Webhooks {
    /// Largest transcription in bytes. Transcripts of long calls are larger than any other body.
    #[must_use]
    pub fn transcription_body_limit(&self) -> usize {
        const TRANSCRIPTION: usize = 16 * 1024 * 1024;
        self.body_limit.max(TRANSCRIPTION)
    }

    pub(super) fn read(values: &Values, environment: Environment, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let threecx = auth(
            settings.threecx_webhook_secret,
            "the secret that the 3CX call flow signs its webhooks with (or ENVIRONMENT=development)",
            environment,
            problems,
        );
        let elevenlabs = auth(
            settings.webhook_secret,
            "the secret that ElevenLabs gave when its webhook was created (or ENVIRONMENT=development)",
            environment,
            problems,
        );
        Some(Self {
            threecx: Sender { auth: threecx?, trusted_ips: settings.threecx_trusted_ips.optional()? },
            elevenlabs: Sender {
                auth: elevenlabs?,
                trusted_ips: settings.elevenlabs_trusted_ips.optional()?,
            },
            initiation_secret: settings.initiation_secret.optional()?,
            body_limit: settings.webhook_body_limit.value()?.0,
        })
    }
}

fn auth(
    secret: Setting<Secret>,
    right: &str,
    environment: Environment,
    problems: &mut Problems,
) -> Option<WebhookAuth> {
    // A secret that is configured and cannot be read must not turn signatures off.
    let is_unreadable = problems.has(&format!("{}_FILE", secret.name));
    if secret.is_unset() && environment == Environment::Development && !is_unreadable {
        return Some(WebhookAuth::OpenInDevelopment);
    }
    secret.required(right, problems).map(WebhookAuth::Signed)
}
