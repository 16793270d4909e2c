//! The whole program as one value, for `serve`, the demo and the tests.

mod engine_settings;
mod error;
mod pools;
mod reloader;
#[cfg(test)]
mod snapshot;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use actix_web::dev::ServerHandle;
use precall_actors::api::EngineHandle;
use precall_actors::lifecycle::settings::SpoolSettings;
use precall_actors::lifecycle::start::Engine;
use precall_actors::runtime::fault_injection::Faults;
use precall_actors::voices::samples::{SampleStore, UploadPlace};
use precall_base::open_files;
use precall_base::phone_number::Region;
use precall_providers::s3::S3Settings;
use precall_store::connect::DatabaseUrl;
use precall_store::spool::handle::SpoolHandle;
use precall_store::spool::room;
use slog::{Logger, info, warn};
use tokio::task::JoinHandle;

use crate::alerts;
use crate::config::{Config, DatabaseSource, Environment, Storage, VoiceClone};
use crate::embedded_database::EmbeddedDatabase;
use crate::http;
use crate::http::CurrentSettings;
use crate::logging::LogLevel;
use crate::reload::{NoAnswer, ReloadDesk};
pub(crate) use engine_settings::collector;
#[cfg(test)]
pub(crate) use engine_settings::default_line;
use engine_settings::{EngineParts, engine_settings};
pub use error::AppError;
use pools::Pools;
use reloader::Reloader;
#[cfg(test)]
pub(crate) use snapshot::{Snapshot, snapshot};

/// A running precall.
pub struct Application {
    address: SocketAddr,
    management: Option<SocketAddr>,
    engine: Engine,
    servers: Vec<ServerHandle>,
    embedded: Option<EmbeddedDatabase>,
    reloads: ReloadDesk,
    reloading: JoinHandle<()>,
    level: Arc<OnceLock<LogLevel>>,
    log: Logger,
}

impl Application {
    /// Starts everything. The port is open when this returns. Calls are accepted once the database was reached.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn build(config: &Config, log: Logger, faults: Faults) -> Result<Self, AppError> {
        raise_open_files(config.call.max_live, &log);
        let listener = listen(config.server.listen)?;
        let address = listener.local_addr()?;
        let (url, embedded) = database(config, &log).await?;
        let pools = Pools::new(&url, &config.database)?;
        let spool = spool(config, &log).await?;
        let samples = samples(&config.clone)?;
        let reading = pools.reads();
        let parts = EngineParts { pools, spool, samples: samples.clone(), faults, log: log.clone() };
        let engine = Engine::start(engine_settings(config, parts)?)?;
        let mut servers = Vec::new();
        let settings = CurrentSettings::new(http_settings(config, samples.clone(), &log));
        let (reloads, orders) = ReloadDesk::new(config.clone());
        let server = http::server(
            settings.clone(),
            reloads.clone(),
            engine.handle(),
            reading.clone(),
            listener,
            config.server.http_workers,
        )?;
        servers.push(server.handle());
        actix::spawn(server);
        let mut management = None;
        if let Some(listener) = listen_for_management(config, &log)? {
            management = Some(listener.local_addr()?);
            let (settings, reloads) = (settings.clone(), reloads.clone());
            let server = http::management_server(settings, reloads, engine.handle(), reading, listener)?;
            servers.push(server.handle());
            actix::spawn(server);
        }
        watch_alerts(config, &engine.handle(), &log)?;
        let level = Arc::new(OnceLock::new());
        let reloader = Reloader {
            desk: reloads.clone(),
            engine: engine.handle(),
            http: settings,
            samples,
            level: Arc::clone(&level),
            log: log.clone(),
        };
        let reloading = actix::spawn(reloader.run(orders));
        info!(log, "listening"; "address" => %address, "management" => management.map(|it| it.to_string()));
        Ok(Self { address, management, engine, servers, embedded, reloads, reloading, level, log })
    }

    /// The listening address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listening address for management; none if that is the main one.
    #[must_use]
    pub fn management_address(&self) -> Option<SocketAddr> {
        self.management
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A handle of the engine, for code in the same process.
    #[must_use]
    pub fn engine(&self) -> EngineHandle {
        self.engine.handle()
    }

    /// A reload of the configuration sets this level of the log.
    pub(crate) fn set_log_level(&self, level: LogLevel) {
        // It is set once, by the command that set up the log.
        let _already = self.level.set(level);
    }

    /// Reads the configuration again, in the background. The log says what became of it.
    pub(crate) fn begin_reload(&self, by: &'static str) {
        let (reloads, log) = (self.reloads.clone(), self.log.clone());
        actix::spawn(async move {
            if reloads.reload(by).await == Err(NoAnswer::TooMany) {
                warn!(log, "too many reloads wait, this one is left out"; "by" => by);
            }
        });
    }

    /// Waits until the API asked for a drain.
    pub fn asked_to_stop(&self) -> impl Future<Output = ()> + use<> {
        let reloads = self.reloads.clone();
        async move { reloads.asked_to_stop().await }
    }

    /// Reloads the lines.
    pub async fn reload_lines(&self) {
        self.engine.reload_lines().await;
    }

    /// Drains: accepts no new calls, waits for live calls, then stops everything. The next start resumes calls that are
    /// left.
    pub async fn stop(self) {
        let left = self.engine.drain(self.reloads.running().server.drain_timeout).await;
        if left > 0 {
            warn!(self.log, "stopping with live calls, the next start resumes them"; "calls" => left);
        }
        self.stop_now().await;
    }

    /// Stops everything without waiting for calls.
    pub async fn stop_now(self) {
        // Ends the event streams. Otherwise the server waits until they time out.
        self.engine.drain(std::time::Duration::ZERO).await;
        self.engine.handle().flush_traces().await;
        for server in &self.servers {
            server.stop(true).await;
        }
        self.reloading.abort();
        self.engine.stop();
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
        info!(self.log, "stopped");
    }
}

