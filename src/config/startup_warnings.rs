//! What is allowed and still worth saying aloud at start.

use precall_call::{Route, VoicePolicy};

use super::values::Values;
use super::webhook::WebhookAuth;
use super::{Config, CorsOrigins, DatabaseSource, Secret};

/// Accepted for what comes later, or kept from the service before; without effect on route `callback`.
const LIVE_LEG_ONLY: &[&str] = &[
    "GREETING_MUSIC_URL",
    "GREETING_AUDIO_FILE",
    "GREETING_LEAD_SILENCE_MS",
    "GREETING_SKIP_DTMF",
    "FALLBACK_DTMF",
    "GREETING_MODEL_ID",
    "APOLOGY_MESSAGE",
    "PROMPT_CACHE_DIR",
    "AGENT_DESTINATION",
    "FALLBACK_DESTINATION",
    "INITIATION_SECRET",
    "TRANSFER_RING_SECONDS",
    "TRANSFER_DESTINATIONS",
    "AGENT_ACCESS",
    "AGENT_HOSTS",
    "AGENT_FIRST_MESSAGE",
    "AGENT_DYNAMIC_VARIABLES",
    "AGENT_STALL_SECONDS",
    "AGENT_AUDIO_MS",
    "TRUSTED_TRUNKS",
    "PIN_WAIT_SECONDS",
];

/// One sentence each, without secrets.
pub(super) fn notices(config: &Config, values: &Values) -> Vec<String> {
    let mut notices = Vec::new();
    route(config, values, &mut notices);
    webhooks(config, &mut notices);
    database(config, values, &mut notices);
    let mut say = |text: &str| notices.push(text.to_owned());
    if config.server.cors_origins == CorsOrigins::Any {
        say("CORS_ORIGINS is *: every web page may use the API with a key it has");
    }
    if config.api_keys.is_empty() {
        say("API_KEYS is not set: the API is closed");
    }
    if !config.clone.consent_required {
        say("CONSENT_REQUIRED is off: samples are uploaded without a speaker's consent on record");
    }
    if config.clone.policy == VoicePolicy::Proof && config.call.route == Route::Callback {
        say(
            "VOICE_POLICY is proof, and on route callback nothing can be proved: agents speak in the fallback voice",
        );
    }
    if config.clone.timeout > config.clone.max_wait {
        say("VOICE_CLONE_TIMEOUT is longer than CLONE_MAX_WAIT_SECONDS: calls give up before the clone does");
    }
    notices
}

fn route(config: &Config, values: &Values, notices: &mut Vec<String>) {
    if !values.is_set("CALL_ROUTE") {
        notices.push(if config.threecx.call_control.is_some() {
            "CALL_ROUTE is bridge, since 3CX call control is configured: callers are greeted, and speak with the agent, on \
             their own line"
            .to_owned()
        } else {
            "CALL_ROUTE is callback, since 3CX call control is not configured: callers are phoned back".to_owned()
        });
    }
    if config.call.route != Route::Callback {
        let has_person = config.call.fallback_destination.is_some() || !config.agent.persons.is_empty();
        if config.greeting.person_key.is_some() && !has_person {
            notices.push(
                "FALLBACK_DTMF has no effect: neither FALLBACK_DESTINATION nor TRANSFER_DESTINATIONS is set"
                    .to_owned(),
            );
        }
        return;
    }
    for name in LIVE_LEG_ONLY.iter().filter(|name| values.is_set(name)) {
        notices.push(format!("{name} has no effect on CALL_ROUTE=callback"));
    }
}

fn webhooks(config: &Config, notices: &mut Vec<String>) {
    let senders = [
        ("THREECX_WEBHOOK_SECRET", &config.webhooks.threecx.auth),
        ("WEBHOOK_SECRET", &config.webhooks.elevenlabs.auth),
    ];
    for (name, auth) in senders {
        match auth {
            WebhookAuth::OpenInDevelopment => {
                notices.push(format!("{name} is not set: its webhooks are taken unsigned (development)"));
            }
            WebhookAuth::Signed(secret) if is_weak(secret) => {
                notices.push(format!("{name} is short: 32 random characters or more are hard to guess"));
            }
            WebhookAuth::Signed(_) => {}
        }
    }
}

fn is_weak(secret: &Secret) -> bool {
    const SHORT: usize = 16;
    secret.length() < SHORT
}

fn database(config: &Config, values: &Values, notices: &mut Vec<String>) {
    match &config.database.source {
        DatabaseSource::Embedded { directory } => {
            notices
                .push(format!("no DATABASE_URL: the embedded database is used, in {}", directory.display()));
        }
        DatabaseSource::External(url) => {
            if values.is_set("EMBEDDED_DATABASE") {
                notices.push("EMBEDDED_DATABASE has no effect: DATABASE_URL is set".to_owned());
            }
            if !url.ignored().is_empty() {
                notices.push(format!(
                    "options of DATABASE_URL without effect here: {}",
                    url.ignored().join(", ")
                ));
            }
        }
    }
}
