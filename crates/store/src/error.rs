//! What went wrong at PostgreSQL, told apart by what may be done about it. The only reader of SQLSTATEs.

use tokio_postgres::error::SqlState;

/// A failed exchange with PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or is not itself at the moment: try again. Whether the last commit counted is not known.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// It took longer than it may. Asking for less may help.
    #[error("the database did not answer in time")]
    TooSlow,
    /// The data cannot be kept as they are: trying again changes nothing.
    #[error("the database refused the data: {0}")]
    Refused(String),
    /// The schema cannot be brought up to date.
    #[error("the schema cannot be brought up to date: {0}")]
    Schema(String),
    /// Another precall has taken over this database: nothing of ours may be written any more.
    #[error("another precall has taken over this database")]
    Superseded,
    /// What is stored cannot be read.
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
        // Codes and constraint names only: a message may quote what the row holds.
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
