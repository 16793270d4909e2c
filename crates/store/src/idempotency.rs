//! Requests with an `Idempotency-Key`: each is carried out once, and its answer is given again.

use deadpool_postgres::Pool;
use precall_call::At;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::reads::read_only::{LONGEST, in_time};

const BEGIN: &str = "
    insert into idempotency_keys as k (client, key_sha256, request_sha256, begun_at) values ($1, $2, $3, $4)
    on conflict (client, key_sha256) do update set begun_at = excluded.begun_at
        -- The process that ran it is gone: it would have answered by now.
        where k.status is null and k.request_sha256 = excluded.request_sha256 and k.begun_at < $5
    returning true";

const FIND: &str = "
    select request_sha256 = $3, status, content_type, answer from idempotency_keys
    where client = $1 and key_sha256 = $2";

const ANSWERED: &str = "
    update idempotency_keys set status = $3, content_type = $4, answer = $5
    where client = $1 and key_sha256 = $2 and status is null";

const FORGET: &str = "delete from idempotency_keys where client = $1 and key_sha256 = $2 and status is null";

const EXPIRED: &str = "delete from idempotency_keys where begun_at < $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[BEGIN, FIND, ANSWERED, FORGET, EXPIRED];

/// A marked request of a client.
#[derive(Clone, Debug)]
pub struct MarkedRequest {
    /// The name of the API key.
    pub client: String,
    /// SHA-256 of the `Idempotency-Key`.
    pub key: [u8; 32],
    /// SHA-256 of everything else that makes the request.
    pub request: [u8; 32],
}

/// The answer of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The media type; none for an answer without a body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What to do with a marked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Carry it out, then call [`answered`] or [`forget`].
    Run,
    /// It is being carried out.
    Running,
    /// It was carried out.
    Answered(KeptAnswer),
    /// The key was used for another request.
    OfAnother,
}

/// Begins a marked request. One that began before `given_up` and was never answered begins anew.
///
/// # Errors
/// When a query fails.
pub async fn begin(pool: &Pool, marked: &MarkedRequest, now: At, given_up: At) -> Result<Begun, StoreError> {
    in_time(async {
        let (key, request) = (marked.key.as_slice(), marked.request.as_slice());
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let begun = transaction
            .query_opt(BEGIN, &[&marked.client, &key, &request, &timestamp(now), &timestamp(given_up)])
            .await?;
        if begun.is_some() {
            transaction.commit().await?;
            return Ok(Begun::Run);
        }
        let Some(row) = transaction.query_opt(FIND, &[&marked.client, &key, &request]).await? else {
            // It failed a moment ago, and the client may send it again.
            return Ok(Begun::Running);
        };
        if !row.try_get::<_, bool>(0)? {
            return Ok(Begun::OfAnother);
        }
        let Some(status) = row.try_get::<_, Option<i16>>(1)? else { return Ok(Begun::Running) };
        Ok(Begun::Answered(KeptAnswer {
            status: u16::try_from(status).unwrap_or(200),
            content_type: row.try_get(2)?,
            body: row.try_get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
        }))
    })
    .await
}

/// Keeps the answer of a request that was carried out.
///
/// # Errors
/// When the statement fails.
pub async fn answered(pool: &Pool, marked: &MarkedRequest, answer: &KeptAnswer) -> Result<(), StoreError> {
    in_time(async {
        let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
        let (client, key, body) = (pool.get().await?, marked.key.as_slice(), answer.body.as_slice());
        client.execute(ANSWERED, &[&marked.client, &key, &status, &answer.content_type, &body]).await?;
        Ok(())
    })
    .await
}

/// The request was not carried out: the client may send it again.
///
/// # Errors
/// When the statement fails.
pub async fn forget(pool: &Pool, marked: &MarkedRequest) -> Result<(), StoreError> {
    in_time(async {
        pool.get().await?.execute(FORGET, &[&marked.client, &marked.key.as_slice()]).await?;
        Ok(())
    })
    .await
}

/// Deletes requests that began before `before`.
///
/// # Errors
/// When the statement fails.
pub async fn drop_expired(pool: &Pool, before: At) -> Result<(), StoreError> {
    pool.get().await?.execute(EXPIRED, &[&timestamp(before)]).await?;
    Ok(())
}
