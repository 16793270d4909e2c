//! How clients of the API are served: reads are read only, and nothing takes longer than [`LONGEST`], so that a board cannot starve the calls.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::StoreError;

/// The server gives a statement up after this.
pub(crate) const LONGEST: &str = "set local statement_timeout = '4s'";
/// And we give the exchange up after this: the server may be gone without a word.
const DEADLINE: Duration = Duration::from_secs(6);

/// The rows of one statement.
pub(crate) async fn read(
    pool: &Pool,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StoreError> {
    let exchange = async {
        let mut client: Object = pool.get().await?;
        // Dropped at any point, the transaction rolls itself back before the connection is used again.
        let transaction = client.build_transaction().read_only(true).start().await?;
        transaction.batch_execute(LONGEST).await?;
        let prepared = transaction.prepare_cached(statement).await?;
        let rows = transaction.query(&prepared, values).await?;
        transaction.commit().await?;
        Ok(rows)
    };
    in_time(exchange).await
}

/// An exchange on behalf of a client, or the news that it took too long. Whether a commit that took too long counted is not known.
pub(crate) async fn in_time<T>(
    exchange: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(DEADLINE, exchange).await.unwrap_or(Err(StoreError::TooSlow))
}
