//! Sends the traces of finished calls to a collector, on a thread of its own.
//!
//! The queue holds ids of calls, not spans: a collector that is away costs 16 bytes a call. The logs are read from the
//! database when the spans are to be sent.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;
use deadpool_postgres::Pool;
use futures_util::future::FutureExt;
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::{At, CallId};
use precall_providers::otlp::{Collector, CollectorSettings, Span};
use precall_store::connect::within;
use precall_store::error::StoreError;
use precall_store::events::event_log;
use precall_store::reads::clone_steps;
use slog::{Logger, error, warn};
use tokio::sync::{mpsc, oneshot};

use super::call_spans::{call_spans, clone_jobs};
use super::sampler::Sampler;
use crate::durability::persistence_state::PersistenceState;
use crate::observe::metrics::{Metrics, TraceEnd};

/// Most calls that wait for the collector; more are dropped and counted.
const QUEUE_MAX: usize = 10_000;
/// Calls in one request: their spans have about 250 kB.
const BATCH_CALLS: usize = 50;
/// How long a call may wait for others that go with it.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Time limit for reading one call's log, and the pause before it is read again.
const READ_WITHIN: Duration = Duration::from_secs(5);
const READ_AGAIN: Duration = Duration::from_secs(2);
/// A log that cannot be read so often, while the database works, has no trace.
const READS_MAX: u32 = 5;
/// Pauses before the same spans are sent again.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A collector may ask for a longer pause, up to this one.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// How long the end of the process waits for the last traces.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// Failures are logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// `OTEL_*`.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// Where traces go.
    pub collector: CollectorSettings,
    /// Which calls are traced.
    pub sampler: Sampler,
}

/// The calls whose traces are to be sent. Cheap to clone; never waits.
#[derive(Clone)]
pub struct TraceQueue {
    orders: mpsc::Sender<Order>,
    metrics: Arc<Metrics>,
}

enum Order {
    /// Send the trace of this call.
    Call(CallId),
    /// Send now what was ordered before, and say so.
    Flush(oneshot::Sender<()>),
}

impl TraceQueue {
    pub(super) fn push(&self, call: CallId) {
        if self.orders.try_send(Order::Call(call)).is_err() {
            self.metrics.traces.ended(TraceEnd::QueueFull, 1);
        }
    }

    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flushing = async {
            if self.orders.send(Order::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _sent_or_late = tokio::time::timeout(FLUSH_WITHIN, flushing).await;
    }
}

/// What the exporter works with.
pub(crate) struct Exporter {
    orders: mpsc::Receiver<Order>,
    settings: CollectorSettings,
    pool: Pool,
    persistence: Arc<PersistenceState>,
    metrics: Arc<Metrics>,
    log: Logger,
    trouble: Trouble,
    /// Calls that were taken out of the queue and have no outcome yet.
    in_hand: usize,
}

/// Failures since the last line about them.
#[derive(Default)]
struct Trouble {
    logged_at: Option<At>,
    failures: u64,
}

#[derive(Default)]
struct Batch {
    calls: Vec<CallId>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, order: Order) {
        match order {
            Order::Call(call) => self.calls.push(call),
            Order::Flush(done) => self.flushes.push(done),
        }
    }

    fn is_complete(&self) -> bool {
        self.calls.len() >= BATCH_CALLS || !self.flushes.is_empty()
    }
}

impl Exporter {
    /// An exporter that does not run yet, and its queue.
    #[must_use]
    pub(crate) fn new(
        settings: CollectorSettings,
        pool: Pool,
        persistence: Arc<PersistenceState>,
        metrics: Arc<Metrics>,
        log: Logger,
    ) -> (TraceQueue, Self) {
        let (orders, taken) = mpsc::channel(QUEUE_MAX);
        let queue = TraceQueue { orders, metrics: Arc::clone(&metrics) };
        let trouble = Trouble::default();
        (queue, Self { orders: taken, settings, pool, persistence, metrics, log, trouble, in_hand: 0 })
    }

    /// Runs it on this arbiter, which has no other work.
    pub(crate) fn start(self, arbiter: &ArbiterHandle) {
        arbiter.spawn_fn(move || {
            actix::spawn(self.run());
        });
    }

