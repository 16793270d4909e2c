//! People whose voices are cloned.

use precall_call::At;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::error::StoreError;
use super::event_log::timestamp;

const ADD: &str = "insert into speakers (id, account_id, name, created_at) values ($1, $2, $3, $4)";
const FIND: &str = "select id, name, created_at, erased_at from speakers where account_id = $1 and id = $2";
const LIST: &str = "
    select id, name, created_at, erased_at from speakers where account_id = $1 and id > $2 order by id limit $3";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[ADD, FIND, LIST];

/// A speaker.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Time-ordered.
    pub id: Uuid,
    /// None once erased.
    pub name: Option<String>,
    /// When it was written down.
    pub created_at: At,
    /// When what is personal was erased.
    pub erased_at: Option<At>,
}

/// Writes a speaker down: the id.
///
/// # Errors
/// When the database refuses it, or cannot be asked.
pub async fn add(
    client: &impl GenericClient,
    account: &str,
    name: &str,
    now: At,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    client.execute(ADD, &[&id, &account, &name, &timestamp(now)]).await?;
    Ok(id)
}

/// The speaker of that id.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(
    client: &impl GenericClient,
    account: &str,
    id: Uuid,
) -> Result<Option<Speaker>, StoreError> {
    let row = client.query_opt(FIND, &[&account, &id]).await?;
    row.map(|row| read(&row)).transpose()
}

/// At most `limit` speakers behind that one, the oldest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    client: &impl GenericClient,
    account: &str,
    behind: Uuid,
    limit: i64,
) -> Result<Vec<Speaker>, StoreError> {
    client.query(LIST, &[&account, &behind, &limit]).await?.iter().map(read).collect()
}

fn read(row: &tokio_postgres::Row) -> Result<Speaker, StoreError> {
    let at = |time: jiff::Timestamp| At(time.as_microsecond());
    Ok(Speaker {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        created_at: at(row.try_get(2)?),
        erased_at: row.try_get::<_, Option<jiff::Timestamp>>(3)?.map(at),
    })
}
