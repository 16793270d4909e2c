//! Checks the database: event logs have no gaps, derived rows match them, no duplicates. It reads one snapshot, changes
//! nothing, and may run beside a live engine.

mod consents;

use std::collections::VecDeque;

use precall_call::{At, Call, Event, Fact, FoldError, NoVoice, Purpose, Voice, facts, fold, open, step};
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Portal, Row, Transaction};
use uuid::Uuid;

use super::error::StoreError;
use crate::events::event_json;

/// The report lists at most this many breaches, and counts the rest.
const KEPT_MAX: usize = 100;
/// Maximum rows of each SQL rule.
const ROWS_MAX: i64 = 1_000;
/// Rows per fetch.
const FETCHED: i32 = 1_000;

/// Each query returns (owner, what is wrong). The name states the rule.
const RULES: &[(&str, &str)] = &[
    (
        "every call log is without gaps",
        "select call::text, count(*) || ' events, the last is number ' || max(seq)
         from call_events group by call having count(*) <> max(seq) limit $1",
    ),
    (
        "every clone job log is without gaps",
        "select job::text, count(*) || ' events, the last is number ' || max(seq)
         from voice_events group by job having count(*) <> max(seq) limit $1",
    ),
    (
        "every call has a row and every row has a log",
        "select coalesce(e.call, l.id)::text, case when l.id is null then 'it has no row in call_log'
            else 'its row has no log' end
         from (select distinct call from call_events) e
         full join (select id from call_log where last_seq > 0) l on l.id = e.call
         where l.id is null or e.call is null limit $1",
    ),
    (
        "exactly the live calls have a live row",
        "select id::text, 'state ' || state || ', ended at ' || coalesce(call_ended_at::text, 'no time')
            || ', status ' || status
         from call_log where last_seq > 0
            and ((state = 'released') <> (call_ended_at is not null) or (state = 'released') = (status = 'initiated'))
         limit $1",
    ),
    (
        "every derived row has a call with a log",
        "select d.call::text, 'a row of ' || d.source || ' has no log'
         from (select call, 'conversations' as source from conversations
            union all select call, 'clone_ready_events' from clone_ready_events where call is not null
            union all select call, 'clone_failed_events' from clone_failed_events where call is not null
            union all select call, 'clone_transfer_events' from clone_transfer_events where call is not null) d
         where not exists (select from call_events e where e.call = d.call) limit $1",
    ),
    (
        "exactly the finished clone jobs have a row in voice_clone_log",
        "select coalesce(j.job, l.job)::text,
            coalesce(l.rows, 0) || ' rows, ' || coalesce(j.ends, 0) || ' ends in its log'
         from (select job, count(*) filter (where event ->> 'kind' in ('clone_succeeded', 'clone_failed')) as ends
            from voice_events group by job) j
         full join (select job, count(*) as rows from voice_clone_log where job is not null group by job) l
            on l.job = j.job
         where coalesce(l.rows, 0) <> coalesce(j.ends, 0) limit $1",
    ),
    (
        "every cached voice was cloned by the job that it names",
        "select c.job::text, 'it did not make the voice of its row'
         from voice_clone_cache c where c.job is not null and not exists (select from voice_events e
            where e.job = c.job and e.event ->> 'kind' = 'clone_succeeded'
                and e.event ->> 'voice_id' = c.cloned_voice_id)
         limit $1",
    ),
    (
        "no number is dialled twice",
        "select call::text, count(*) || ' dials for ' || purpose
         from conversations where dial <> 'refused' and call in (select id from call_log where route = 'callback')
         group by call, purpose having count(*) > 1 limit $1",
    ),
    (
        "nothing is in quarantine",
        "select owner::text, 'event ' || seq || ' of its ' || stream || ' log: ' || reason
         from quarantined_events limit $1",
    ),
];

// All calls, or this one.
const LOGS: &str =
    "select call, seq, at, event from call_events where $1::uuid is null or call = $1 order by call, seq";

