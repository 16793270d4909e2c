//! Startup warnings about settings that are allowed and may surprise.

use precall_base::phone_number::{CallerNumber, NumberKind};
use precall_call::{Route, VoicePolicy};

use super::table::variables;
use super::values::Values;
use super::variables::Routes;
use super::webhook::WebhookAuth;
use super::{Config, CorsOrigins, DatabaseSource, Secret, TraceExport};

/// One sentence each, without secrets.
pub(super) fn notices(config: &Config, values: &Values) -> Vec<String> {
    let mut notices = Vec::new();
    route(config, values, &mut notices);
    webhooks(config, &mut notices);
    database(config, values, &mut notices);
    let mut say = |text: &str| notices.push(text.to_owned());
    if config.server.cors_origins == CorsOrigins::Any {
        say("CORS_ORIGINS is *: every web page that has a key may use the API");
    }
    if config.api_keys.is_empty() {
        say("API_KEYS is not set: the API is closed");
    }
    if !config.clone.consent_required {
        say("CONSENT_REQUIRED is off: precall uploads samples without a speaker's consent on record");
    }
    if config.clone.policy == VoicePolicy::Proof && config.call.route == Route::Callback {
        say(
            "VOICE_POLICY is proof, and callers cannot prove anything on route callback: agents speak in the fallback \
             voice",
        );
    }
    if config.traces.as_ref().is_some_and(TraceExport::sends_headers_openly) {
        say("OTEL_EXPORTER_OTLP_HEADERS go to the collector unencrypted: use an https address");
    }
    if config.clone.timeout > config.clone.max_wait {
        say("VOICE_CLONE_TIMEOUT is longer than CLONE_MAX_WAIT_SECONDS: calls give up before the clone does");
    }
    notices
}

/// Supervision that is on and that no call can have. None where it is off, or has its notice.
pub(super) fn supervision(config: &Config) -> Option<String> {
    let is_wanted = config.call.supervision && config.call.route != Route::Callback;
    (is_wanted && !config.greeting.announces_supervision()).then(|| {
        "SUPERVISION has no effect: nobody can listen while the notice does not mention it; let NOTICE_MESSAGE (or \
         the notice of the PBX) say that a person may listen, then set NOTICE_MENTIONS_SUPERVISION=true"
            .to_owned()
    })
}

fn route(config: &Config, values: &Values, notices: &mut Vec<String>) {
    if !values.is_set("CALL_ROUTE") {
        notices.push(if config.threecx.call_control.is_some() {
            "CALL_ROUTE is bridge, because 3CX call control is configured: callers hear the greeting and the agent on \
             their own line"
            .to_owned()
        } else {
            "CALL_ROUTE is callback, because 3CX call control is not configured: precall phones callers back".to_owned()
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
    called_back(config, notices);
    for variable in variables().filter(|variable| variable.routes == Routes::LiveLeg) {
        if values.is_set(variable.name) {
            notices.push(format!("{} has no effect on CALL_ROUTE=callback", variable.name));
        }
    }
}

/// Whom precall calls back. The lines in the database are not known yet.
fn called_back(config: &Config, notices: &mut Vec<String>) {
    let callback = &config.callback;
    let has_country =
        |number: &CallerNumber| number.e164().is_some_and(|number| number.kind() != NumberKind::Global);
    let gives_country = callback.default_region.is_some() || callback.own_numbers.iter().any(has_country);
    if callback.countries.is_empty() && !gives_country {
        notices.push(
            "no country is set: precall calls nobody back, unless a line has a number of their country; set \
             CALLBACK_COUNTRIES or DEFAULT_REGION"
                .to_owned(),
        );
    }
    if callback.own_numbers.is_empty() {
        notices.push(
            "OWN_NUMBERS is not set: without lines precall calls back whatever number was called; list your DIDs and \
             the agent's number"
                .to_owned(),
        );
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
                notices
                    .push(format!("{name} is not set: precall accepts its webhooks unsigned (development)"));
            }
            WebhookAuth::Signed(secret) if is_weak(secret) => {
                notices.push(format!("{name} is short: use 32 random characters or more"));
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
            notices.push(format!(
                "DATABASE_URL is not set: precall uses the embedded database, in {}",
                directory.display()
            ));
        }
        DatabaseSource::External(url) => {
            if values.is_set("EMBEDDED_DATABASE") {
                notices.push("EMBEDDED_DATABASE has no effect: DATABASE_URL is set".to_owned());
            }
            if !url.ignored().is_empty() {
                notices.push(format!(
                    "these options of DATABASE_URL have no effect: {}",
                    url.ignored().join(", ")
                ));
            }
        }
    }
}