/// Looks at the rules of alerts every minute, for as long as the program runs.
fn watch_alerts(config: &Config, engine: &EngineHandle, log: &Logger) -> Result<(), AppError> {
    if !config.alerts.are_on() {
        return Ok(());
    }
    let (shared, pool) = ((engine.metrics(), engine.alerts()), engine.pool());
    let watch = alerts::Watch::new(&config.alerts, &config.installation, pool, shared, log.clone());
    actix::spawn(alerts::run(watch.map_err(AppError::Alerts)?, engine.clone()));
    Ok(())
}

/// A live call takes several descriptors, and the usual soft limit is for small programs.
fn raise_open_files(live_calls: usize, log: &Logger) {
    let needed = open_files::needed(live_calls);
    match open_files::raise() {
        Ok((before, after)) => {
            info!(log, "limit of open files"; "was" => before.soft, "is" => after.soft, "needed" => needed);
            if after.soft < needed {
                warn!(log, "the limit of open files is too low for MAX_LIVE_CALLS";
                    "needed" => needed, "set" => open_files::remedy(needed));
            }
        }
        Err(error) => warn!(log, "the limit of open files could not be raised"; "error" => %error),
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).map_err(|reason| AppError::Listen { address, reason })
}

/// The listener for management. A default address that another program has is no reason not to take calls.
fn listen_for_management(config: &Config, log: &Logger) -> Result<Option<TcpListener>, AppError> {
    let Some(management) = config.server.management else { return Ok(None) };
    match listen(management.address) {
        Ok(listener) => Ok(Some(listener)),
        Err(AppError::Listen { address, reason }) if !management.is_needed => {
            warn!(log, "no listener for management: set METRICS_ADDR to a free address";
                "address" => %address, "error" => %reason);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn database(
    config: &Config,
    log: &Logger,
) -> Result<(DatabaseUrl, Option<EmbeddedDatabase>), AppError> {
    match &config.database.source {
        DatabaseSource::External(url) => Ok((url.as_ref().clone(), None)),
        DatabaseSource::Embedded { directory } => {
            info!(log, "starting the embedded database"; "directory" => %directory.display());
            let embedded = EmbeddedDatabase::start(directory).await?;
            Ok((embedded.url().parse()?, Some(embedded)))
        }
    }
}

/// The spool for database outages. What the disk refuses now it may take later: precall starts all the same. A wrong
/// setting ends the start; in development, precall also runs without a spool.
async fn spool(config: &Config, log: &Logger) -> Result<Option<SpoolSettings>, AppError> {
    let (root, max_bytes) = (config.retention.spool_dir.clone(), config.retention.spool_max_bytes);
    let handle = SpoolHandle::new(&root, max_bytes);
    let (spool, directory) = (handle.clone(), root.clone());
    let made = tokio::task::spawn_blocking(move || {
        spool.make().map_err(|error| (room::may_pass(&error), room::fault(&directory, &error, max_bytes)))
    });
    let problem = match made.await.map_err(|_| AppError::Interrupted)? {
        Ok(()) => None,
        Err((true, reason)) => {
            warn!(log, "the spool cannot be written yet, precall starts without it"; "error" => &reason);
            Some(reason)
        }
        Err((false, reason)) if config.environment == Environment::Development => {
            warn!(log, "SPOOL_DIR cannot be written: calls are refused during a database outage";
                "error" => reason);
            return Ok(None);
        }
        Err((false, reason)) => return Err(AppError::Spool(reason)),
    };
    Ok(Some(SpoolSettings { root, max_bytes, handle, problem }))
}

/// The store of samples, used by clone jobs and by the API.
pub(crate) fn samples(clone: &VoiceClone) -> Result<SampleStore, AppError> {
    let bucket = clone.s3.as_ref().map(|s3| {
        let endpoint = s3.endpoint.as_ref().map(|endpoint| endpoint.as_str().parse());
        let endpoint = endpoint.transpose().map_err(AppError::BucketUrl)?;
        let secret = s3.secret.expose();
        S3Settings::new(endpoint, &s3.region, &s3.bucket, &s3.key_id, secret).map_err(AppError::Bucket)
    });
    let uploads = match clone.uploads {
        Storage::Local => UploadPlace::Folder,
        Storage::S3 => UploadPlace::Bucket,
    };
    Ok(SampleStore::new(&clone.samples_path, bucket.transpose()?, uploads))
}

fn recordings(config: &Config) -> Option<PathBuf> {
    config.retention.store_recordings.then(|| config.clone.samples_path.join("recordings"))
}

fn http_settings(config: &Config, samples: SampleStore, log: &Logger) -> http::Settings {
    http::Settings {
        threecx: config.webhooks.threecx.clone(),
        threecx_token: config.webhooks.threecx_token.clone(),
        elevenlabs: config.webhooks.elevenlabs.clone(),
        initiation_secret: config.webhooks.initiation_secret.clone(),
        initiation_secret_previous: config.webhooks.initiation_secret_previous.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
        persons: config.agent.persons.iter().map(|(name, _)| name.clone()).collect(),
        supervision: config.call.supervision,
        sample_playback: config.clone.playback,
        has_fallback: config.call.fallback_destination.is_some(),
        source_limit: config.server.source_limit,
        rates: Arc::new(http::Rates::new(config.server.source_limit)),
        body_limit: config.webhooks.body_limit,
        transcription_limit: config.webhooks.transcription_body_limit(),
        recordings: recordings(config),
        samples,
        fallback_voice: config.call.fallback_voice.clone(),
        region: config.callback.default_region.unwrap_or(Region::UNKNOWN),
        cors_origins: config.server.cors_origins.clone(),
        api_keys: config.api_keys.clone(),
        figures: match config.server.management {
            Some(_) => http::Figures::WithKey,
            None => http::Figures::Open,
        },
        log: log.clone(),
    }
}
