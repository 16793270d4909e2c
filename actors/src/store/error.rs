//! What can go wrong with PostgreSQL, as far as anybody acts on it.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or it was lost. Asking again may help.
    #[error("the database cannot be reached")]
    Unreachable,
    /// It took longer than it may. Asking for less may help.
    #[error("the database did not answer in time")]
    TooSlow,
    /// The database refused: the schema or a statement is wrong. Holds its code and message.
    #[error("the database refused: {0}")]
    Refused(String),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            return if error.is_closed() || is_io(&error) {
                Self::Unreachable
            } else {
                Self::Refused(error.to_string())
            };
        };
        if *answer.code() == SqlState::QUERY_CANCELED {
            return Self::TooSlow;
        }
        // 08 connection, 53 out of resources, 57 taken down by its operator.
        match answer.code().code().get(..2) {
            Some("08" | "53" | "57") => Self::Unreachable,
            _ => Self::Refused(format!("{} {}", answer.code().code(), answer.message())),
        }
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(_) | PoolError::Closed => Self::Unreachable,
            // A connection that cannot even be made: whatever the reason, nothing can be read.
            PoolError::Backend(_) => Self::Unreachable,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Refused("the pool is set up wrongly".to_owned())
            }
        }
    }
}
