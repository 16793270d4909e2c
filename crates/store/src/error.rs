//! Errors of PostgreSQL, by what the caller may do about them. Only this file reads SQLSTATEs. What they say is
//! redacted: the server and serde repeat values.

use precall_base::redact::hide;
use tokio_postgres::error::SqlState;

use crate::connect::fault::Fault;

/// Why a query or a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is down or overloaded: try again. Whether the last commit took effect is unknown.
    #[error("the database cannot be reached: {}", hide(.0))]
    Unavailable(String),
    /// The database took too long. A smaller query may help.
    #[error("the database did not answer in time")]
    TooSlow,
    /// The database refuses the data: trying again does not help.
    #[error("the database refused the data: {}", hide(.0))]
    Refused(String),
    /// A table, column, function or privilege is missing. The data are right: keep them until an administrator has
    /// repaired the database.
    #[error("the database lacks a table, a column or a privilege that precall needs: {}", hide(.0))]
    Unusable(String),
    /// The migrations failed.
    #[error("the schema migration failed: {}", hide(.0))]
    Schema(String),
    /// Another precall has taken over this database. This one must not write any more.
    #[error("another precall has taken over this database")]
    Superseded,
    /// Stored data cannot be decoded.
    #[error("stored data cannot be read: {}", hide(.0))]
    Unreadable(String),
}

impl StoreError {
    /// The data are no JSON that is stored here.
    pub(crate) fn refused(error: &serde_json::Error) -> Self {
        Self::Refused(hide(&error.to_string()).into_owned())
    }

    /// The stored JSON cannot be decoded.
    pub(crate) fn unreadable(error: &impl ToString) -> Self {
        Self::Unreadable(hide(&error.to_string()).into_owned())
    }

    /// Whether the same statement may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooSlow | Self::Unusable(_))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Unavailable(error.to_string()) };
        if *db.code() == SqlState::QUERY_CANCELED {
            return Self::TooSlow;
        }
        // Codes and constraint names only: a message may quote personal data of the row.
        let text = format!("{} {}", db.code().code(), db.constraint().or(db.table()).unwrap_or_default());
        let lacking = [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_FUNCTION,
        ];
        if lacking.contains(db.code()) {
            return Self::Unusable(text);
        }
        // 54: too long for an index, nested too deeply. 21: two rows where there may be one.
        match db.code().code().get(..2) {
            Some("21" | "22" | "23" | "42" | "54") => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match &error {
            // No connection: there is no row in these words.
            deadpool_postgres::PoolError::Backend(_) | deadpool_postgres::PoolError::Timeout(_) => {
                Self::Unavailable(Fault::of_pool(&error).words)
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}
