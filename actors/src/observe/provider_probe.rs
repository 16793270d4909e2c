//! Probes ElevenLabs without a call, so that an expired key or a deleted agent is found before the first caller of the
//! morning, and health gets well again on a quiet night.

use std::sync::Arc;
use std::time::Duration;

use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_providers::elevenlabs::{ProviderError, ProviderErrorKind};
use slog::{Logger, info, warn};

use crate::observe::metrics::Metrics;
use crate::observe::provider_health::ProviderState;
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::runtime::clients::Clients;
use crate::runtime::per_arbiter::PerArbiter;

/// Time limit of one request.
const WITHIN: Duration = Duration::from_secs(10);

/// The probe: two GET requests a round, for the account and for the agent of the default line.
pub(crate) struct ProviderProbe {
    pub(crate) clients: PerArbiter<Clients>,
    pub(crate) provider: Arc<ProviderState>,
    pub(crate) outcomes: Arc<SharedOutcomes>,
    pub(crate) metrics: Arc<Metrics>,
    /// The agent of the default line. A reload may change it.
    pub(crate) agent_id: Box<dyn Fn() -> String + Send>,
    /// Mean interval; each pause differs from it by up to a third.
    pub(crate) every: Duration,
    pub(crate) log: Logger,
}

impl ProviderProbe {
    /// Probes for ever.
    pub(crate) async fn run(self) {
        let longest = self.every.saturating_mul(4) / 3;
        let mut pauses = Backoff::new(longest, longest);
        let mut logged: Option<String> = None;
        loop {
            let problem = self.round().await.err().map(|error| error.to_string());
            self.outcomes.probed(problem.as_deref().map_or(Ok(()), Err));
            match (&problem, &logged) {
                (Some(problem), logged) if logged.as_ref() != Some(problem) => {
                    warn!(self.log, "the probe of ElevenLabs failed"; "error" => problem);
                }
                (None, Some(_)) => info!(self.log, "the probe of ElevenLabs succeeds again"),
                (Some(_) | None, _) => {}
            }
            logged = problem;
            tokio::time::sleep(pauses.wait()).await;
        }
    }

    async fn round(&self) -> Result<(), ProviderError> {
        let clients = self.clients.here();
        let account = clients.bulk.ping(WITHIN).await;
        self.provider.note(&account);
        account?;
        if let Some(theirs) = clients.bulk.server_time() {
            self.metrics.process.elevenlabs_clock(theirs, clock::wall());
        }
        match clients.bulk.agent(&(self.agent_id)(), WITHIN).await {
            Ok(_) => Ok(()),
            // A restricted key may open conversations and still not read agents.
            Err(error) if error.kind == ProviderErrorKind::Forbidden => Ok(()),
            Err(error) => Err(error),
        }
    }
}
