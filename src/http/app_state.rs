//! What every handler shares: the settings, the engine, and the bounds on what may go on at once.

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
use crate::http::fair_share::Rates;

/// Streams of events that may be open at once; each asks the database up to ten times a second.
const STREAMS: usize = 32;
/// Samples that are uploaded at once, each up to 20 MiB in memory.
const UPLOADS: usize = 4;
/// The engine answers within 2.5 s by itself (3CX waits 3 s); this holds even if it does not.
const ENGINE_ANSWER: Duration = Duration::from_millis(2_900);

/// Shared by all handlers of all workers.
pub(crate) struct AppState {
    pub(crate) settings: Settings,
    pub(crate) engine: Arc<dyn Engine>,
    /// Connections for the reads of the API.
    pub(crate) pool: Pool,
    pub(crate) rates: Rates,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) one_upload: Mutex<()>,
}

impl AppState {
    pub(crate) fn new(settings: Settings, engine: Arc<dyn Engine>, pool: Pool) -> Self {
        Self {
            rates: Rates::new(settings.source_limit),
            settings,
            engine,
            pool,
            streams: Arc::new(Semaphore::new(STREAMS)),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            one_upload: Mutex::new(()),
        }
    }

    /// The one that this request belongs to.
    pub(crate) fn of(request: &HttpRequest) -> Result<web::Data<Self>, Problem> {
        request.app_data::<web::Data<Self>>().cloned().ok_or_else(|| Problem::of(Code::Internal))
    }
}

/// An answer of the engine, in time or not at all.
pub(crate) async fn in_time<T>(answer: impl Future<Output = Result<T, Busy>>) -> Result<T, Problem> {
    let answer = tokio::time::timeout(ENGINE_ANSWER, answer).await.unwrap_or(Err(Busy::TooSlow));
    answer.map_err(Problem::from)
}
