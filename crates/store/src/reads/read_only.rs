//! Queries of API clients: read-only transactions with a time limit ([`LONGEST`]), so that the board cannot starve
//! calls.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, Transaction};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::StoreError;

/// The server cancels a statement after this time.
pub(crate) const LONGEST: &str = "set local statement_timeout = '4s'";
/// precall gives the whole query up after this time: the server may be dead.
const DEADLINE: Duration = Duration::from_secs(6);

/// The rows of one statement.
pub(crate) async fn read(
    pool: &Pool,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StoreError> {
    let rows = async |transaction: &Transaction<'_>| {
        let prepared = transaction.prepare_cached(statement).await?;
        transaction.query(&prepared, values).await
    };
    in_transaction(pool, rows).await
}

/// The rows of a statement whose text depends on the request. It is not kept prepared: there are too many.
pub(crate) async fn read_once(
    pool: &Pool,
    statement: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, StoreError> {
    in_transaction(pool, async |transaction: &Transaction<'_>| {
        transaction.query_typed(statement, values).await
    })
    .await
}

async fn in_transaction(
    pool: &Pool,
    rows: impl AsyncFnOnce(&Transaction<'_>) -> Result<Vec<Row>, tokio_postgres::Error>,
) -> Result<Vec<Row>, StoreError> {
    let exchange = async {
        let mut client: Object = pool.get().await?;
        // If this future is dropped, the transaction rolls back before the connection is used again.
        let transaction = client.build_transaction().read_only(true).start().await?;
        transaction.batch_execute(LONGEST).await?;
        let rows = rows(&transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    };
    in_time(exchange).await
}

/// Runs a query of a client, with the time limit. After a timeout it is unknown whether a commit took effect.
pub(crate) async fn in_time<T>(
    exchange: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(DEADLINE, exchange).await.unwrap_or(Err(StoreError::TooSlow))
}
