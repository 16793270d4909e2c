//! When a clone job did what, for the trace and the page of a call that waited for it. Reads nothing about the caller.

use core::time::Duration;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use precall_call::{At, CloneJobId, NoVoice};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;

// A job has one request and one end; a voice that it made may be deleted later.
const STEPS: &str = "
    select event ->> 'kind', at, (event ->> 'took_ms')::bigint, event ->> 'reason'
    from voice_events
    where job = $1 and event ->> 'kind' in ('clone_requested', 'clone_succeeded', 'clone_failed')
    order by seq limit 10";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[STEPS];

/// The steps of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneSteps {
    /// The intent was recorded: the sample is read, and the upload follows when there is a free slot.
    pub requested: Option<At>,
    /// How it ended; none while it runs.
    pub end: Option<CloneEnd>,
}

/// The end of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneEnd {
    /// When.
    pub at: At,
    /// How long upload and answer took; known of jobs that made a voice.
    pub took: Option<Duration>,
    /// Why there is no voice; none if there is one.
    pub failed: Option<NoVoice>,
}

/// The steps of this job; all none if it has no log.
///
/// # Errors
/// When the query fails.
pub async fn of_job(client: &impl GenericClient, job: CloneJobId) -> Result<CloneSteps, StoreError> {
    steps(&client.query(STEPS, &[&Uuid::from_u128(job.0)]).await?)
}

/// The same, for a page.
///
/// # Errors
/// When the query fails.
pub async fn read_job(pool: &Pool, job: CloneJobId) -> Result<CloneSteps, StoreError> {
    steps(&read(pool, STEPS, &[&Uuid::from_u128(job.0)]).await?)
}

fn steps(rows: &[Row]) -> Result<CloneSteps, StoreError> {
    let mut steps = CloneSteps::default();
    for row in rows {
        let (kind, at): (String, Timestamp) = (row.try_get(0)?, row.try_get(1)?);
        let at = At(at.as_microsecond());
        if kind == "clone_requested" {
            steps.requested.get_or_insert(at);
            continue;
        }
        let took: Option<i64> = row.try_get(2)?;
        let reason: Option<String> = row.try_get(3)?;
        let took = took.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let named = || reason.as_deref().and_then(NoVoice::from_name).unwrap_or(NoVoice::CloneFailed);
        let failed = (kind == "clone_failed").then(named);
        steps.end.get_or_insert(CloneEnd { at, took, failed });
    }
    Ok(steps)
}
