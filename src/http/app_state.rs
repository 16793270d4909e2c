//! State that all handlers share: settings, engine, read pool and limits on concurrent work.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use deadpool_postgres::Pool;
use precall_actors::api::Busy;
use tokio::sync::{Mutex, Semaphore};

use super::engine::Engine;
use super::error::{Code, Problem};
use super::settings::Settings;
use crate::http::api::open_streams::OpenStreams;
use crate::http::fair_share::Rates;
use crate::http::key_ring::KeyRing;
use crate::http::refusals::Refusals;
use crate::http::secret_uses::SecretUses;

/// Sample uploads that may run at once, each up to 20 MiB in memory.
const UPLOADS: usize = 4;
/// Limit for an answer of the engine. The engine itself answers within 2.5 s; 3CX waits 3 s.
const ENGINE_ANSWER: Duration = Duration::from_millis(2_900);

/// State that all handlers of all workers share.
pub(crate) struct AppState {
    pub(crate) settings: Settings,
    pub(crate) engine: Arc<dyn Engine>,
    /// Connections for the reads of the API.
    pub(crate) pool: Pool,
    pub(crate) rates: Rates,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) secret_uses: SecretUses,
    pub(crate) streams: Arc<OpenStreams>,
    pub(crate) uploads: Arc<Semaphore>,
    /// Held while an uploaded sample is stored and mapped: one upload at a time.
    pub(crate) one_upload: Mutex<()>,
}

impl AppState {
    pub(crate) fn new(settings: Settings, engine: Arc<dyn Engine>, pool: Pool) -> Self {
        Self {
            rates: Rates::new(settings.source_limit),
            refusals: Refusals::new(settings.log.clone()),
            keys: KeyRing::new(settings.api_keys.clone(), pool.clone(), settings.log.clone()),
            settings,
            engine,
            pool,
            secret_uses: SecretUses::default(),
            streams: Arc::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            one_upload: Mutex::new(()),
        }
    }

    /// The state of the server that took this request.
    pub(crate) fn of(request: &HttpRequest) -> Result<web::Data<Self>, Problem> {
        request.app_data::<web::Data<Self>>().cloned().ok_or_else(|| Problem::of(Code::Internal))
    }
}

/// Waits for an answer of the engine, [`ENGINE_ANSWER`] at most.
pub(crate) async fn in_time<T>(asking: impl Future<Output = Result<T, Busy>>) -> Result<T, Problem> {
    let answer = tokio::time::timeout(ENGINE_ANSWER, asking).await.unwrap_or(Err(Busy::TooSlow));
    answer.map_err(Problem::from)
}
