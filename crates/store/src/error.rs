//! Errors of PostgreSQL, by what the caller may do about them. Only this file reads SQLSTATEs.

use tokio_postgres::error::SqlState;

/// Why a query or a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is down or overloaded: try again. Whether the last commit took effect is unknown.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database took too long. A smaller query may help.
    #[error("the database did not answer in time")]
    TooSlow,
    /// The database refuses the data: trying again does not help.
    #[error("the database refused the data: {0}")]
    Refused(String),
    /// The migrations failed.
    #[error("the schema migration failed: {0}")]
    Schema(String),
    /// Another precall has taken over this database. This one must not write any more.
    #[error("another precall has taken over this database")]
    Superseded,
    /// Stored data cannot be decoded.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether the same statement may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooSlow)
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
        let class = db.code().code().get(..2).unwrap_or_default();
        let wrong_data =
            matches!(class, "22" | "23" | "42") || *db.code() == SqlState::PROGRAM_LIMIT_EXCEEDED;
        if wrong_data { Self::Refused(text) } else { Self::Unavailable(text) }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
