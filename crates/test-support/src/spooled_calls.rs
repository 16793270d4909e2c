//! What an earlier start leaves in its spool: the events and rows of callback calls, as the engine writes them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use precall_base::clock;
use precall_call::{
    Admission, At, Call, ConversationId, Effect, Event, Offer, Purpose, Report, Route, VoiceId, VoiceSource,
    open, step,
};
use precall_store::events::event_json;
use precall_store::events::rows::{
    Batch, CacheUse, CallLogRow, CloneReadyRow, ConversationRow, Entry, RowWrite, Stream, Time,
};
use precall_store::spool::batch::to_frame;
use precall_store::spool::handle::SpoolHandle;
use serde_json::json;
use uuid::Uuid;

use crate::calls::{call_policy, reported};

const SECOND: i64 = 1_000_000;
/// Calls that are live at once.
const LIVE: usize = 100;
/// Entries of a spooled batch: what queued up while the one before was synced.
const BATCH: usize = 40;

/// What became of the last calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// They were live when the start ended.
    GoOn,
    /// They are over.
    AreOver,
}

/// The first event of a call.
pub fn opening() -> Batch {
    let mut call = Played::begin(0);
    let entry = call.entry(None, &call.offer());
    Batch { entries: vec![entry], rows: Vec::new() }
}

/// Writes them as the spool of a start that has ended.
pub async fn leave(root: &Path, frames: &[Vec<u8>]) {
    let spool = SpoolHandle::fresh(root, u64::MAX).unwrap();
    for frame in frames {
        spool.append(frame.clone()).await.unwrap();
    }
}

/// Batches of many live calls, mixed as they happen, of the first start on a database. Also the number of events.
pub fn frames(bytes: u64, last: Last) -> (Vec<Vec<u8>>, usize) {
    let (mut frames, mut size, mut entries) = (Vec::new(), 0_u64, 0_usize);
    let mut live: Vec<std::vec::IntoIter<Entry>> = Vec::new();
    let mut number = 0;
    loop {
        let (mut batch, is_enough) = (Batch::default(), size >= bytes);
        if is_enough && (last == Last::GoOn || live.is_empty()) {
            return (frames, entries);
        }
        while batch.entries.len() < BATCH {
            // One of the live calls goes on; a call that is over makes room for a new one.
            if live.len() < LIVE && !is_enough {
                live.push(Played::whole(number).into_iter());
                number += 1;
            }
            if live.is_empty() {
                break;
            }
            let turn = (number * 31 + batch.entries.len() * 7) % live.len();
            match live.get_mut(turn).and_then(Iterator::next) {
                Some(entry) => batch.entries.push(entry),
                None => drop(live.swap_remove(turn)),
            }
        }
        entries += batch.entries.len();
        let frame = to_frame(&batch, 1).unwrap();
        size += u64::try_from(frame.len()).unwrap();
        frames.push(frame);
    }
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
            canary: false,
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
