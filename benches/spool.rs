//! How fast the spool of an earlier start gets into the database: in bytes of the spool, while live calls are written.
//! Baselines: one batch after the other on one connection, as a running precall empties its spool, and PostgreSQL
//! alone, which copies the same bytes into a table of text.
#![allow(clippy::unwrap_used)] // A bench that cannot go on should stop.
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use futures_util::SinkExt;
use precall_base::clock;
use precall_call::{
    Admission, At, Call, ConversationId, Effect, Event, Offer, Purpose, Report, Route, VoiceId, VoiceSource,
    open, step,
};
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_store::connect::{self, Limits};
use precall_store::events::event_json;
use precall_store::events::positions::Positions;
use precall_store::events::rows::{
    Batch, CacheUse, CallLogRow, CloneReadyRow, ConversationRow, Entry, RowWrite, Stream, Time,
};
use precall_store::events::write::write;
use precall_store::leader::engine_lock;
use precall_store::schema::{embedded, migrate};
use precall_store::spool::batch::to_frame;
use precall_store::spool::handle::SpoolHandle;
use precall_store::spool_pace::Pace;
use precall_store::spool_recovery::{Beside, LeftSpools};
use precall_test_support::{call_policy, reported};
use serde_json::json;
use slog::{Discard, Logger, o};
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
/// Calls that are live at once.
const LIVE: usize = 100;
/// Entries of a spooled batch: what queued up while the one before was synced.
const BATCH: usize = 40;
const LEASE: Duration = Duration::from_secs(4);
const MIB: f64 = 1024.0 * 1024.0;

fn main() {
    let is_quick =
        std::env::args().any(|argument| argument == "--quick") || !std::env::args().any(|a| a == "--bench");
    let bytes = if is_quick { 24 << 20 } else { 240 << 20 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bench(bytes));
}

async fn bench(bytes: u64) {
    let options = Options::new(DataDir::Temporary, Durability::Fsync, Install::IfMissing);
    let postgres =
        tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await.unwrap().unwrap();
    let root = tempfile::tempdir().unwrap();
    let (frames, entries) = frames(bytes);
    println!("{} MiB in {} batches of {entries} events", bytes >> 20, frames.len());
    let log = Logger::root(Discard, o!());

    let (pool, _) = database(&postgres, "imported").await;
    spooled(root.path(), &frames).await;
    let begun = Instant::now();
    let mut left = LeftSpools::find(root.path(), &pool, &log).await.unwrap();
    let looked = begun.elapsed();
    let waiting = left.index().unfinished_calls().count();
    left.claim(&**pool.get().await.unwrap(), 2, LEASE, Uuid::now_v7()).await.unwrap();
    let pace = Arc::new(Pace::default());
    let live = tokio::spawn(live(pool.clone(), Arc::clone(&pace)));
    let begun = Instant::now();
    left.import_rest(&pool, Beside { pace: &pace, positions: &Positions::default() }, &log).await.unwrap();
    let took = begun.elapsed();
    live.abort();
    println!("looked through in {:.2} s, {waiting} calls are not over", looked.as_secs_f64());
    said("import, with live writes", bytes, took);
    let stored: i64 =
        pool.get().await.unwrap().query_one("select count(*) from call_events", &[]).await.unwrap().get(0);
    assert!(stored >= i64::try_from(entries).unwrap(), "{stored} of {entries}");
    let mut times = LATENCIES.lock().unwrap().clone();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default().as_millis();
    println!(
        "live writes meanwhile: {}, median {} ms, 99 % {} ms, slowest {} ms",
        times.len(),
        at(500),
        at(990),
        at(999)
    );

    let (pool, _) = database(&postgres, "one_by_one").await;
    spooled(root.path(), &frames).await;
    let begun = Instant::now();
    let directory =
        precall_store::spool::disk::Directory::left_behind(root.path()).unwrap().directories.remove(0);
    let spool = SpoolHandle::open(directory, u64::MAX).unwrap();
    while let Some(together) = spool.peek(0).await.unwrap() {
        write(&pool, &together.batch, together.generation).await.unwrap();
        spool.take_out(together.frames).await.unwrap();
    }
    said("baseline: batch after batch", bytes, begun.elapsed());

    let (pool, _) = database(&postgres, "copied").await;
    let client = pool.get().await.unwrap();
    client.batch_execute("create table frames (content text)").await.unwrap();
    let begun = Instant::now();
    let sink = client.copy_in("copy frames from stdin").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for frame in &frames {
        let escaped = String::from_utf8(frame.clone()).unwrap().replace('\\', "\\\\") + "\n";
        sink.send(bytes::Bytes::from(escaped)).await.unwrap();
    }
    sink.finish().await.unwrap();
    said("baseline: copy of the bytes", bytes, begun.elapsed());
    drop(client);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

fn said(what: &str, bytes: u64, took: Duration) {
    println!("{what}: {:.1} s, {:.1} MiB/s", took.as_secs_f64(), bytes as f64 / MIB / took.as_secs_f64());
}

static LATENCIES: std::sync::Mutex<Vec<Duration>> = std::sync::Mutex::new(Vec::new());

/// A live call's events, fifty a second, as long as the import runs.
async fn live(pool: Pool, pace: Arc<Pace>) {
    let mut clock_tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        clock_tick.tick().await;
        let mut call = Played::begin(0);
        let entry = call.entry(None, &call.offer());
        let begun = Instant::now();
        let batch = Batch { entries: vec![entry], rows: Vec::new() };
        write(&pool, &batch, 2).await.unwrap();
        pace.live_write(begun.elapsed());
        LATENCIES.lock().unwrap().push(begun.elapsed());
    }
}

