//! What precall needs of its database, looked at before the first write: one finding for each need.
//!
//! `serve` looks at its start and while it waits, `check` prints the findings, and health shows what is wrong. All of
//! it only reads.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use precall_base::redact::hide;
use precall_call::At;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::connect::fault::Fault;
use crate::leader::engine_lock::EngineLock;
use crate::leader::pooler;
use crate::schema::migrate::Migration;
use crate::schema::recognise::{Contents, recognise};

mod privileges;
mod server;

pub use privileges::STATEMENTS as PRIVILEGES;
pub use server::STATEMENTS as SERVER;

/// The finding about poolers.
pub const POOLING: &str = "database pooling";
/// Time limit of the whole look.
const WITHIN: Duration = Duration::from_secs(15);

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As needed.
    Ok,
    /// precall works, but not as well as it could.
    Warning,
    /// precall cannot work, and waiting may help: the database is away, or takes no writes now.
    Waiting,
    /// precall cannot work until the database or the configuration is changed.
    Wrong,
}

/// One need, and what the database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, such as `database encoding`.
    pub name: &'static str,
    /// How good it is.
    pub state: State,
    /// What is there; if it is not as needed, what is wrong and what to change.
    pub words: String,
}

impl Finding {
    fn new(name: &'static str, state: State, words: impl Into<String>) -> Self {
        Self { name, state, words: words.into() }
    }

    fn ok(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(name, State::Ok, words)
    }

    fn wrong(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(name, State::Wrong, words)
    }

    fn of_fault(name: &'static str, fault: Fault) -> Self {
        Self::new(name, if fault.is_passing { State::Waiting } else { State::Wrong }, fault.words)
    }

    /// Whether precall cannot work with it.
    #[must_use]
    pub fn prevents(&self) -> bool {
        matches!(self.state, State::Waiting | State::Wrong)
    }
}

/// The finding that prevents precall from working: one that needs a change before one that may pass.
#[must_use]
pub fn obstacle(findings: &[Finding]) -> Option<&Finding> {
    let with = |state| findings.iter().find(move |finding| finding.state == state);
    with(State::Wrong).or_else(|| with(State::Waiting))
}

/// What the process that asks needs of the database.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'asked> {
    /// All migrations of this program.
    pub migrations: &'asked [Migration],
    /// How many connections the process opens at most.
    pub connections: usize,
    /// The time of this machine.
    pub now: At,
}

/// Looks at the database behind `pool`.
pub async fn examine(pool: &Pool, needs: Needs<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if tokio::time::timeout(WITHIN, look(pool, needs, &mut findings)).await.is_err() {
        let words = format!(
            "no answer within {} s: PostgreSQL is overloaded, or a pooler in between has too few server connections \
             (precall needs {})",
            WITHIN.as_secs(),
            needs.connections
        );
        findings.push(Finding::new("database", State::Waiting, words));
    }
    findings
}

async fn look(pool: &Pool, needs: Needs<'_>, findings: &mut Vec<Finding>) {
    // Taken out of the pool: the session may be one of a pooler that gives each statement to another process.
    let session = match pool.get().await {
        Ok(session) => Object::take(session),
        Err(error) => return findings.push(Finding::of_fault("database", Fault::of_pool(&error))),
    };
    // The other questions need whole sessions.
    match pooler::find(pool).await {
        Ok(None) => {}
        Ok(Some(pooling)) => {
            findings.push(Finding::ok("database", "it answers"));
            return findings.push(Finding::wrong(POOLING, pooling.words()));
        }
        Err(fault) => return findings.push(Finding::of_fault(POOLING, fault)),
    }
    if let Err(error) = ask(&session, needs, findings).await {
        findings.push(Finding::of_fault("database", of_query(&error)));
    }
}

async fn ask(
    client: &Client,
    needs: Needs<'_>,
    findings: &mut Vec<Finding>,
) -> Result<(), tokio_postgres::Error> {
    let server = server::read(client).await?;
    findings.push(server.version());
    findings.push(Finding::ok(POOLING, "each session keeps its server process"));
    findings.push(server.encoding());
    findings.push(server.writable());
    findings.push(server.triggers_run());
    findings.push(server.connections(needs.connections));
    findings.push(server.clock(needs.now));
    let contents = recognise(client, needs.migrations).await?;
    let usable = match contents {
        Contents::Unusable(text) | Contents::Inherited { words: text, .. } => {
            findings.push(Finding::wrong("database schema", text));
            return Ok(());
        }
        Contents::Usable { schema, applied, pending, other_tables, is_newer } => {
            let mut words = said(&schema, applied.as_deref(), &pending, other_tables);
            if is_newer {
                words.push_str(". A newer precall has applied it; this one runs on it, too");
            }
            findings.push(Finding::ok("database schema", words));
            privileges::Asked { schema, is_empty: applied.is_none(), has_pending: !pending.is_empty() }
        }
    };
    findings.extend(privileges::look(client, needs.migrations, &usable).await?);
    findings.push(match EngineLock::holder(client).await? {
        None => Finding::ok("database lock", "free: no precall acts on this database"),
        Some(holder) => Finding::ok("database lock", format!("a precall acts on this database: {holder}")),
    });
    Ok(())
}

/// The words about a schema that can be used.
fn said(schema: &str, applied: Option<&str>, pending: &[i32], other_tables: usize) -> String {
    let mut text = match (applied, pending) {
        (None, _) => format!("the schema {schema} is empty, `precall serve` or `precall migrate` fills it"),
        (Some(applied), []) => format!("the schema {schema} is up to date ({applied})"),
        (Some(applied), pending) => {
            let versions: Vec<String> = pending.iter().map(|version| format!("V{version}")).collect();
            format!("the schema {schema} is at {applied}; the start applies {}", versions.join(", "))
        }
    };
    if other_tables > 0 {
        text.push_str(&format!("; it has {other_tables} tables of other programs, without a common name"));
    }
    text
}

/// A query of the look itself failed.
fn of_query(error: &tokio_postgres::Error) -> Fault {
    let Some(db) = error.as_db_error() else { return Fault::of(error) };
    let (said, code) = (hide(db.message()), db.code().code());
    if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE {
        let words = format!(
            "{said} ({code}): grant the role of DATABASE_URL what precall needs, or make it the owner"
        );
        return Fault { is_passing: false, words };
    }
    match code.get(..2) {
        Some("22" | "42") => Fault { is_passing: false, words: format!("{said} ({code})") },
        _ => Fault::of(error),
    }
}
