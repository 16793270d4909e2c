//! Keys of the API that administrators make while precall runs.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use precall_call::At;
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::people::audit;
use crate::reads::read_only::{LONGEST, in_time, read};

/// Keys that are read. More are never in use: the oldest are revoked ones.
const KEYS_MAX: i64 = 10_000;

const ALL: &str = "
    select id, name, owner, key_sha256, scopes, addresses, created_at, created_by, expires_at, revoked_at, revoked_by,
        last_used_at
    from api_keys order by id desc limit $1";

const LIST: &str = "
    select id, name, owner, key_sha256, scopes, addresses, created_at, created_by, expires_at, revoked_at, revoked_by,
        last_used_at
    from api_keys where id < $1 order by id desc limit $2";

const CREATE: &str = "
    insert into api_keys (id, name, owner, key_sha256, scopes, addresses, created_at, created_by, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const REVOKE: &str = "
    update api_keys set revoked_at = $2, revoked_by = $3 where id = $1 and revoked_at is null returning name";

const IS_THERE: &str = "select exists (select from api_keys where id = $1)";

const USED: &str = "
    update api_keys k set last_used_at = u.at
    from unnest($1::uuid[], $2::timestamptz[]) as u (id, at)
    where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[ALL, LIST, CREATE, REVOKE, IS_THERE, USED];

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its id, a time-ordered UUID.
    pub id: Uuid,
    /// Its name in logs and in the audit log.
    pub name: String,
    /// Who has it, for people.
    pub owner: Option<String>,
    /// SHA-256 of the key, 32 bytes.
    pub key_sha256: Vec<u8>,
    /// Names of its scopes.
    pub scopes: Vec<String>,
    /// Addresses and CIDR blocks that may use it; empty: any address.
    pub addresses: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key or command that made it.
    pub created_by: String,
    /// Until when it can be used; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that revoked it.
    pub revoked_by: Option<String>,
    /// When it was last used, as of a minute ago.
    pub last_used_at: Option<Timestamp>,
}

/// The newest 10,000 keys, revoked ones among them.
///
/// # Errors
/// When the query fails.
pub async fn all(pool: &Pool) -> Result<Vec<ApiKeyRow>, StoreError> {
    read(pool, ALL, &[&KEYS_MAX]).await?.iter().map(row).collect()
}

/// At most `limit` keys older than `before`, the newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(pool: &Pool, before: Uuid, limit: i64) -> Result<Vec<ApiKeyRow>, StoreError> {
    read(pool, LIST, &[&before, &limit]).await?.iter().map(row).collect()
}

/// Stores a new key, with an audit row. Returns false if its name is taken.
///
/// # Errors
/// When a statement fails.
pub async fn create(pool: &Pool, key: &ApiKeyRow, now: At) -> Result<bool, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let ApiKeyRow { id, name, owner, key_sha256, scopes, addresses, created_by, expires_at, .. } = key;
        let created_at = timestamp(now);
        let values: [&(dyn ToSql + Sync); 9] =
            [id, name, owner, key_sha256, scopes, addresses, &created_at, created_by, expires_at];
        match transaction.execute(CREATE, &values).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let detail =
            json!({ "name": name, "scopes": scopes, "addresses": addresses, "expires_at": expires_at });
        audit::record(&*transaction, created_by, "key_created", Some(*id), Some(detail), now).await?;
        transaction.commit().await?;
        Ok(true)
    })
    .await
}

/// Revokes a key, with an audit row. A key that is revoked stays as it is. Returns false if there is no such key.
///
/// # Errors
/// When a statement fails.
pub async fn revoke(pool: &Pool, id: Uuid, by: &str, now: At) -> Result<bool, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let Some(revoked) = transaction.query_opt(REVOKE, &[&id, &timestamp(now), &by]).await? else {
            let is_there = transaction.query_one(IS_THERE, &[&id]).await?;
            return Ok(is_there.try_get(0)?);
        };
        let detail = json!({ "name": revoked.try_get::<_, String>(0)? });
        audit::record(&*transaction, by, "key_revoked", Some(id), Some(detail), now).await?;
        transaction.commit().await?;
        Ok(true)
    })
    .await
}

/// Keeps when keys were last used. An older time never replaces a newer one.
///
/// # Errors
/// When the statement fails.
pub async fn used(pool: &Pool, uses: &[(Uuid, At)]) -> Result<(), StoreError> {
    in_time(async {
        let client = pool.get().await?;
        let ids: Vec<Uuid> = uses.iter().map(|(id, _)| *id).collect();
        let times: Vec<Timestamp> = uses.iter().map(|(_, at)| timestamp(*at)).collect();
        client.execute(USED, &[&ids, &times]).await?;
        Ok(())
    })
    .await
}

fn row(row: &Row) -> Result<ApiKeyRow, StoreError> {
    Ok(ApiKeyRow {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        owner: row.try_get(2)?,
        key_sha256: row.try_get(3)?,
        scopes: row.try_get(4)?,
        addresses: row.try_get(5)?,
        created_at: row.try_get(6)?,
        created_by: row.try_get(7)?,
        expires_at: row.try_get(8)?,
        revoked_at: row.try_get(9)?,
        revoked_by: row.try_get(10)?,
        last_used_at: row.try_get(11)?,
    })
}
