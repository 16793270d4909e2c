//! The webhooks that 3CX and ElevenLabs send, and how precall knows that they are genuine.

use super::environment_name::Environment;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::{Setting, variables};
use super::value::numbers::Whole;
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Restart, Routes};
use crate::trusted_addresses::AddressList;

const IN_PRODUCTION: Required = Required::When("unless ENVIRONMENT is development");

variables! { Section::Webhook;
    threecx_webhook_secret: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("the secret of the call flow shows only in its webhooks; health counts refused ones"),
        required: IN_PRODUCTION,
        example: "CHANGE_ME",
        help: "Secret that the 3CX call flow signs its webhooks with (X-3CX-Signature).",
        note: "Use 32 random characters or more.",
    }
    threecx_webhook_secret_previous: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("health counts refused webhooks"),
        example: "CHANGE_ME",
        help: "The secret before THREECX_WEBHOOK_SECRET: taken as well, until the sender has the new one.",
        note: "`precall keys list` shows when each was last used. Take it out when it is not used any more.",
    }
    threecx_webhook_token: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("the token shows only in webhooks; health counts refused ones"),
        example: "CHANGE_ME-CHANGE_ME-CHANGE_ME-CHANGE_ME",
        help: "Token for webhooks of a 3CX that cannot sign: bearer token, X-API-Key, password of Basic, or end of the \
               path.",
        note: "Such a webhook may end a call or add to it; it begins none. 32 random characters or more. Unset: every \
               webhook must be signed.",
    }
    webhook_secret: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("ElevenLabs shows a secret only once; health counts refused webhooks"),
        required: IN_PRODUCTION,
        example: "CHANGE_ME",
        help: "Secret that ElevenLabs showed when its webhook was created (ElevenLabs-Signature).",
    }
    webhook_secret_previous: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("health counts refused webhooks"),
        example: "CHANGE_ME",
        help: "The secret before WEBHOOK_SECRET: taken as well, until the sender has the new one.",
        note: "`precall keys list` shows when each was last used. Take it out when it is not used any more.",
    }
    threecx_trusted_ips: AddressList {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("an address shows only in a webhook; health counts refused ones"),
        example: "203.0.113.7",
        help: "Addresses that 3CX webhooks may come from. Unset: any address.",
    }
    elevenlabs_trusted_ips: AddressList {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("an address shows only in a webhook; health counts refused ones"),
        example: "203.0.113.0/24",
        help: "Addresses that ElevenLabs webhooks may come from. Unset: any address.",
    }
    initiation_secret: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("ElevenLabs shows no headers of webhooks; health counts refused ones"),
        routes: Routes::LiveLeg,
        example: "CHANGE_ME",
        help: "Secret that the ElevenLabs initiation webhook sends as X-Initiation-Secret.",
        note: "Unset: precall answers no initiation webhook.",
    }
    initiation_secret_previous: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("health counts refused webhooks"),
        routes: Routes::LiveLeg,
        example: "CHANGE_ME",
        help: "The secret before INITIATION_SECRET: taken as well, until the sender has the new one.",
        note: "`precall keys list` shows when each was last used. Take it out when it is not used any more.",
    }
    webhook_body_limit: Whole<usize, 1_024, 67_108_864> {
        restart: Restart::NotNeeded,
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
    /// The secret before, which is still taken; none in development without a secret.
    pub previous: Option<Secret>,
    /// Addresses it may send from; any address when unset.
    pub trusted_ips: Option<AddressList>,
}

/// The webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// `/webhook/3cx`.
    pub threecx: Sender,
    /// The token of 3CX webhooks that are not signed; none: every one must be signed.
    pub threecx_token: Option<Secret>,
    /// `/webhook/elevenlabs/postcall`.
    pub elevenlabs: Sender,
    /// `X-Initiation-Secret` of `/webhook/elevenlabs/initiation`; closed when unset.
    pub initiation_secret: Option<Secret>,
    /// The one before, which is still taken.
    pub initiation_secret_previous: Option<Secret>,
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
        let initiation = settings.initiation_secret.optional();
        Some(Self {
            threecx: Sender {
                previous: previous(
                    settings.threecx_webhook_secret_previous,
                    is_set(threecx.as_ref()),
                    problems,
                )?,
                auth: threecx?,
                trusted_ips: settings.threecx_trusted_ips.optional()?,
            },
            threecx_token: token(settings.threecx_webhook_token, problems)?,
            elevenlabs: Sender {
                previous: previous(settings.webhook_secret_previous, is_set(elevenlabs.as_ref()), problems)?,
                auth: elevenlabs?,
                trusted_ips: settings.elevenlabs_trusted_ips.optional()?,
            },
            initiation_secret_previous: previous(
                settings.initiation_secret_previous,
                initiation.as_ref().is_none_or(Option::is_some),
                problems,
            )?,
            initiation_secret: initiation?,
            body_limit: settings.webhook_body_limit.value()?.0,
        })
    }
}

/// Unlike a signature, a token goes over the wire and may end in a log of a proxy: it must at least not be guessed.
fn token(token: Setting<Secret>, problems: &mut Problems) -> Option<Option<Secret>> {
    let name = token.name;
    let token = token.optional()?;
    let is_good = |token: &Secret| {
        (TOKEN_MIN..=TOKEN_MAX).contains(&token.length()) && token.expose().bytes().all(is_token_byte)
    };
    if token.as_ref().is_some_and(|token| !is_good(token)) {
        problems.add(name, "not a token", "32 to 256 letters, digits, - and _, made at random");
        return None;
    }
    Some(token)
}

const TOKEN_MIN: usize = 32;
const TOKEN_MAX: usize = 256;

/// It stands in paths and headers as it is.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether the secret is set, or is wrong: then that is the problem.
fn is_set(auth: Option<&WebhookAuth>) -> bool {
    !matches!(auth, Some(WebhookAuth::OpenInDevelopment))
}

/// The secret before. Alone it would leave the webhook open or closed, which nobody means.
fn previous(secret: Setting<Secret>, has_current: bool, problems: &mut Problems) -> Option<Option<Secret>> {
    let name = secret.name;
    let previous = secret.optional()?;
    if previous.is_some() && !has_current {
        let current = name.strip_suffix("_PREVIOUS").unwrap_or(name);
        problems.add(name, "set alone", format!("the secret before {current}: set {current} as well"));
        return None;
    }
    Some(previous)
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
