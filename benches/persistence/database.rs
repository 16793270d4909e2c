//! A migrated database of the bench, with or without a history of calls.

use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use precall_actors::durability::persistence::PersistenceActor;
use precall_base::clock;
use precall_store::connect::{self, DatabaseUrl, Dedicated, Limits};
use precall_store::growth::partitions;
use precall_store::leader::engine_lock;
use precall_store::schema::{embedded, migrate};
use precall_store::spool::handle::SpoolHandle;
use precall_test_support::cluster::Cluster;
use precall_test_support::harness::Outcome;
use precall_test_support::harness::actors::Writer;
use slog::{Discard, Logger, o};
use uuid::Uuid;

use crate::events::Events;

/// The start of precall that the bench plays.
pub(crate) const GENERATION: u64 = 1;
const LEASE: Duration = Duration::from_secs(4);
/// A large history takes long to fill in.
const STATEMENT: Duration = Duration::from_secs(4 * 3_600);

// Ten calls a second, the last one now. The ids are time-ordered, as those of precall.
const HISTORY: &str = "
    create temporary table history as
    select n, now() - (CALLS - n) * interval '100 ms' as at,
        (lpad(to_hex((extract(epoch from now()) * 1000)::bigint - (CALLS - n) * 100), 12, '0')
            || '70008000' || lpad(to_hex(n), 12, '0'))::uuid as id
    from generate_series(1, CALLS::bigint) n";

const HISTORY_CALLS: &str = "
    insert into call_log (id, call_id, threecx_call_id, caller_id, cloned_voice_id, call_started_at, call_ended_at,
        duration_seconds, transcript, status, metadata, called_number, route, state, cause, told, timings, last_seq)
    select id, 'conv_history_agent_' || n, 'history-' || n, '+44163296' || lpad((n % 10000)::text, 4, '0'), 'a voice',
        at, at + interval '12 s', 12, repeat('agent: Hello, how can I help you today? ', 20), 'completed', '{}',
        '+12025550199', 'callback', 'released', 'completed', 'goodbye', '{}', $1
    from history";

const HISTORY_CONVERSATIONS: &str = "
    insert into conversations (call, purpose, ordinal, provider_id, dial, outcome, duration_seconds, report,
        started_at, reported_at)
    select id, purpose, 1, 'conv_history_' || purpose || '_' || n, 'answered', 'completed', 9, '{\"cost\": 412}', at, at
    from history cross join unnest(array['greeting', 'agent']) purpose";

const HISTORY_EVENTS: &str = "
    insert into call_events (call, seq, at, event, pii)
    select id, seq, at, event::jsonb, pii::jsonb
    from history cross join unnest($1::text[], $2::text[]) with ordinality as l (event, pii, seq)";

/// A database that takes a stream of events.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    /// For the baselines and the checks.
    pub(crate) plain: Dedicated,
    pub(crate) events: Events,
    /// Calls of the history.
    pub(crate) history: i64,
    /// Events of the history.
    before: i64,
}

impl Database {
    /// A database without calls, and so many events for it.
    pub(crate) async fn new(cluster: &Cluster, name: &str, events: usize) -> Outcome<Self> {
        let limits = Limits { statement: STATEMENT, ..Limits::default() };
        let admin = connect::connect(&cluster.url("postgres").parse()?, "bench", limits).await?;
        admin.client.batch_execute(&format!("create database {name}")).await?;
        let url: DatabaseUrl = cluster.url(name).parse()?;
        let mut plain = connect::connect(&url, "bench", limits).await?;
        migrate::migrate(&mut plain.client, &embedded::runner(), migrate::Limits::default()).await?;
        let pool = connect::pool(&url, "bench", Limits::default())?;
        partitions::make_ahead(&pool, clock::now()).await?;
        engine_lock::claim(&plain.client, GENERATION, LEASE, Uuid::now_v7()).await?;
        let tables = "create table plain (owner uuid, seq bigint, content jsonb);
            create table keyed (like call_events_other including all);
            create table single (n bigint)";
        plain.client.batch_execute(tables).await?;
        Ok(Self { pool, plain, events: Events::new(events), history: 0, before: 0 })
    }

    /// Adds calls of the past, each with the log of the same whole call.
    pub(crate) async fn fill(&mut self, calls: i64) -> Outcome<()> {
        let begun = Instant::now();
        let log = Events::new(0).of_one_call()?;
        let events: Vec<String> = log.iter().map(|entry| entry.event.to_string()).collect();
        let pii: Vec<Option<String>> =
            log.iter().map(|entry| entry.pii.as_ref().map(ToString::to_string)).collect();
        let client = &self.plain.client;
        client.batch_execute(&HISTORY.replace("CALLS", &calls.to_string())).await?;
        client.execute(HISTORY_CALLS, &[&i64::try_from(log.len())?]).await?;
        client.execute(HISTORY_CONVERSATIONS, &[]).await?;
        let rows = client.execute(HISTORY_EVENTS, &[&events, &pii]).await?;
        client.batch_execute("analyze; checkpoint").await?;
        let size = "select pg_size_pretty(pg_database_size(current_database()))";
        let size: String = client.query_one(size, &[]).await?.get(0);
        (self.history, self.before) = (calls, i64::try_from(rows)?);
        let seconds = begun.elapsed().as_secs_f64();
        println!("the history of {calls} calls has {rows} events, {size}; filled in {seconds:.1} s");
        Ok(())
    }

    /// Starts a persistence actor that leads, with or without a spool of so many bytes.
    pub(crate) fn writer(&self, spool: Option<(SpoolHandle, u64)>) -> Writer {
        let (spool, max) = spool.unzip();
        let pool = self.pool.clone();
        let log = Logger::root(Discard, o!());
        Writer::start(GENERATION, max, move |state| PersistenceActor::new(pool, spool, state, log))
    }

    /// Fails unless the database has each event once and nothing in quarantine.
    pub(crate) async fn has_all(&self) -> Outcome<()> {
        let counts = "select (select count(*) from call_events), (select count(*) from quarantined_events),
            (select count(*) from call_log)";
        let row = self.plain.client.query_one(counts, &[]).await?;
        let (stored, quarantined, calls): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let wanted = self.before.saturating_add(i64::try_from(self.events.taken)?);
        if stored != wanted || quarantined > 0 || calls <= self.history {
            let found = format!("{stored} of {wanted} events, {quarantined} in quarantine, {calls} calls");
            return Err(format!("the database has {found}").into());
        }
        Ok(())
    }
}
