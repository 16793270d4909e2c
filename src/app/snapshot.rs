//! Everything that a reload hands to the engine, the HTTP server and the log, as one text. Tests compare two.

use super::engine_settings::reloadable_settings;
use super::error::AppError;
use super::{http_settings, samples};
use crate::config::{Config, Sender, WebhookAuth};

/// The text. It shows secrets, so that a changed one differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot(String);

/// What the engine, the server and the log use of this configuration.
pub(crate) fn snapshot(config: &Config) -> Result<Snapshot, AppError> {
    let engine = reloadable_settings(config)?;
    let order = engine.live_leg.as_ref().map(|leg| (leg.prompt_order)(&engine.default_line));
    let http = http_settings(config, samples(&config.clone)?, &slog::Logger::root(slog::Discard, slog::o!()));
    let sender = |sender: &Sender| {
        let current = match &sender.auth {
            WebhookAuth::Signed(secret) => secret.expose().to_owned(),
            WebhookAuth::OpenInDevelopment => "open".to_owned(),
        };
        let previous = sender.previous.as_ref().map(|secret| secret.expose().to_owned());
        format!("{current} {previous:?} {:?}", sender.trusted_ips)
    };
    let secret =
        |secret: &Option<crate::config::Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let keys: Vec<_> = http.api_keys.principals().collect();
    let control = config.threecx.call_control.as_ref();
    Ok(Snapshot(format!(
        "{engine:?}\n{order:?}\n{} {}\n{:?} {:?} {:?}\n{:?} {} {} {} {:?} {:?} {keys:?} {:?}\n{} {:?}\n{:?} {:?} {} {} \
         {}",
        sender(&http.threecx),
        sender(&http.elevenlabs),
        secret(&http.threecx_token),
        secret(&http.initiation_secret),
        secret(&http.initiation_secret_previous),
        http.trusted_proxies,
        http.source_limit,
        http.body_limit,
        http.transcription_limit,
        http.recordings,
        http.fallback_voice,
        http.persons,
        config.elevenlabs.api_key.expose(),
        control.map(|control| control.client_secret.expose()),
        config.log.level,
        config.server.drain_timeout,
        http.has_fallback,
        http.supervision,
        http.sample_playback,
    )))
}
