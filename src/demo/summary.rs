//! The summary of the demo, read from the tables. The demo counts nothing itself.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use deadpool_postgres::Pool;
use serde::Serialize;
use uuid::Uuid;

use super::DemoError;
use super::bridged::Bridged;
use super::heartbeat::Machine;
use super::pbx::Heard;
use super::percentiles::Percentiles;

const TABLES: [&str; 9] = [
    "call_events",
    "voice_events",
    "conversations",
    "call_log",
    "voice_clone_log",
    "voice_clone_cache",
    "clone_ready_events",
    "clone_failed_events",
    "clone_transfer_events",
];

const CALLS: &str = "
    select count(*), count(*) filter (where status = 'completed'),
        count(*) filter (where voice_missing is not null),
        count(*) filter (where exists (select from conversations c where c.call = l.id
                and c.purpose = 'greeting' and c.outcome = 'completed')
            or exists (select from call_events e where e.call = l.id
                and e.event ->> 'kind' = 'greeting_ended' and e.event ->> 'end' = 'played')),
        count(*) filter (where exists (select from clone_transfer_events t where t.call = l.id)),
        count(*) filter (where exists (select from call_events e where e.call = l.id
            and e.event ->> 'kind' = 'voice_ready' and e.event ->> 'source' = 'cache')),
        percentile_cont(0.5) within group (order by (timings ->> 'greeting_started_ms')::float8),
        percentile_cont(0.99) within group (order by (timings ->> 'greeting_started_ms')::float8),
        percentile_cont(0.5) within group (order by (timings ->> 'first_frame_us')::float8),
        percentile_cont(0.99) within group (order by (timings ->> 'first_frame_us')::float8),
        percentile_cont(0.5) within group (order by (timings ->> 'first_sound_us')::float8),
        percentile_cont(0.99) within group (order by (timings ->> 'first_sound_us')::float8)
    from call_log l where id = any($1)";

const WAITS: &str = "
    select id, (timings ->> 'voice_decided_ms')::float8 - (timings ->> 'greeting_ended_ms')::float8
    from call_log where id = any($1) and timings ?& array['voice_decided_ms', 'greeting_ended_ms']";

const CLONES: &str = "
    select count(*), percentile_cont(0.5) within group (order by api_response_time_ms::float8),
        percentile_cont(0.99) within group (order by api_response_time_ms::float8)
    from voice_clone_log where status = 'success' and job in (
        select job from voice_events where position > $1)";

/// The summary of the demo's calls.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Calls that were placed.
    pub calls: i64,
    /// Calls whose greeting was heard.
    pub greeted: i64,
    /// Voices that were cloned.
    pub cloned: i64,
    /// Calls whose voice came from the cache.
    pub from_cache: i64,
    /// Calls that were handed to the agent.
    pub handed_over: i64,
    /// Calls in the fallback voice.
    pub fallback: i64,
    /// Calls that completed.
    pub completed: i64,
    /// From the offer to the provider's acceptance of the greeting, or to its first frame on the leg, in milliseconds.
    pub time_to_greeting_ms: Percentiles,
    /// On a live leg: from the PBX's event to the first frame written into the leg, in microseconds.
    pub first_frame_us: Percentiles,
    /// As above, to the first frame with sound.
    pub first_sound_us: Percentiles,
    /// Calls that were live when the demo was told to end. They were hung up, and count nowhere else.
    pub cut: i64,
    /// What the machine did meanwhile.
    pub machine: Machine,
    /// Upload to voice, milliseconds.
    pub clone_ms: Percentiles,
    /// Rows a table.
    pub rows: BTreeMap<&'static str, i64>,
    /// On a live leg: what the callers heard.
    pub heard: Option<Heard>,
    /// On the bridge: what they heard of the agent.
    pub bridged: Option<Bridged>,
}