    /// Ends with the last queue. A panic costs the batch in hand.
    async fn run(mut self) {
        let collector = Collector::new(self.settings.clone());
        while AssertUnwindSafe(self.export_all(&collector)).catch_unwind().await.is_err() {
            error!(self.log, "the trace exporter panicked, it goes on with the next calls"; "lost" => self.in_hand);
            self.over(TraceEnd::Unreadable, self.in_hand);
        }
    }

    async fn export_all(&mut self, collector: &Collector) {
        while let Some(batch) = self.next_batch().await {
            self.in_hand = batch.calls.len();
            let mut spans = Vec::new();
            for call in batch.calls {
                match self.spans_of(call).await {
                    Some(found) => spans.extend(found),
                    None => self.over(TraceEnd::Unreadable, 1),
                }
            }
            if self.in_hand > 0 {
                let end = self.send(collector, &spans).await;
                self.over(end, self.in_hand);
            }
            for done in batch.flushes {
                let _ = done.send(());
            }
        }
    }

    fn over(&mut self, end: TraceEnd, calls: usize) {
        self.metrics.traces.ended(end, calls);
        self.in_hand = self.in_hand.saturating_sub(calls);
    }

    async fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        batch.add(self.orders.recv().await?);
        let gathered = async {
            while !batch.is_complete() {
                let Some(order) = self.orders.recv().await else { return };
                batch.add(order);
            }
        };
        let _complete_or_late = tokio::time::timeout(BATCH_WAIT, gathered).await;
        Some(batch)
    }

    /// None if the call has no log that can be read. Waits while the database or its spool has trouble.
    async fn spans_of(&mut self, call: CallId) -> Option<Vec<Span>> {
        let mut reads = 0;
        loop {
            let spool = self.persistence.spool();
            // Events that wait in the spool are missing from the log in the database.
            if !spool.is_in_use() && !spool.awaits_import(call) {
                match within(READ_WITHIN, read_spans(&self.pool, call)).await {
                    Ok(spans) => return spans,
                    Err(error) => {
                        self.failed(&error.to_string());
                        reads += u32::from(!self.persistence.failing());
                        if !error.is_passing() || reads >= READS_MAX {
                            return None;
                        }
                    }
                }
            }
            tokio::time::sleep(READ_AGAIN).await;
        }
    }

    /// Sends the spans until the collector takes or refuses them.
    async fn send(&mut self, collector: &Collector, spans: &[Span]) -> TraceEnd {
        let mut pauses = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            let error = match collector.send(spans).await {
                Ok(sent) if sent.rejected > 0 => {
                    self.metrics.traces.failed("partial");
                    self.failed(&format!("the collector refused {} spans: {}", sent.rejected, sent.message));
                    return TraceEnd::Sent;
                }
                Ok(_) => return TraceEnd::Sent,
                Err(error) => error,
            };
            self.metrics.traces.failed(error.kind.name());
            self.failed(&error.message);
            if !error.kind.is_passing() {
                return TraceEnd::Refused;
            }
            let asked = error.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
            tokio::time::sleep(pauses.wait().max(asked)).await;
        }
    }

    /// Logs failures, at most once a minute.
    fn failed(&mut self, words: &str) {
        let (trouble, now) = (&mut self.trouble, clock::now());
        trouble.failures = trouble.failures.saturating_add(1);
        if trouble.logged_at.is_none_or(|at| now.since(at) >= LOG_EVERY) {
            warn!(self.log, "traces cannot be sent, calls go on without them"; "error" => words,
                "failures" => trouble.failures, "collector" => self.settings.host());
            *trouble = Trouble { logged_at: Some(now), failures: 0 };
        }
    }
}

async fn read_spans(pool: &Pool, call: CallId) -> Result<Option<Vec<Span>>, StoreError> {
    let client = pool.get().await?;
    let log = event_log::read_call(&**client, call).await?;
    let mut jobs = HashMap::new();
    for job in clone_jobs(&log) {
        jobs.insert(job, clone_steps::of_job(&**client, job).await?);
    }
    Ok(call_spans(call, &log, &jobs))
}