// Reads each row with the counts of its derived rows.
const ROWS: &str = "
    select l.id, l.last_seq, l.state, l.cause, l.blame, l.told, l.voice_missing, l.cloned_voice_id,
        l.caller_id is not null,
        (select count(*) from clone_ready_events r where r.call = l.id),
        (select count(*) from clone_failed_events r where r.call = l.id),
        (select count(*) from clone_transfer_events r where r.call = l.id),
        (select coalesce(string_agg(c.purpose || ' ' || c.ordinal || ' ' || c.dial || ' ' || c.outcome, ', '
            order by c.purpose, c.ordinal), '') from conversations c where c.call = l.id)
    from call_log l where l.last_seq > 0 and ($1::uuid is null or l.id = $1) order by l.id";

const COUNTS: &str = "
    select (select count(*) from call_events where event ->> 'kind' = 'offered'),
        (select count(*) from call_log where last_seq > 0 and state <> 'released'),
        (select count(*) from call_log where last_seq > 0 and state = 'released'),
        (select count(distinct job) from voice_events)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LOGS, ROWS, COUNTS, consents::LOG, consents::STANDING];

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: &'static str,
    /// The id of the call or job; empty if there is none.
    pub owner: String,
    /// What is wrong.
    pub detail: String,
}

/// What was checked, and which rules are broken.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// All offered calls.
    pub offered: i64,
    /// Live calls.
    pub live: i64,
    /// Ended calls.
    pub released: i64,
    /// Call events that were replayed.
    pub events: u64,
    /// Clone jobs.
    pub jobs: i64,
    /// Calls whose log could not be decoded at a restart. They were closed without it, and are not replayed.
    pub unreadable: u64,
    /// Records of consents.
    pub consents: i64,
    /// The hash of the last record, lower-case hex. Note it elsewhere: a later check then shows whether records were
    /// cut off.
    pub consents_head: Option<String>,
    /// The first hundred breaches.
    pub breaches: Vec<Breach>,
    /// How many more there are.
    pub more: u64,
}

impl Verified {
    fn breach(&mut self, rule: &'static str, owner: &str, detail: String) {
        if self.breaches.len() >= KEPT_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.breaches.push(Breach { rule, owner: owner.to_owned(), detail });
    }
}

/// Checks everything, in one snapshot.
///
/// # Errors
/// When a query fails.
pub async fn verify(client: &mut Client) -> Result<Verified, StoreError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let mut verified = Verified::default();
    for (rule, statement) in RULES {
        for row in transaction.query(*statement, &[&ROWS_MAX]).await? {
            let owner: Option<String> = row.try_get(0)?;
            verified.breach(rule, &owner.unwrap_or_default(), row.try_get(1)?);
        }
    }
    let counts = transaction.query_one(COUNTS, &[]).await?;
    (verified.offered, verified.live, verified.released, verified.jobs) =
        (counts.try_get(0)?, counts.try_get(1)?, counts.try_get(2)?, counts.try_get(3)?);
    if verified.offered != verified.live.saturating_add(verified.released) {
        let detail =
            format!("{} offered, {} live, {} released", verified.offered, verified.live, verified.released);
        verified.breach("offered calls are live or released", "", detail);
    }
    play_back(&transaction, None, &mut verified).await?;
    consents::verify_consents(&transaction, &mut verified).await?;
    transaction.rollback().await?;
    Ok(verified)
}

/// What is wrong with the log of one call and the rows that derive from it, as this transaction sees them.
///
/// # Errors
/// When a query fails.
pub(crate) async fn breach_of_call(
    transaction: &Transaction<'_>,
    call: Uuid,
) -> Result<Option<Breach>, StoreError> {
    let mut verified = Verified::default();
    play_back(transaction, Some(call), &mut verified).await?;
    Ok(verified.breaches.into_iter().next())
}

/// A cursor: fetches rows as they are needed.
struct Cursor {
    portal: Portal,
    fetched: VecDeque<Row>,
    is_over: bool,
}

