//! What operators ask: reloads, bypasses, test calls, and the records of single calls.

use std::sync::Arc;

use precall_call::CallId;
use precall_providers::trace_context::TraceId;
use precall_store::bypass::BypassRow;
use precall_store::canary::CanaryRun;
use tokio::sync::oneshot;

use super::{ANSWER_WITHIN, EngineHandle};
use crate::admission::call_supervisor::LineIds;
use crate::admission::contract::{Busy, NotBypassed};
use crate::api::reload::{ReloadAsked, ReloadableSettings};
use crate::canary::settings::CanarySettings;
use crate::canary::{CanaryView, NotRun};
use crate::observe::config_reload::ConfigReload;
use crate::observe::wire_log::WireLog;

impl EngineHandle {
    /// Reads the lines again and prepares their prompts. Returns once new calls use them: after seconds, where a prompt
    /// must be spoken first.
    pub async fn reload_lines(&self) {
        self.ask_reload(None).await;
    }

    /// Uses other settings for new calls, and prepares their prompts before. Returns once new calls use them: after
    /// seconds, where a prompt must be spoken first.
    pub async fn reload(&self, settings: ReloadableSettings) {
        self.ask_reload(Some(Arc::new(settings))).await;
    }

    async fn ask_reload(&self, settings: Option<Arc<ReloadableSettings>>) {
        let (done, reloaded) = oneshot::channel();
        if self.reloads.send(ReloadAsked { settings, done }).await.is_ok() {
            let _ = reloaded.await;
        }
    }

    /// Whether the last reload of the configuration was taken.
    #[must_use]
    pub fn config_reload(&self) -> Arc<ConfigReload> {
        Arc::clone(&self.config_reload)
    }

    /// Sends the new calls of a line away, or takes them again, at once. `line` is empty for every line.
    ///
    /// # Errors
    /// The lines that there are, if this is none of them, or why it could not be kept.
    pub async fn set_bypass(&self, word: BypassRow) -> Result<BypassRow, NotBypassed> {
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.supervisor.send(LineIds)).await;
        let lines = asked.ok().and_then(Result::ok).ok_or(NotBypassed::Busy(Busy::TooSlow))?;
        if !word.line.is_empty() && !lines.contains(&word.line) {
            return Err(NotBypassed::NoSuchLine(lines));
        }
        self.bypass_keeper.set(word).await.map_err(NotBypassed::Busy)
    }

    /// The bypasses in force.
    #[must_use]
    pub fn bypasses(&self) -> Vec<BypassRow> {
        self.services.bypass.in_force()
    }

    /// Makes a test call now, for this API key. Returns it when it has begun.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn run_canary(&self, who: String) -> Result<CanaryRun, NotRun> {
        self.canary.ask(who).await
    }

    /// What the canary does now.
    #[must_use]
    pub fn canary(&self) -> CanaryView {
        self.canary.view()
    }

    /// The settings of the canary.
    #[must_use]
    pub fn canary_settings(&self) -> &CanarySettings {
        self.canary.settings()
    }

    /// What went over the wire for each call.
    #[must_use]
    pub fn wire(&self) -> Arc<WireLog> {
        Arc::clone(&self.services.wire)
    }

    /// The id of the call's trace; none if the call is not traced.
    #[must_use]
    pub fn trace_id(&self, call: CallId) -> Option<TraceId> {
        self.services.traces.id(call)
    }

    /// Sends the traces of calls that are over, at the end of the process. Waits at most two seconds.
    pub async fn flush_traces(&self) {
        self.services.traces.flush().await;
    }
}
