//! Reads of the store for a client. A failure is logged here, and the client gets a problem without details.

use std::future::Future;

use precall_store::StoreError;
use slog::{error, warn};

use crate::http::app_state::AppState;
use crate::http::error::Problem;

/// Waits for a read.
///
/// # Errors
/// The failure as a problem; it is logged.
pub(crate) async fn read<T>(
    app: &AppState,
    reading: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    reading.await.map_err(|failure| {
        match &failure {
            StoreError::Refused(_)
            | StoreError::Unusable(_)
            | StoreError::Unreadable(_)
            | StoreError::Schema(_) => {
                error!(app.log, "database refused a read"; "error" => %failure)
            }
            StoreError::Unavailable(_) | StoreError::TooSlow | StoreError::Superseded => {
                warn!(app.log, "database read failed"; "error" => %failure);
            }
        }
        Problem::from(failure)
    })
}
