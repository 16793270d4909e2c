//! A database for each test in milliseconds: one cluster a test binary, one migrated template, a copy for each test.
//!
//! The cluster is a static and is never dropped. Its guardian stops it and removes its directory when the process
//! ends in any way. A test runner that starts a process for each test gets a cluster for each.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio_postgres::{Client, NoTls};

use super::{DataDir, Durability, EmbeddedError, EmbeddedPostgres, Install, Options};

const TEMPLATE: &str = "template_of_tests";
const PATIENCE: Duration = Duration::from_secs(60);

/// The error of the caller's preparation.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no database for a test.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TemplateError {
    /// The cluster did not start.
    #[error("the cluster of the tests did not start: {0}")]
    Start(String),
    /// The caller's preparation failed: most often a migration.
    #[error("the template database could not be prepared: {0}")]
    Prepare(String),
    /// A statement failed.
    #[error("{0}")]
    Statement(String),
    /// No answer in time, or the thread that answers is gone.
    #[error("the cluster of the tests gives no answer")]
    Silent,
}

/// A cluster without durability, and a template database in it.
#[derive(Debug)]
pub struct TestCluster {
    postgres: EmbeddedPostgres,
    orders: mpsc::Sender<Order>,
    next: AtomicU64,
}

/// A database of one test; dropped from the cluster when this value is.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    name: String,
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
struct Order {
    statement: String,
    done: mpsc::Sender<Result<(), TemplateError>>,
}

impl TestCluster {
    /// The cluster of this process; the first caller starts it and lets `prepare` fill the template, whose URL it gets.
    /// `prepare` runs on a thread and runtime of its own, so both plain and async tests may call this.
    pub fn shared<P, F>(prepare: P) -> Result<&'static Self, TemplateError>
    where
        P: FnOnce(String) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>>,
    {
        static SHARED: OnceLock<Result<TestCluster, TemplateError>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(prepare)).as_ref().map_err(Clone::clone)
    }

    /// A separate cluster. It stops when dropped.
    pub fn start<P, F>(prepare: P) -> Result<Self, TemplateError>
    where
        P: FnOnce(String) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>>,
    {
        let mut options = Options::new(DataDir::Temporary, Durability::NoFsync, Install::IfMissing);
        // Every test has a pool.
        options.settings.push(("max_connections".to_owned(), "500".to_owned()));
        let started = EmbeddedPostgres::start(&options);
        let postgres = started.map_err(|error: EmbeddedError| TemplateError::Start(error.to_string()))?;
        let (orders, inbox) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let (admin, template) = (postgres.url("postgres"), postgres.url(TEMPLATE));
        let name = "test-databases".to_owned();
        let spawned = thread::Builder::new().name(name).spawn(move || {
            maintain(&admin, template, prepare, &ready, &inbox);
        });
        spawned.map_err(|error| TemplateError::Start(error.to_string()))?;
        // No timeout here: the caller's preparation may take long, and the thread ends with it in any case.
        is_ready.recv().map_err(|_gone| TemplateError::Silent)??;
        Ok(Self { postgres, orders, next: AtomicU64::new(1) })
    }

    /// A new copy of the template, 10 to 20 ms. Blocks that long.
    pub fn database(&self) -> Result<TestDatabase, TemplateError> {
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        order(&self.orders, format!("create database {name} template {TEMPLATE} strategy file_copy"))?
            .recv_timeout(PATIENCE)
            .map_err(|_late| TemplateError::Silent)??;
        Ok(TestDatabase { url: self.postgres.url(&name), name, orders: self.orders.clone() })
    }

    /// The server behind it.
    #[must_use]
    pub fn postgres(&self) -> &EmbeddedPostgres {
        &self.postgres
    }
}

impl TestDatabase {
    /// Where to connect.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // No one waits for the answer: the cluster ends with the process; this keeps it small until then.
        let _cluster_is_gone =
            order(&self.orders, format!("drop database if exists {} with (force)", self.name));
    }
}

fn order(
    orders: &mpsc::Sender<Order>,
    statement: String,
) -> Result<mpsc::Receiver<Result<(), TemplateError>>, TemplateError> {
    let (done, answer) = mpsc::channel();
    orders.send(Order { statement, done }).map_err(|_gone| TemplateError::Silent)?;
    Ok(answer)
}

/// One thread and one connection for `create database` and `drop database`: they need no transaction around them, and
/// this way a test without a runtime can have a database too.
fn maintain<P, F>(
    admin: &str,
    template: String,
    prepare: P,
    ready: &mpsc::Sender<Result<(), TemplateError>>,
    inbox: &mpsc::Receiver<Order>,
) where
    P: FnOnce(String) -> F,
    F: Future<Output = Result<(), BoxError>>,
{
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return answer(ready, Err(TemplateError::Start(error.to_string()))),
    };
    let client = match runtime.block_on(make_template(admin, template, prepare)) {
        Ok(client) => client,
        Err(error) => return answer(ready, Err(error)),
    };
    answer(ready, Ok(()));
    while let Ok(next) = inbox.recv() {
        answer(&next.done, runtime.block_on(run(&client, &next.statement)));
    }
}

async fn make_template<P, F>(admin: &str, template: String, prepare: P) -> Result<Client, TemplateError>
where
    P: FnOnce(String) -> F,
    F: Future<Output = Result<(), BoxError>>,
{
    let connected = tokio::time::timeout(PATIENCE, tokio_postgres::connect(admin, NoTls)).await;
    let (client, connection) = connected.map_err(|_late| TemplateError::Silent)?.map_err(statement_error)?;
    tokio::spawn(connection);
    run(&client, &format!("create database {TEMPLATE}")).await?;
    prepare(template).await.map_err(|error| TemplateError::Prepare(chain(&*error)))?;
    // A stray connection to the template would make every copy fail.
    run(&client, &format!("alter database {TEMPLATE} with allow_connections false")).await?;
    run(
        &client,
        &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{TEMPLATE}'"),
    )
    .await?;
    Ok(client)
}

async fn run(client: &Client, statement: &str) -> Result<(), TemplateError> {
    let done = tokio::time::timeout(PATIENCE, client.batch_execute(statement)).await;
    done.map_err(|_late| TemplateError::Silent)?.map_err(statement_error)
}

fn answer(to: &mpsc::Sender<Result<(), TemplateError>>, what: Result<(), TemplateError>) {
    // The asking thread may have given up.
    let _nobody_listens = to.send(what);
}

fn statement_error(error: tokio_postgres::Error) -> TemplateError {
    TemplateError::Statement(chain(&error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
