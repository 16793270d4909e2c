//! Finds a pooler that gives a session's statements to different server processes.
//!
//! The leader lock belongs to one server process, and so do prepared statements and settings. Behind transaction or
//! statement pooling they are lost between two statements, and two engines act at once. The poolers have many names,
//! so this file looks at what they do: whether a client session keeps its server process and its settings while other
//! sessions work. Session pooling keeps both.

use deadpool_postgres::{ClientWrapper, Object, Pool};
use futures_util::future::{join_all, try_join_all};
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

use crate::connect::fault::Fault;

/// Sessions that are open at once. Two suffice for a pooler that reuses the last server process first, three for one
/// that takes turns.
const SESSIONS: usize = 3;
const ROUNDS: usize = 4;

const WHO: &str = "select pg_backend_pid()::text, coalesce(current_setting('precall.session', true), '')";

/// How a pooler breaks sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// A session keeps its server process for a transaction.
    Transaction,
    /// A session keeps its server process for a statement.
    Statement,
}

impl Pooling {
    /// What is wrong, and what to change.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Transaction => {
                "a pooler between precall and PostgreSQL pools by transaction: the leader lock would not hold, and two \
                 engines could act at once. Connect to PostgreSQL directly, or pool by session (PgBouncer: pool_mode \
                 = session for this database)"
            }
            Self::Statement => {
                "a pooler between precall and PostgreSQL pools by statement: transactions are not possible. Connect \
                 to PostgreSQL directly, or pool by session (PgBouncer: pool_mode = session for this database)"
            }
        }
    }
}

/// Opens sessions and watches whether they stay whole. `None` without a pooler, and behind session pooling.
///
/// # Errors
/// When a session cannot be opened or breaks.
pub async fn find(pool: &Pool) -> Result<Option<Pooling>, Fault> {
    let open = (0..SESSIONS).map(|_| async { Ok::<_, Fault>(Object::take(get(pool).await?)) });
    let sessions: Vec<ClientWrapper> = try_join_all(open).await?;
    let clients: Vec<&Client> = sessions.iter().map(|session| &**session).collect();
    watch(&clients).await.map_err(|error| Fault::of(&error))
}

async fn get(pool: &Pool) -> Result<Object, Fault> {
    pool.get().await.map_err(|error| Fault::of_pool(&error))
}

/// What a session says of itself: its server process and its setting.
type Identity = Vec<Option<String>>;

async fn watch(clients: &[&Client]) -> Result<Option<Pooling>, tokio_postgres::Error> {
    let mut known: Vec<Identity> = Vec::new();
    for client in clients {
        // The name differs for each session and each look: a server process may still have it from an earlier one.
        let mark = format!("select set_config('precall.session', '{}', false)", Uuid::now_v7());
        client.simple_query(&mark).await?;
        known.push(ask(client).await?);
    }
    let mut processes: Vec<_> = known.iter().map(|identity| identity.first()).collect();
    processes.sort_unstable();
    processes.dedup();
    if processes.len() < clients.len() {
        return Ok(Some(Pooling::Transaction));
    }
    for round in 0..ROUNDS {
        let turn = round % clients.len().max(1);
        let Some(client) = clients.get(turn) else { continue };
        // While one session is in a transaction, a pooler has to give the others other server processes.
        if let Err(error) = client.simple_query("begin").await {
            return if refuses_transactions(&error) { Ok(Some(Pooling::Statement)) } else { Err(error) };
        }
        let inside = ask(client).await?;
        let others = clients.iter().enumerate().filter(|(index, _)| *index != turn);
        let said = join_all(others.map(|(index, other)| async move { (index, ask(other).await) })).await;
        let still = ask(client).await?;
        client.simple_query("commit").await?;
        if still != inside {
            return Ok(Some(Pooling::Statement));
        }
        if known.get(turn) != Some(&inside) {
            return Ok(Some(Pooling::Transaction));
        }
        for (index, identity) in said {
            if known.get(index) != Some(&identity?) {
                return Ok(Some(Pooling::Transaction));
            }
        }
    }
    Ok(None)
}

async fn ask(client: &Client) -> Result<Identity, tokio_postgres::Error> {
    let answer = client.simple_query(WHO).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(row
        .map(|row| (0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        .unwrap_or_default())
}

/// PgBouncer ends the session of a client that begins a transaction under statement pooling: a protocol violation.
fn refuses_transactions(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code().get(..2), Some("08" | "0A" | "25")))
}