async fn database(postgres: &EmbeddedPostgres, name: &str) -> (Pool, Uuid) {
    let admin = postgres.url("postgres").parse().unwrap();
    let admin = connect::connect(&admin, "bench", Limits::default()).await.unwrap();
    admin.client.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = postgres.url(name).parse().unwrap();
    let mut connected = connect::connect(&url, "bench", Limits::default()).await.unwrap();
    migrate::migrate(&mut connected.client, &embedded::runner(), migrate::Limits::default()).await.unwrap();
    let pool = connect::pool(&url, "bench", Limits::default()).unwrap();
    precall_store::growth::partitions::make_ahead(&pool, clock::now()).await.unwrap();
    let database = engine_lock::claim(&connected.client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    (pool, database)
}

/// The spool of a start that has ended.
async fn spooled(root: &Path, frames: &[Vec<u8>]) {
    let spool = SpoolHandle::fresh(root, u64::MAX).unwrap();
    for frame in frames {
        spool.append(frame.clone()).await.unwrap();
    }
}

/// Batches of many live calls, mixed as they happen. Also the number of events.
fn frames(bytes: u64) -> (Vec<Vec<u8>>, usize) {
    let (mut frames, mut size, mut entries) = (Vec::new(), 0_u64, 0_usize);
    let mut live: Vec<std::vec::IntoIter<Entry>> = Vec::new();
    let mut number = 0;
    while size < bytes {
        let mut batch = Batch::default();
        while batch.entries.len() < BATCH {
            // One of the live calls goes on; a call that is over makes room for a new one.
            if live.len() < LIVE {
                live.push(Played::whole(number).into_iter());
                number += 1;
            }
            let turn = (number * 31 + batch.entries.len() * 7) % live.len();
            match live.get_mut(turn).and_then(Iterator::next) {
                Some(entry) => batch.entries.push(entry),
                None => drop(live.swap_remove(turn)),
            }
        }
        entries += batch.entries.len();
        let frame = to_frame(&batch, 1).unwrap();
        size += frame.len() as u64;
        frames.push(frame);
    }
    (frames, entries)
}

/// A call that is played, with the rows that derive from it.
struct Played {
    id: Uuid,
    number: usize,
    call: Call,
}

impl Played {
    fn begin(number: usize) -> Self {
        let offer = Offer { policy: Arc::new(call_policy(Route::Callback)), admission: Admission::Accepted };
        Self { id: Uuid::now_v7(), number, call: open(&offer, clock::now()).next }
    }

    fn offer(&self) -> Event {
        Event::Offered(Offer {
            policy: Arc::new(call_policy(Route::Callback)),
            admission: Admission::Accepted,
        })
    }

    fn whole(number: usize) -> Vec<Entry> {
        let mut played = Self::begin(number);
        let offer = played.offer();
        let mut entries = vec![played.entry(None, &offer)];
        let (greeting, agent) = (format!("conv_greeting_{number:012}"), format!("conv_agent_{number:012}"));
        let id = |text: &str| ConversationId::new(text);
        let happens = [
            Event::GreetingDialled,
            Event::GreetingStarted { conversation: Some(id(&greeting)) },
            Event::PbxStateChanged { state: Arc::from("talking") },
            Event::VoiceReady {
                voice: VoiceId::new("a voice of twenty ch"),
                job: None,
                source: VoiceSource::Cache,
                took: Duration::from_millis(7),
            },
            reported(&id(&greeting)),
            Event::HandoffStarted { attempt: 1, rung: precall_call::Rung::CallbackCloned },
            Event::HandoffSucceeded { attempt: 1, conversation: Some(id(&agent)) },
            Event::PbxCallEnded { duration: Some(Duration::from_secs(12)) },
            reported(&id(&agent)),
        ];
        for event in happens {
            let now = At(played.call.at.0 + SECOND);
            played.take(&event, now, &mut entries);
        }
        entries
    }

    fn take(&mut self, event: &Event, now: At, entries: &mut Vec<Entry>) {
        let taken = step(&self.call, event, now);
        if taken.next.version == self.call.version {
            return;
        }
        let before = std::mem::replace(&mut self.call, taken.next);
        entries.push(self.entry(Some(&before), event));
        for effect in taken.effects {
            if let Effect::Intend(intent) = effect {
                self.take(&intent, now, entries);
            }
        }
    }

    /// As the projection of the engine writes it.
    fn entry(&mut self, before: Option<&Call>, event: &Event) -> Entry {
        let call = &self.call;
        let caller = format!("+44163296{:04}", self.number % 10_000);
        let release = call.release();
        let agent = call.conversation(Purpose::Agent);
        let of_agent = |report: &Report| agent.is_some_and(|a| a.id.as_ref() == Some(&report.conversation));
        let is_report = matches!(event, Event::Reported(report) if of_agent(report));
        let words = "agent: Hello, how can I help you today?\nuser: I would like to change my appointment.\n"
            .repeat(12);
        let row = CallLogRow {
            id: self.id,
            call_id: agent.and_then(|agent| agent.id.as_ref()).map(ToString::to_string),
            threecx_call_id: Some(format!("{:012}", self.number)),
            caller_id: Some(caller.clone()),
            cloned_voice_id: Some("a voice of twenty ch".into()),
            call_started_at: Time(call.instants.offered),
            call_ended_at: call.instants.released.map(Time),
            duration_seconds: Some(12),
            transcript: is_report.then(|| words.clone()),
            status: "initiated".into(),
            metadata: json!({ "greeting_conversation_id": format!("conv_greeting_{:012}", self.number) }),
            account_id: "default".into(),
            pbx: "default".into(),
            line: "default".into(),
            called_number: Some("+12025550199".into()),
            route: call.policy.route.name().into(),
            state: call.phase.name().into(),
            cause: release.map(|release| release.cause.name().into()),
            blame: None,
            told: release.map(|release| release.told.name().into()),
            voice_missing: None,
            timings: json!({ "leg_connected_ms": null, "voice_ready_ms": 7, "greeting_started_ms": 310 }),
            last_seq: i64::try_from(call.version).unwrap(),
        };
        let mut derived = vec![RowWrite::CallLog(Box::new(row))];
        for conversation in &call.conversations {
            if before.is_some_and(|before| before.conversations.contains(conversation)) {
                continue;
            }
            derived.push(RowWrite::Conversation(ConversationRow {
                call: self.id,
                purpose: conversation.purpose.name().into(),
                ordinal: conversation.ordinal.into(),
                provider_id: conversation.id.as_ref().map(ToString::to_string),
                dial: conversation.dial.name().into(),
                outcome: conversation.grade.name().into(),
                duration_seconds: Some(9),
                report: is_report
                    .then(|| json!({ "cost": 412, "termination_reason": "client ended the call" })),
                started_at: Time(call.at),
                reported_at: is_report.then_some(Time(call.at)),
            }));
        }
        if matches!(event, Event::VoiceReady { .. }) {
            derived.push(RowWrite::CloneReady(CloneReadyRow {
                caller_id: caller.clone(),
                greeting_call_id: self.id.to_string(),
                cloned_voice_id: "a voice of twenty ch".into(),
                clone_duration_ms: 7,
                ready_at: Time(call.at),
                account_id: "default".into(),
                call: self.id,
                source: "cache".into(),
            }));
            derived.push(RowWrite::CacheUsed(CacheUse {
                account_id: "default".into(),
                caller_id: caller.clone(),
                cloned_voice_id: "a voice of twenty ch".into(),
                at: Time(call.at),
            }));
        }
        let pii = match event {
            Event::Offered(_) => Some(json!({ "caller_id": caller, "called_number": "+12025550199" })),
            Event::Reported(_) if is_report => Some(json!({ "transcript": words })),
            _ => None,
        };
        Entry {
            stream: Stream::Call,
            owner: self.id,
            seq: i64::try_from(call.version).unwrap(),
            at: call.at,
            event: event_json::encode(event),
            pii,
            derived,
        }
    }
}