impl Cursor {
    async fn open(transaction: &Transaction<'_>, statement: &str) -> Result<Self, StoreError> {
        Self::open_with(transaction, statement, &[]).await
    }

    async fn open_with(
        transaction: &Transaction<'_>,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Self, StoreError> {
        let portal = transaction.bind(statement, values).await?;
        Ok(Self { portal, fetched: VecDeque::new(), is_over: false })
    }

    async fn next(&mut self, transaction: &Transaction<'_>) -> Result<Option<Row>, StoreError> {
        if self.fetched.is_empty() && !self.is_over {
            self.fetched = transaction.query_portal(&self.portal, FETCHED).await?.into();
            self.is_over = self.fetched.is_empty();
        }
        Ok(self.fetched.pop_front())
    }
}

/// Replays every log and compares the rows with the result. Both are read in the order of the call ids, one call at a
/// time. An SQL rule has already found a call that has only one of the two.
async fn play_back(
    transaction: &Transaction<'_>,
    only: Option<Uuid>,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let mut rows = Cursor::open_with(transaction, ROWS, &[&only]).await?;
    let mut logs = Cursor::open_with(transaction, LOGS, &[&only]).await?;
    let mut next = logs.next(transaction).await?;
    let mut row: Option<StoredRow> = None;
    while let Some(first) = next.take() {
        let (call, event, at) = read_event(&first)?;
        let mut log = vec![(event, at)];
        while let Some(more) = logs.next(transaction).await? {
            let (of, event, at) = read_event(&more)?;
            if of != call {
                next = Some(more);
                break;
            }
            log.push((event, at));
        }
        verified.events = verified.events.saturating_add(u64::try_from(log.len()).unwrap_or(u64::MAX));
        while row.as_ref().is_none_or(|row| row.call < call) {
            let Some(stored) = rows.next(transaction).await? else { break };
            row = Some(StoredRow::read(&stored)?);
        }
        if let Some(row) = row.take_if(|row| row.call == call) {
            judge(&row, &log, verified);
        }
    }
    Ok(())
}

fn read_event(row: &Row) -> Result<(Uuid, Value, At), StoreError> {
    let at: jiff::Timestamp = row.try_get(2)?;
    Ok((row.try_get(0)?, row.try_get(3)?, At(at.as_microsecond())))
}

/// A row of `call_log`, with the counts of the other derived rows.
struct StoredRow {
    call: Uuid,
    last_seq: i64,
    cause: Option<String>,
    /// The columns in the order of [`shown`].
    shown: [String; 6],
    has_number: bool,
    /// Counts of the rows of `clone_ready_events`, `clone_failed_events`, `clone_transfer_events`.
    derived: [i64; 3],
    conversations: String,
}

impl StoredRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let text = |column| {
            Ok::<_, tokio_postgres::Error>(row.try_get::<_, Option<String>>(column)?.unwrap_or_default())
        };
        Ok(Self {
            call: row.try_get(0)?,
            last_seq: row.try_get(1)?,
            cause: row.try_get(3)?,
            shown: [text(2)?, text(3)?, text(4)?, text(5)?, text(6)?, text(7)?],
            has_number: row.try_get(8)?,
            derived: [row.try_get(9)?, row.try_get(10)?, row.try_get(11)?],
            conversations: row.try_get(12)?,
        })
    }
}

