//! Connections to PostgreSQL, every one of them bounded: to make, to wait for, to reuse, and in what a statement may take.

use std::error::Error;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

mod tls;
mod url;

pub use url::{DatabaseUrl, DatabaseUrlError, SslMode};

/// The bounds of a pool and of the connections in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at most.
    pub size: usize,
    /// How long a task waits for one of them.
    pub wait: Duration,
    /// How long making one may take; `timeout` or `connect_timeout` of the URL says otherwise.
    pub create: Duration,
    /// How long it may take to see that an idle one is still good.
    pub recycle: Duration,
    /// What the server gives one statement; `command_timeout` of the URL says otherwise.
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
    /// The database gave no answer.
    #[error("no connection to the database after {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The database, or the way to it, refused.
    #[error("{}", explain(.0))]
    Refused(#[source] tokio_postgres::Error),
}

/// A pool on this database. Makes no connection yet: a database that is away at start is met by whoever asks first.
///
/// A connection is driven by a task on the runtime of whoever asked for it first. Settings travel as the startup
/// parameter `options`: a PgBouncer in between needs `ignore_startup_parameters = options`, and session pooling.
pub fn pool(url: &DatabaseUrl, application: &str, limits: Limits) -> Result<Pool, ConnectError> {
    let (config, tls) = (url.config(application, limits), connector(url)?);
    // `Fast` looks whether the connection is closed; keepalives close one whose peer has gone without a word.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let timeouts = Timeouts {
        wait: Some(limits.wait),
        create: Some(url.connect_timeout().unwrap_or(limits.create)),
        recycle: Some(limits.recycle),
    };
    Pool::builder(Manager::from_config(config, tls, recycling))
        .max_size(limits.size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| ConnectError::Pool(error.to_string()))
}

/// One connection outside any pool, for work that holds session locks: they are gone when it is.
#[derive(Debug)]
pub struct Dedicated {
    /// The connection.
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        // A client that is dropped lets a running statement finish first; the session has to end now.
        self.driver.abort();
    }
}

/// Makes one connection of its own.
pub async fn connect(
    url: &DatabaseUrl,
    application: &str,
    limits: Limits,
) -> Result<Dedicated, ConnectError> {
    let (config, tls) = (url.config(application, limits), connector(url)?);
    let patience = url.connect_timeout().unwrap_or(limits.create);
    let connected = tokio::time::timeout(patience, config.connect(tls)).await;
    let (client, connection) =
        connected.map_err(|_late| ConnectError::TimedOut(patience))?.map_err(ConnectError::Refused)?;
    // How a connection ended is told to whoever uses the client.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(Dedicated { client, driver })
}

/// What the database said, with a way out where the trouble is a certificate.
#[must_use]
pub fn explain(error: &tokio_postgres::Error) -> String {
    let text = with_causes(error);
    match tls::advice(error) {
        Some(advice) => format!("{text} ({advice})"),
        None => text,
    }
}

/// An error and what lies beneath it, each said once: most texts hold some of their causes already.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
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
