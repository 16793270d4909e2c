//! Carries out reloads of the configuration, one after the other. A reload is checked whole before anything is changed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use precall_actors::api::{EngineHandle, ReloadableSettings};
use precall_actors::voices::samples::SampleStore;
use precall_base::clock;
use precall_store::StoreError;
use precall_store::people::audit;
use serde_json::{Value, json};
use slog::{Logger, error, info, warn};
use tokio::sync::mpsc;

use super::engine_settings::reloadable_settings;
use super::http_settings;
use crate::config::{Config, Reloaded};
use crate::http::CurrentSettings;
use crate::logging::LogLevel;
use crate::reload::{ReloadDesk, ReloadOrder, ReloadRefused, ReloadReport};

/// Longest wait for the engine, which speaks the prompts of new texts first: that ends after 20 s.
const ENGINE_WITHIN: Duration = Duration::from_secs(50);
/// Time limit for the audit row. The reload is done, and its answer must not wait for a dead database.
const AUDIT_WITHIN: Duration = Duration::from_secs(2);

/// Everything that uses the configuration.
pub(super) struct Reloader {
    pub(super) desk: ReloadDesk,
    pub(super) engine: EngineHandle,
    pub(super) http: CurrentSettings,
    pub(super) samples: SampleStore,
    /// The level of the log, where precall has set up the log.
    pub(super) level: Arc<OnceLock<LogLevel>>,
    pub(super) log: Logger,
}

impl Reloader {
    /// Carries out the orders until there can be no more.
    pub(super) async fn run(self, mut orders: mpsc::Receiver<ReloadOrder>) {
        while let Some(ReloadOrder { by, answer }) = orders.recv().await {
            let outcome = self.reload().await;
            self.tell(&by, &outcome).await;
            let _may_be_gone = answer.send(outcome);
        }
    }

    async fn reload(&self) -> Result<ReloadReport, ReloadRefused> {
        let running = self.desk.running();
        // Files may be slow.
        let reading = tokio::task::spawn_blocking(move || running.reload()).await;
        let reloaded = reading.map_err(|_| refused("the reload was interrupted"))?.map_err(|error| {
            let names = error.problems.iter().map(|problem| problem.name.clone()).collect();
            let words: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
            ReloadRefused { names, words: words.join("; ") }
        })?;
        let Reloaded { config, changed, needs_restart, hidden_by_environment } = reloaded;
        // Whatever can fail is done before anything is changed.
        let engine = reloadable_settings(&config).map_err(|error| refused(&error.to_string()))?;
        self.apply(config, engine).await?;
        let running = self.desk.running();
        let mut warnings = running.notices().to_vec();
        warnings.extend_from_slice(running.warnings());
        warnings.extend(self.engine.prompt_problems());
        Ok(ReloadReport { changed, needs_restart, hidden_by_environment, warnings })
    }

    async fn apply(&self, config: Config, engine: ReloadableSettings) -> Result<(), ReloadRefused> {
        let http = http_settings(&config, self.samples.clone(), &self.log);
        let using = tokio::time::timeout(ENGINE_WITHIN, self.engine.reload(engine)).await;
        using.map_err(|_| refused("the engine did not take the new settings in time, reload again"))?;
        self.http.replace(http);
        if let Some(level) = self.level.get() {
            level.set(config.log.level);
        }
        self.desk.use_config(config);
        Ok(())
    }

    /// Logs the outcome, shows it in health, and writes the audit row. Names of variables only, no values.
    async fn tell(&self, by: &str, outcome: &Result<ReloadReport, ReloadRefused>) {
        let detail = match outcome {
            Ok(report) => {
                self.engine.config_reload().succeeded();
                info!(self.log, "configuration reloaded"; "by" => by, "changed" => report.changed.join(" "),
                    "needs_restart" => report.needs_restart.join(" "),
                    "hidden_by_environment" => report.hidden_by_environment.join(" "));
                if !report.needs_restart.is_empty() {
                    warn!(self.log, "changed variables need a restart, they stay as they were";
                        "variables" => report.needs_restart.join(" "));
                }
                json!({ "outcome": "reloaded", "changed": report.changed, "needs_restart": report.needs_restart })
            }
            Err(refused) => {
                let names = refused.names.join(", ");
                let words =
                    format!("the last reload was refused, the old configuration stays in use: {names}");
                self.engine.config_reload().refused(words, clock::now());
                error!(self.log, "configuration not reloaded, the old one stays in use"; "by" => by,
                    "error" => &refused.words);
                json!({ "outcome": "refused", "wrong": refused.names })
            }
        };
        self.audit(by, detail).await;
    }

    async fn audit(&self, by: &str, detail: Value) {
        let writing = async {
            let client = self.engine.pool().get().await?;
            audit::record(&**client, by, "config_reload", None, Some(detail), clock::wall()).await
        };
        let written = tokio::time::timeout(AUDIT_WITHIN, writing).await.unwrap_or(Err(StoreError::TooSlow));
        if let Err(error) = written {
            warn!(self.log, "audit log could not be written"; "action" => "config_reload", "key" => by,
                "error" => %error);
        }
    }
}

fn refused(words: &str) -> ReloadRefused {
    ReloadRefused { names: vec!["precall".to_owned()], words: words.to_owned() }
}