fn judge(row: &StoredRow, log: &[(Value, At)], verified: &mut Verified) {
    let owner = row.call.to_string();
    if row.cause.as_deref() == Some("unreadable_log") {
        verified.unreadable = verified.unreadable.saturating_add(1);
        return;
    }
    let mut events = Vec::with_capacity(log.len());
    for (number, (event, at)) in (1_u64..).zip(log) {
        match event_json::decode(event) {
            Ok(event) => events.push((event, *at)),
            Err(error) => {
                return verified.breach(
                    "every event can be decoded",
                    &owner,
                    format!("event {number}: {error}"),
                );
            }
        }
    }
    let (call, facts) = match played(&events) {
        Ok(played) => played,
        Err(error) => return verified.breach("every log can be replayed", &owner, error.to_string()),
    };
    if u64::try_from(row.last_seq).ok() != Some(call.version) {
        let detail = format!("its row includes event {} of {}", row.last_seq, call.version);
        verified.breach("every row includes the last event", &owner, detail);
    }
    let names = ["state", "cause", "blame", "told", "voice_missing", "cloned_voice_id"];
    for ((name, stored), played) in names.iter().zip(&row.shown).zip(shown(&call)) {
        if *stored != played {
            verified.breach(
                "every call row matches its log",
                &owner,
                format!("{name} is {stored:?}, the replay gives {played:?}"),
            );
        }
    }
    let conversations = conversations(&call);
    if row.conversations != conversations {
        let detail = format!("the rows are [{}], the replay gives [{conversations}]", row.conversations);
        verified.breach("every conversation row matches the log", &owner, detail);
    }
    let expected = derived(&facts, row.has_number);
    if row.derived != expected {
        let detail = format!(
            "clone_ready_events, clone_failed_events and clone_transfer_events have {:?} rows, \
             the replay gives {expected:?}",
            row.derived
        );
        verified.breach("every outcome row matches the log", &owner, detail);
    }
}

/// Replays a log. Returns the final state and all facts.
fn played(events: &[(Event, At)]) -> Result<(Call, Vec<Fact>), FoldError> {
    let call = fold(events.iter().map(|(event, at)| (event, *at)))?;
    let mut all = Vec::new();
    let mut before: Option<Call> = None;
    for (event, at) in events {
        let after = match (&before, event) {
            (None, Event::Offered(offer)) => open(offer, *at).next,
            (None, _) => break,
            (Some(before), _) => step(before, event, *at).next,
        };
        all.extend(facts(before.as_ref(), event, &after));
        before = Some(after);
    }
    Ok((call, all))
}

fn shown(call: &Call) -> [String; 6] {
    let release = call.release();
    let (missing, voice) = match &call.voice {
        Voice::Awaited => (None, None),
        Voice::Cloned(voice) => (None, Some(voice.to_string())),
        Voice::Fallback(why) => (Some(NoVoice::name(*why)), None),
    };
    let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
    [
        call.phase.name().to_owned(),
        text(release.map(|release| release.cause.name())),
        text(release.and_then(|release| release.blame).map(|blame| blame.name())),
        text(release.map(|release| release.told.name())),
        text(missing),
        voice.unwrap_or_default(),
    ]
}

fn conversations(call: &Call) -> String {
    let mut all: Vec<_> = call.conversations.iter().collect();
    all.sort_by_key(|conversation| (conversation.purpose.name(), conversation.ordinal));
    let line = |c: &&precall_call::Conversation| {
        let purpose: Purpose = c.purpose;
        format!("{} {} {} {}", purpose.name(), c.ordinal, c.dial.name(), c.grade.name())
    };
    all.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// How many rows the facts lead to. A caller without a number has no rows about a voice.
fn derived(facts: &[Fact], has_number: bool) -> [i64; 3] {
    let mut rows = [0_i64; 3];
    let [ready, failed, transferred] = &mut rows;
    for fact in facts {
        match fact {
            Fact::VoiceReady { .. } if has_number => *ready = ready.saturating_add(1),
            Fact::VoiceMissing(_) if has_number => *failed = failed.saturating_add(1),
            Fact::HandedOff(rung) if rung.leads_to_agent() => *transferred = transferred.saturating_add(1),
            Fact::Offered
            | Fact::GreetingStarted(_)
            | Fact::FirstFrame(_)
            | Fact::FirstSound(_)
            | Fact::NoticeEnded
            | Fact::VoiceReady { .. }
            | Fact::VoiceMissing(_)
            | Fact::PinRefused
            | Fact::HandedOff(_)
            | Fact::Panicked
            | Fact::ConversationReported { .. }
            | Fact::Released(_) => {}
        }
    }
    rows
}
