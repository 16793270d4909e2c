//! Runs of the canary, the test calls of precall: its schedule, its budget and its results over a restart.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use precall_call::{At, CallId};
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::people::audit;
use crate::reads::read_only::{LONGEST, in_time, read};

const BEGIN: &str = "
    insert into canary_runs (id, started_at, asked_by, route) values ($1, $2, $3, $4)";

const FINISH: &str = "
    update canary_runs set ended_at = $2, outcome = $3, step = $4, words = $5, steps = $6, call = $7, agent_ms = $8
    where id = $1";

const FORGET: &str = "delete from canary_runs where started_at < $1 and ended_at is not null";

// A process that stopped in the middle of a run could not write how it ended. Its call may have cost something.
const CLOSE: &str = "
    update canary_runs set ended_at = $1, outcome = 'interrupted', words = 'precall was stopped during the run'
    where ended_at is null";

const RECENT: &str = "
    select id, started_at, ended_at, asked_by, route, outcome, step, words, steps, call, agent_ms
    from canary_runs order by started_at desc, id desc limit $1";

const USED: &str = "
    select count(*), coalesce(sum(agent_ms), 0)::bigint,
        (select sum(case jsonb_typeof(c.report -> 'cost') when 'number' then (c.report ->> 'cost')::bigint end)::bigint
         from conversations c where c.call in (select call from canary_runs where started_at > $1))
    from canary_runs where started_at > $1 and outcome is distinct from 'skipped'";

const LAST_SCHEDULED: &str = "select max(started_at) from canary_runs where asked_by is null";

const LAST_PASSED: &str = "select max(started_at) from canary_runs where outcome = 'passed'";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[BEGIN, FINISH, FORGET, CLOSE, RECENT, USED, LAST_SCHEDULED, LAST_PASSED];

/// A run of the canary.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryRun {
    /// Its id, a time-ordered UUID.
    pub id: Uuid,
    /// When it began.
    pub started_at: At,
    /// When it ended; none while it runs.
    pub ended_at: Option<At>,
    /// The name of the API key that asked for it; none for the schedule.
    pub asked_by: Option<String>,
    /// `bridge`, `transfer` or `callback`.
    pub route: String,
    /// `passed`, `failed`, `interrupted` or `skipped`; none while it runs.
    pub outcome: Option<String>,
    /// The step that failed.
    pub step: Option<String>,
    /// Why it failed or was skipped; without secrets and full numbers.
    pub words: Option<String>,
    /// The steps that were done, in order, each with its duration in milliseconds.
    pub steps: Vec<(String, i64)>,
    /// The call, once precall took it.
    pub call: Option<CallId>,
    /// How long the agent was connected, in milliseconds.
    pub agent_ms: Option<i32>,
}

/// What runs used within a time. Skipped runs used nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CanaryUse {
    /// Runs.
    pub calls: i64,
    /// How long agents were connected, in milliseconds.
    pub agent_ms: i64,
    /// ElevenLabs' credits, as far as its reports came; none without a report.
    pub credits: Option<i64>,
}

/// Writes that a run begins, and who asked for it. Forgets runs that began before `forget_before`.
///
/// # Errors
/// When a statement fails. Then nothing is written.
pub async fn begin(pool: &Pool, run: &CanaryRun, forget_before: At) -> Result<(), StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        transaction.execute(FORGET, &[&timestamp(forget_before)]).await?;
        let values: [&(dyn ToSql + Sync); 4] =
            [&run.id, &timestamp(run.started_at), &run.asked_by, &run.route];
        transaction.execute(BEGIN, &values).await?;
        if let Some(who) = &run.asked_by {
            audit::record(&*transaction, who, "canary_asked", Some(run.id), None, run.started_at).await?;
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Writes how a run ended.
///
/// # Errors
/// When the statement fails.
pub async fn finish(pool: &Pool, run: &CanaryRun) -> Result<(), StoreError> {
    in_time(async {
        let client = pool.get().await?;
        let steps: Vec<Value> =
            run.steps.iter().map(|(step, ms)| json!({ "step": step, "ms": ms })).collect();
        let (ended, call) = (run.ended_at.map(timestamp), run.call.map(|call| Uuid::from_u128(call.0)));
        let values: [&(dyn ToSql + Sync); 8] = [
            &run.id,
            &ended,
            &run.outcome,
            &run.step,
            &run.words,
            &Value::Array(steps),
            &call,
            &run.agent_ms,
        ];
        client.execute(FINISH, &values).await?;
        Ok(())
    })
    .await
}

/// Ends runs that a stopped process left behind. Returns how many there were.
///
/// # Errors
/// When the statement fails.
pub async fn close_left_behind(pool: &Pool, now: At) -> Result<u64, StoreError> {
    in_time(async {
        let client = pool.get().await?;
        Ok(client.execute(CLOSE, &[&timestamp(now)]).await?)
    })
    .await
}

/// The newest runs, the newest first.
///
/// # Errors
/// When the query fails.
pub async fn recent(pool: &Pool, limit: i64) -> Result<Vec<CanaryRun>, StoreError> {
    read(pool, RECENT, &[&limit]).await?.iter().map(run).collect()
}

/// What runs used since this time.
///
/// # Errors
/// When the query fails.
pub async fn used(pool: &Pool, since: At) -> Result<CanaryUse, StoreError> {
    let rows = read(pool, USED, &[&timestamp(since)]).await?;
    let Some(row) = rows.first() else { return Ok(CanaryUse::default()) };
    Ok(CanaryUse { calls: row.try_get(0)?, agent_ms: row.try_get(1)?, credits: row.try_get(2)? })
}

/// When the schedule last began a run.
///
/// # Errors
/// When the query fails.
pub async fn last_scheduled(pool: &Pool) -> Result<Option<At>, StoreError> {
    moment(pool, LAST_SCHEDULED).await
}

/// When the last run that passed began.
///
/// # Errors
/// When the query fails.
pub async fn last_passed(pool: &Pool) -> Result<Option<At>, StoreError> {
    moment(pool, LAST_PASSED).await
}

async fn moment(pool: &Pool, statement: &str) -> Result<Option<At>, StoreError> {
    let rows = read(pool, statement, &[]).await?;
    let moment: Option<Timestamp> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(moment.map(at))
}

fn at(time: Timestamp) -> At {
    At(time.as_microsecond())
}

fn run(row: &Row) -> Result<CanaryRun, StoreError> {
    let steps: Value = row.try_get("steps")?;
    let step = |step: &Value| {
        Some((step.get("step")?.as_str()?.to_owned(), step.get("ms").and_then(Value::as_i64)?))
    };
    Ok(CanaryRun {
        id: row.try_get("id")?,
        started_at: at(row.try_get("started_at")?),
        ended_at: row.try_get::<_, Option<Timestamp>>("ended_at")?.map(at),
        asked_by: row.try_get("asked_by")?,
        route: row.try_get("route")?,
        outcome: row.try_get("outcome")?,
        step: row.try_get("step")?,
        words: row.try_get("words")?,
        steps: steps.as_array().into_iter().flatten().filter_map(step).collect(),
        call: row.try_get::<_, Option<Uuid>>("call")?.map(|call| CallId(call.as_u128())),
        agent_ms: row.try_get("agent_ms")?,
    })
}