impl Summary {
    /// Whether there were calls, all of them completed, and every caller heard what they should.
    #[must_use]
    pub fn all_completed(&self) -> bool {
        let heard_well = self.heard.as_ref().is_none_or(Heard::is_good);
        let bridged_well = self.bridged.as_ref().is_none_or(Bridged::is_good);
        self.calls > 0 && self.completed == self.calls && heard_well && bridged_well
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        writeln!(f, "calls             {}", self.calls)?;
        writeln!(f, "greeted           {}", self.greeted)?;
        writeln!(f, "voices cloned     {}", self.cloned)?;
        writeln!(f, "voice from cache  {}", self.from_cache)?;
        writeln!(f, "handed over       {}", self.handed_over)?;
        writeln!(f, "fallback voice    {}", self.fallback)?;
        writeln!(f, "completed         {}", self.completed)?;
        if self.cut > 0 {
            writeln!(f, "ended by Ctrl-C   {}", self.cut)?;
        }
        writeln!(f, "time to greeting  {}", self.time_to_greeting_ms)?;
        if self.heard.is_some() {
            writeln!(f, "first frame       {}", self.first_frame_us.in_ms())?;
            writeln!(f, "first sound       {}", self.first_sound_us.in_ms())?;
        }
        writeln!(f, "clone time        {}", self.clone_ms)?;
        write!(f, "rows             ")?;
        for (table, rows) in &self.rows {
            write!(f, " {table} {rows}")?;
        }
        if let Some(heard) = &self.heard {
            write!(f, "\n{heard}")?;
        }
        if let Some(bridged) = &self.bridged {
            write!(f, "\n{bridged}")?;
        }
        if self.machine.stalls > 0 {
            write!(f, "\n{}", self.machine)?;
        }
        Ok(())
    }
}

/// The end of the event logs now, so that earlier runs in the same database are not counted.
pub(super) async fn positions(pool: &Pool) -> Result<i64, DemoError> {
    let client = pool.get().await.map_err(|error| failed(&error))?;
    let row = client
        .query_one("select coalesce(max(position), 0) from voice_events", &[])
        .await
        .map_err(|error| failed(&error))?;
    row.try_get(0).map_err(|error| failed(&error))
}

/// When the voice of these calls was ready, in milliseconds after the end of their greeting.
pub(super) async fn waits(pool: &Pool, calls: &[Uuid]) -> Result<HashMap<Uuid, f64>, DemoError> {
    let client = pool.get().await.map_err(|error| failed(&error))?;
    let rows = client.query(WAITS, &[&calls]).await.map_err(|error| failed(&error))?;
    let read = |row: &tokio_postgres::Row| Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| failed(&error))
}

pub(super) async fn read(
    pool: &Pool,
    before: i64,
    calls: Vec<Uuid>,
    heard: Option<Heard>,
    bridged: Option<Bridged>,
) -> Result<Summary, DemoError> {
    let client = pool.get().await.map_err(|error| failed(&error))?;
    let of_calls = client.query_one(CALLS, &[&calls]).await.map_err(|error| failed(&error))?;
    let of_clones = client.query_one(CLONES, &[&before]).await.map_err(|error| failed(&error))?;
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let count = client.query_one(&format!("select count(*) from {table}"), &[]).await;
        rows.insert(table, count.map_err(|error| failed(&error))?.try_get(0).map_err(|e| failed(&e))?);
    }
    let summary = || {
        Ok::<Summary, tokio_postgres::Error>(Summary {
            calls: of_calls.try_get(0)?,
            completed: of_calls.try_get(1)?,
            fallback: of_calls.try_get(2)?,
            greeted: of_calls.try_get(3)?,
            handed_over: of_calls.try_get(4)?,
            from_cache: of_calls.try_get(5)?,
            time_to_greeting_ms: Percentiles { p50: of_calls.try_get(6)?, p99: of_calls.try_get(7)? },
            first_frame_us: Percentiles { p50: of_calls.try_get(8)?, p99: of_calls.try_get(9)? },
            first_sound_us: Percentiles { p50: of_calls.try_get(10)?, p99: of_calls.try_get(11)? },
            cloned: of_clones.try_get(0)?,
            cut: 0,
            machine: Machine::default(),
            clone_ms: Percentiles { p50: of_clones.try_get(1)?, p99: of_clones.try_get(2)? },
            rows,
            heard,
            bridged,
        })
    };
    summary().map_err(|error| failed(&error))
}

fn failed(error: &dyn fmt::Display) -> DemoError {
    DemoError::Database(error.to_string())
}
