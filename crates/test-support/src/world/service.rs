//! Starts the service for a test.

use std::path::{Path, PathBuf};

use precall::app::Application;
use precall::config::{ApiKeys, Config, ConfigSource, Scope};
use precall_actors::runtime::fault_injection::Faults;
use precall_simulators::Target;
use precall_simulators::elevenlabs::Simulator;

use super::{CALLED, KEY, SECRET};
use crate::plan::Plan;

/// The service without a [`World`] around it.
pub async fn start_app(
    database: &str,
    provider: &str,
    samples: &Path,
    env: &[(String, String)],
    faults: &Faults,
) -> Application {
    build(database, provider, samples, env, faults, &Plan::default().log).await
}

async fn build(
    database: &str,
    provider: &str,
    samples: &Path,
    env: &[(String, String)],
    faults: &Faults,
    log: &slog::Logger,
) -> Application {
    let entry = ApiKeys::entry("tests", Scope::Admin, KEY).unwrap();
    let spool = samples.join("spool").display().to_string();
    let ledger = samples.join("erasures.jsonl").display().to_string();
    let file = env_file(samples);
    let samples = samples.display().to_string();
    let mut pairs: Vec<(String, String)> = [
        ("ENVIRONMENT", "development"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("HTTP_WORKERS", "1"),
        ("CALL_ARBITERS", "2"),
        ("DATABASE_POOL_SIZE", "4"),
        ("INSTALLATION", "test"),
        ("DATABASE_URL", database),
        ("ELEVENLABS_API_KEY", "test-key"),
        ("ELEVENLABS_AGENT_ID", "agent_test"),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_test"),
        ("ELEVENLABS_API_BASE", provider),
        ("FALLBACK_VOICE_ID", "voice_fallback"),
        ("LOCAL_VOICE_SAMPLES_PATH", &samples),
        ("SPOOL_DIR", &spool),
        ("ERASURE_LEDGER", &ledger),
        ("THREECX_WEBHOOK_SECRET", SECRET),
        ("WEBHOOK_SECRET", SECRET),
        ("DEFAULT_REGION", "US"),
        ("OWN_NUMBERS", CALLED),
        ("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000"),
        ("API_KEYS", &entry),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for (name, value) in env {
        pairs.retain(|(existing, _)| existing != name);
        pairs.push((name.clone(), value.clone()));
    }
    let lines: String = pairs.iter().map(|(name, value)| env_line(name, value)).collect();
    std::fs::write(&file, lines).expect("the file of settings is written");
    // From a file, so that a test can change it and have it read again.
    let config = Config::read(ConfigSource::File(file)).expect("the test's configuration is good");
    Application::build(&config, log.clone(), faults.clone()).await.expect("the application starts")
}

/// The file of settings of a service with these samples.
pub(super) fn env_file(samples: &Path) -> PathBuf {
    samples.join(".env")
}

/// A line of a file of settings.
pub(super) fn env_line(name: &str, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\n', "\\n");
    format!("{name}=\"{escaped}\"\n")
}

/// The service with this simulator as ElevenLabs, which sends its webhooks to the service.
pub(super) async fn serve(
    database: &str,
    simulator: &Simulator,
    samples: &Path,
    env: &[(String, String)],
    faults: &Faults,
    log: &slog::Logger,
) -> Application {
    let app = build(database, &simulator.url(), samples, env, faults, log).await;
    simulator.set_webhook(Some(target(&app, "/webhook/elevenlabs/postcall")));
    simulator.set_initiation(Some(target(&app, "/webhook/elevenlabs/initiation")));
    app
}

/// The address of a webhook of the service, with its secret.
pub(crate) fn target(app: &Application, path: &str) -> Target {
    Target { url: format!("{}{path}", app.url()).parse().unwrap(), secret: SECRET.parse().unwrap() }
}
