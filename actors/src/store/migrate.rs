//! The schema: refinery's migrations under a lock, since refinery itself has none.

use deadpool_postgres::Object;

use super::error::StoreError;

mod embedded {
    refinery::embed_migrations!("../sql");
}

/// Of the advisory lock; any constant that nobody else on this database uses.
const LOCK: i64 = 0x7072_6563_616c_6c01;

/// Brings the schema up to date. Processes that start at once on one database wait for each other.
///
/// # Errors
/// When a migration fails, or one that was applied has been changed since.
pub async fn migrate(client: &mut Object) -> Result<usize, StoreError> {
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let applied = embedded::migrations::runner().run_async(&mut ***client).await;
    client.execute("select pg_advisory_unlock($1)", &[&LOCK]).await?;
    let report = applied.map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(report.applied_migrations().len())
}
