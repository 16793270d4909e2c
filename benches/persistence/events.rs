//! Events of calls, and the same events as plain rows.

use std::collections::VecDeque;
use std::time::Instant;

use precall_store::events::rows::Entry;
use precall_test_support::harness::Outcome;
use precall_test_support::harness::numbers::millis;
use precall_test_support::spooled_calls::{self, Last};
use serde::Deserialize;
use tokio_postgres::Client;
use uuid::Uuid;

/// More than an event has as JSON, on average.
const BYTES_EACH: usize = 1_600;
/// Calls that are live at the end have no more events: enough for them too.
const BYTES_MORE: usize = 400_000;

/// Events of live calls, mixed as they happen. One database takes one such stream: the ids of conversations repeat.
pub(crate) struct Events {
    frames: std::vec::IntoIter<Vec<u8>>,
    waiting: VecDeque<Entry>,
    /// How many were taken.
    pub(crate) taken: usize,
}

#[derive(Deserialize)]
struct Frame {
    entries: Vec<Entry>,
}

impl Events {
    /// At least so many events.
    pub(crate) fn new(count: usize) -> Self {
        let bytes = count.saturating_mul(BYTES_EACH).saturating_add(BYTES_MORE);
        let (frames, _) = spooled_calls::frames(bytes as u64, Last::GoOn);
        Self { frames: frames.into_iter(), waiting: VecDeque::new(), taken: 0 }
    }

    /// The next events.
    pub(crate) fn take(&mut self, count: usize) -> Outcome<Vec<Entry>> {
        while self.waiting.len() < count {
            let frame = self.frames.next().ok_or("there are no more events")?;
            self.waiting.extend(serde_json::from_slice::<Frame>(&frame)?.entries);
        }
        self.taken = self.taken.saturating_add(count);
        Ok(self.waiting.drain(..count).collect())
    }

    /// The whole log of one call.
    pub(crate) fn of_one_call(mut self) -> Outcome<Vec<Entry>> {
        let first = self.take(1)?;
        let owner = first.first().map(|entry| entry.owner);
        let mut log = first;
        for frame in self.frames {
            self.waiting.extend(serde_json::from_slice::<Frame>(&frame)?.entries);
        }
        log.extend(self.waiting.into_iter().filter(|entry| Some(entry.owner) == owner));
        Ok(log)
    }
}

/// The same entries, as rows of the tables of the baselines.
pub(crate) struct PlainRows {
    owners: Vec<Uuid>,
    seqs: Vec<i64>,
    contents: Vec<String>,
    events: Vec<String>,
    pii: Vec<Option<String>>,
}

impl PlainRows {
    pub(crate) fn of(entries: &[Entry]) -> Outcome<Self> {
        Ok(Self {
            owners: entries.iter().map(|entry| entry.owner).collect(),
            seqs: entries.iter().map(|entry| entry.seq).collect(),
            contents: entries.iter().map(serde_json::to_string).collect::<Result<_, _>>()?,
            events: entries.iter().map(|entry| entry.event.to_string()).collect(),
            pii: entries.iter().map(|entry| entry.pii.as_ref().map(ToString::to_string)).collect(),
        })
    }

    /// Inserts their events with one statement into a table with the columns, the key and the index of the log, and
    /// without its partitions and triggers. Returns how long that took, in milliseconds.
    pub(crate) async fn insert_keyed(&self, client: &Client) -> Outcome<f64> {
        let insert = "insert into keyed (call, seq, at, event, pii)
            select call, seq, now(), event::jsonb, pii::jsonb
            from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) as n (call, seq, event, pii)";
        let insert = client.prepare(insert).await?;
        let begun = Instant::now();
        client.execute(&insert, &[&self.owners, &self.seqs, &self.events, &self.pii]).await?;
        Ok(millis(begun.elapsed()))
    }

    /// Inserts them with one statement into a table without any index. Returns how long that took, in milliseconds.
    pub(crate) async fn insert(&self, client: &Client) -> Outcome<f64> {
        let insert = "insert into plain (owner, seq, content)
            select owner, seq, content::jsonb
            from unnest($1::uuid[], $2::bigint[], $3::text[]) as n (owner, seq, content)";
        let insert = client.prepare(insert).await?;
        let begun = Instant::now();
        client.execute(&insert, &[&self.owners, &self.seqs, &self.contents]).await?;
        Ok(millis(begun.elapsed()))
    }
}
