//! Why there is no connection, in words, and whether waiting helps.
//!
//! The words of PostgreSQL at a connection name users, databases, hosts and settings, never a row. They are shown,
//! redacted.

use std::error::Error;
use std::io;

use deadpool_postgres::PoolError;
use precall_base::redact::hide;
use tokio_postgres::error::{DbError, SqlState};

use super::{ConnectError, explain};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether it may end without a change of the configuration: precall waits.
    pub is_passing: bool,
    /// What is wrong, and what to change.
    pub words: String,
}

impl Fault {
    /// The fault behind an error of the client.
    #[must_use]
    pub fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => of_server(db),
            None => of_client(error),
        }
    }

    /// The fault behind an error of the pool.
    #[must_use]
    pub fn of_pool(error: &PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::of(error),
            PoolError::Timeout(_) => passing(
                "no connection in time: the database or the network does not answer, or a pooler in between has no \
                 server connection left",
            ),
            other => passing(&hide(&other.to_string())),
        }
    }

    /// The fault behind a failed [`super::connect`].
    #[must_use]
    pub fn of_connect(error: &ConnectError) -> Self {
        match error {
            ConnectError::Refused(error) => Self::of(error),
            ConnectError::TimedOut(_) => passing(&error.to_string()),
            ConnectError::RootCertificate { .. } | ConnectError::Tls(_) | ConnectError::Pool(_) => {
                lasting(&error.to_string())
            }
        }
    }
}

fn passing(words: &str) -> Fault {
    Fault { is_passing: true, words: words.to_owned() }
}

fn lasting(words: &str) -> Fault {
    Fault { is_passing: false, words: words.to_owned() }
}

/// What the server, or a pooler in its place, said.
fn of_server(error: &DbError) -> Fault {
    let (code, said) = (error.code(), &*hide(error.message()));
    let with = |advice: &str| format!("{said} ({}): {advice}", code.code());
    if *code == SqlState::CANNOT_CONNECT_NOW {
        return passing(&with("PostgreSQL takes no connections yet, precall waits for it"));
    }
    if *code == SqlState::TOO_MANY_CONNECTIONS {
        return passing(&with(
            "raise max_connections (or the limit of the role or the database), lower DATABASE_POOL_SIZE, or close \
             other connections",
        ));
    }
    if *code == SqlState::INVALID_PASSWORD {
        return lasting(&with("correct user and password in DATABASE_URL"));
    }
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        return lasting(&with("correct the user in DATABASE_URL, or let it in by pg_hba.conf"));
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return lasting(&with("create the database, or correct its name in DATABASE_URL"));
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return lasting(&with("grant connect on the database to the user of DATABASE_URL"));
    }
    if *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE {
        return lasting(&with("run `alter database ... allow_connections true`"));
    }
    if *code == SqlState::PROTOCOL_VIOLATION {
        return of_pooler(said, &with);
    }
    match code.code().get(..2) {
        // A setting in `options` or `server_settings` that the server does not know or take.
        Some("22" | "42" | "0A") => lasting(&with("correct options and server_settings in DATABASE_URL")),
        _ => passing(&format!("{said} ({})", code.code())),
    }
}

/// PgBouncer reports its own refusals as protocol violations. Only its words differ.
fn of_pooler(said: &str, with: &impl Fn(&str) -> String) -> Fault {
    if said.contains("startup parameter") {
        return lasting(&with("set ignore_startup_parameters = options in the pooler's configuration"));
    }
    if said.contains("no such database") {
        return lasting(&with("name the database in the pooler's configuration, or correct DATABASE_URL"));
    }
    if said.contains("no such user") || said.contains("authentication failed") {
        return lasting(&with("correct user and password in DATABASE_URL, or add the user to the pooler"));
    }
    passing(&with("the pooler has no connection to PostgreSQL"))
}

/// What the client met before the server answered.
fn of_client(error: &tokio_postgres::Error) -> Fault {
    let words = explain(error);
    let text = error.to_string();
    if text.starts_with("error performing TLS handshake") {
        return lasting(&words);
    }
    if text.starts_with("invalid configuration") || text.starts_with("authentication error") {
        return lasting(&format!("{words}: correct user, password and options in DATABASE_URL"));
    }
    let kind = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => {
            passing(&format!("{words}: PostgreSQL is not running there, or DATABASE_URL names another port"))
        }
        Some(io::ErrorKind::NotFound) => {
            passing(&format!("{words}: PostgreSQL is not running, or its socket is in another directory"))
        }
        // The client uses this kind also for a server that does not take writes.
        Some(io::ErrorKind::PermissionDenied) if !words.contains("does not allow writes") => {
            lasting(&format!("{words}: let the user of precall use the socket of PostgreSQL"))
        }
        _ if words.contains("lookup") => {
            passing(&format!("{words}: the host of DATABASE_URL has no address; correct it, or repair DNS"))
        }
        _ => passing(&words),
    }
}
