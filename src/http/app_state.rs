//! State that all handlers share: settings, engine, read pool and limits on concurrent work.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use deadpool_postgres::Pool;
use precall_actors::api::Busy;
use precall_store::reads::replica::ReadPools;
use slog::Logger;
use tokio::sync::{Mutex, Semaphore};

use super::engine::Engine;
use super::error::{Code, Problem};
use super::settings::{CurrentSettings, Figures, Settings};
use crate::http::api::live_stream::feed::LiveFeed;
use crate::http::api::open_streams::{OpenStreams, StreamLimits};
use crate::http::key_ring::KeyRing;
use crate::http::pages::call::looks::Looks;
use crate::http::refusals::Refusals;
use crate::http::secret_uses::SecretUses;
use crate::http::sessions::Sessions;
use crate::reload::ReloadDesk;

/// Sample uploads that may run at once, each up to 20 MiB in memory.
const UPLOADS: usize = 4;
/// Samples that may be played at once, each up to 20 MiB in memory.
const PLAYS: usize = 4;
/// Each event stream reads the database up to ten times a second.
const EVENT_STREAMS: StreamLimits = StreamLimits { of_key: 8, in_all: 32 };
/// A stream of the live board reads nothing.
const LIVE_STREAMS: StreamLimits = StreamLimits { of_key: 16, in_all: 256 };
/// Exports of calls that may run at once. Each reads the database as fast as its client reads.
const EXPORTS: usize = 4;
/// Limit for an answer of the engine. The engine itself answers within 2.5 s; 3CX waits 3 s.
const ENGINE_ANSWER: Duration = Duration::from_millis(2_900);

/// State that all handlers of all workers share.
pub(crate) struct AppState {
    current: CurrentSettings,
    /// Asks for a reload of the configuration, and shows the one in use.
    pub(crate) reloads: ReloadDesk,
    /// Who sees figures on this listener.
    pub(crate) figures: Figures,
    pub(crate) log: Logger,
    pub(crate) engine: Arc<dyn Engine>,
    /// Connections for the reads of the API.
    pub(crate) pool: Pool,
    /// Connections for history and statistics.
    pub(crate) pools: ReadPools,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) sessions: Sessions,
    /// Looks of pages at personal data that have their audit row.
    pub(crate) looks: Looks,
    pub(crate) secret_uses: SecretUses,
    /// Open event streams.
    pub(crate) streams: Arc<OpenStreams>,
    /// Open streams of the live board.
    pub(crate) live_streams: Arc<OpenStreams>,
    pub(crate) live_feed: Arc<LiveFeed>,
    pub(crate) uploads: Arc<Semaphore>,
    pub(crate) plays: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    /// Held while an uploaded sample is stored and mapped: one upload at a time.
    pub(crate) one_upload: Mutex<()>,
}

impl AppState {
    pub(crate) fn new(
        current: CurrentSettings,
        reloads: ReloadDesk,
        engine: Arc<dyn Engine>,
        pools: impl Into<ReadPools>,
    ) -> Self {
        let pools = pools.into();
        let pool = pools.primary.clone();
        let log = current.now().log.clone();
        Self {
            refusals: Refusals::new(log.clone()),
            keys: KeyRing::new(current.clone(), pool.clone(), log.clone()),
            figures: current.now().figures,
            current,
            reloads,
            log,
            pool,
            pools,
            sessions: Sessions::default(),
            looks: Looks::default(),
            secret_uses: SecretUses::default(),
            streams: OpenStreams::new(EVENT_STREAMS),
            live_streams: OpenStreams::new(LIVE_STREAMS),
            live_feed: LiveFeed::new(Arc::clone(&engine)),
            engine,
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            plays: Arc::new(Semaphore::new(PLAYS)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            one_upload: Mutex::new(()),
        }
    }

    /// The settings that count now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.current.now()
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
