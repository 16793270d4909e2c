//! Connections to PostgreSQL. Limits apply to making one, waiting for one, reusing one, and to each statement.

use std::error::Error;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts};
use precall_base::redact::hide;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;

pub mod fault;
mod proof;
mod tls;
mod url;

pub use url::{DatabaseUrl, DatabaseUrlError};

/// The limits of a pool and of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of connections.
    pub size: usize,
    /// How long a task waits for a connection.
    pub wait: Duration,
    /// How long connecting may take; `timeout` and `connect_timeout` of the URL override it.
    pub create: Duration,
    /// How long the check of an idle connection may take.
    pub recycle: Duration,
    /// How long the server runs one statement; `command_timeout` of the URL overrides it.
    pub statement: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 10,
            wait: Duration::from_secs(5),
            create: Duration::from_secs(5),
            recycle: Duration::from_secs(5),
            statement: Duration::from_secs(30),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `sslrootcert` cannot be used.
    #[error("sslrootcert {path}: {reason}")]
    RootCertificate {
        /// The file as named in the URL.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate check cannot be set up.
    #[error("TLS to the database cannot be set up: {0}")]
    Tls(String),
    /// The pool cannot be set up.
    #[error("the connection pool cannot be set up: {0}")]
    Pool(String),
    /// The database did not answer in time.
    #[error("no connection to the database after {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The database or the network refused the connection.
    #[error("{}", explain(.0))]
    Refused(#[source] tokio_postgres::Error),
}

/// A pool for this database. It makes no connection yet: if the database is down, the first task that needs it sees
/// that.
///
/// The first task that asks for a connection also drives it, on its own runtime. Settings travel as the startup
/// parameter `options`: a PgBouncer in between needs `ignore_startup_parameters = options`, and session pooling.
pub fn pool(url: &DatabaseUrl, application: &str, limits: Limits) -> Result<Pool, ConnectError> {
    let (config, tls) = (url.config(application, limits), connector(url)?);
    // `Fast` checks whether the connection is closed. One that is open and dead does not pass `proof`.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let timeouts = Timeouts {
        wait: Some(limits.wait),
        create: Some(url.connect_timeout().unwrap_or(limits.create)),
        recycle: Some(limits.recycle),
    };
    Pool::builder(Manager::from_config(config, tls, recycling))
        .max_size(limits.size)
        // The one used last has its statements prepared and its caches warm, at the server too.
        .queue_mode(QueueMode::Lifo)
        .timeouts(timeouts)
        .pre_recycle(proof::proof(limits.size))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| ConnectError::Pool(error.to_string()))
}

/// One connection outside any pool, for work that holds session locks. Dropping it releases the locks.
#[derive(Debug)]
pub struct Dedicated {
    /// The connection.
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        // A dropped client lets a running statement finish first. The session must end now.
        self.driver.abort();
    }
}

/// Opens one connection outside any pool.
pub async fn connect(
    url: &DatabaseUrl,
    application: &str,
    limits: Limits,
) -> Result<Dedicated, ConnectError> {
    let (config, tls) = (url.config(application, limits), connector(url)?);
    let limit = url.connect_timeout().unwrap_or(limits.create);
    let connected = tokio::time::timeout(limit, config.connect(tls)).await;
    let (client, connection) =
        connected.map_err(|_late| ConnectError::TimedOut(limit))?.map_err(ConnectError::Refused)?;
    // The user of the client sees how the connection ended; the task need not report it.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(Dedicated { client, driver })
}

/// An exchange with the database that has no time limit of its own. The server limits its statements, but a frozen
/// server, or one behind a dead link, never says so.
///
/// # Errors
/// [`StoreError::TooSlow`] after `limit`, or the error of the exchange.
pub async fn within<T>(
    limit: Duration,
    exchange: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(StoreError::TooSlow))
}

/// The text of a database error, redacted, with advice where the cause is a certificate.
#[must_use]
pub(crate) fn explain(error: &tokio_postgres::Error) -> String {
    let text = hide(&with_causes(error)).into_owned();
    match tls::advice(error) {
        Some(advice) => format!("{text} ({advice})"),
        None => text,
    }
}

/// The text of an error and of its causes. A cause that the text already contains is not repeated.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

fn connector(url: &DatabaseUrl) -> Result<MakeRustlsConnect, ConnectError> {
    Ok(MakeRustlsConnect::new(tls::client_config(url)?))
}
