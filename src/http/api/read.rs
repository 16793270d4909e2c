//! Reads on behalf of a client: our own trouble is logged here, once, and told opaquely.

use std::future::Future;

use precall_store::StoreError;
use slog::{error, warn};

use crate::http::app_state::AppState;
use crate::http::error::Problem;

/// What was read, or the problem it is.
pub(crate) async fn read<T>(
    app: &AppState,
    reading: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    reading.await.map_err(|failure| {
        match &failure {
            StoreError::Refused(_) | StoreError::Unreadable(_) | StoreError::Schema(_) => {
                error!(app.settings.log, "read refused"; "error" => %failure)
            }
            StoreError::Unavailable(_) | StoreError::TooSlow | StoreError::Superseded => {
                warn!(app.settings.log, "read failed"; "error" => %failure);
            }
        }
        Problem::from(failure)
    })
}
