//! Projection of one step of a call to database rows: the event and the rows derived from it.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use precall_base::redact::redact;
use precall_call::{
    Admission, Answered, At, AudioHeard, Call, Cause, Conversation, Event, Fact, Grade, NoVoice, Purpose,
    Rung, Silence, Voice, VoiceId, VoiceSource, facts,
};
use precall_providers::elevenlabs::{ConversationReport, ReportJson};
use precall_providers::threecx::address::LegAddress;
use precall_store::events::event_json;
use precall_store::events::rows::{
    CacheUse, CallLogRow, CloneFailedRow, CloneReadyRow, CloneTransferRow, ConversationName, ConversationRow,
    EarlyEnd, Entry, MatchedReport, RowWrite, Stream, Time, TranscriptDue,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::call_context::CallContext;

/// Data that belongs to an event but that no rule depends on: texts, addresses, the provider's report.
#[derive(Clone, Debug, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    None,
    /// The complete report of ElevenLabs.
    Report(Box<ConversationReport>),
    /// `recording_url` of a webhook.
    Recording(String),
    /// Address of the leg in the event.
    Leg(LegAddress),
    /// Text of an utterance on the bridge.
    Words(String),
    /// Why something failed, in the words of the provider, the PBX or precall.
    Detail(String),
}

/// Longest detail that is stored.
const DETAIL_CHARS_MAX: usize = 500;

/// The `call_events` row of one step and the rows derived from it. `before` is `None` for the offer.
#[must_use]
pub fn entry(
    context: &CallContext,
    before: Option<&Call>,
    event: &Event,
    after: &Call,
    payload: &Payload,
) -> Entry {
    let mut derived = vec![RowWrite::CallLog(Box::new(call_log(context, event, after, payload)))];
    derived.extend(conversations(context, before, after, payload));
    derived.extend(absorbed_end(context, event));
    for fact in facts(before, event, after) {
        derived.extend(rows_of(context, &fact, after, payload));
    }
    Entry {
        stream: Stream::Call,
        owner: uuid(context),
        seq: seq(after),
        at: after.at,
        event: event_json::encode(event),
        pii: pii(context, event, payload),
        derived,
    }
}

fn uuid(context: &CallContext) -> Uuid {
    Uuid::from_u128(context.id.0)
}

fn seq(call: &Call) -> i64 {
    i64::try_from(call.version).unwrap_or(i64::MAX)
}

/// Personal data of the event; erasure deletes it.
fn pii(context: &CallContext, event: &Event, payload: &Payload) -> Option<Value> {
    match (event, payload) {
        (Event::Offered(_), _) => Some(json!({
            "caller_id": context.caller_id(),
            "called_number": context.called,
            "recording_url": match payload {
                Payload::Recording(url) => Some(without_nul(url)),
                Payload::Report(_)
                | Payload::Leg(_)
                | Payload::Words(_)
                | Payload::Detail(_)
                | Payload::None => None,
            },
        })),
        (_, Payload::Report(report)) => said_in(report),
        (_, Payload::Recording(url)) => Some(json!({ "recording_url": without_nul(url) })),
        (_, Payload::Words(text)) => Some(json!({ "text": without_nul(text) })),
        // Another's words may hold a name, so they are erased with the call.
        (_, Payload::Detail(words)) => {
            Some(json!({ "detail": redact(&without_nul(words), DETAIL_CHARS_MAX, &[]) }))
        }
        (_, Payload::Leg(_) | Payload::None) => None,
    }
}

/// What the report holds of what was said.
fn said_in(report: &ConversationReport) -> Option<Value> {
    let mut said = Map::new();
    if let Some(transcript) = &report.transcript {
        said.insert("transcript".into(), without_nul(transcript.as_str()).into());
    }
    for (name, json) in [("analysis", &report.analysis), ("machine_detection", &report.machine_detection)] {
        said.extend(json.as_ref().map(|json| (name.to_owned(), json.value().clone())));
    }
    (!said.is_empty()).then_some(Value::Object(said))
}

fn call_log(context: &CallContext, event: &Event, call: &Call, payload: &Payload) -> CallLogRow {
    let release = call.release();
    let agent = call.conversation(Purpose::Agent);
    let transcript = transcript(event, call, payload);
    CallLogRow {
        id: uuid(context),
        call_id: agent.and_then(|a| a.id.as_ref()).map(ToString::to_string),
        threecx_call_id: context.threecx_call_id.clone(),
        caller_id: context.caller_id().map(ToOwned::to_owned),
        cloned_voice_id: cloned(call).map(ToString::to_string),
        call_started_at: Time(call.instants.offered),
        call_ended_at: ended(call).map(Time),
        duration_seconds: agent.and_then(|a| a.duration).or(call.pbx_duration).map(seconds),
        status: status(call).into(),
        metadata: metadata(call, payload, transcript.as_deref()),
        transcript,
        account_id: context.line.account.clone(),
        pbx: context.pbx.clone(),
        line: context.line.id.to_string(),
        called_number: context.called.clone(),
        route: call.policy.route.name().into(),
        state: call.phase.name().into(),
        cause: release.map(|r| r.cause.name().into()),
        blame: release.and_then(|r| r.blame).map(|blame| blame.name().into()),
        told: release.map(|r| r.told.name().into()),
        voice_missing: match call.voice {
            Voice::Fallback(why) => Some(why.name().into()),
            Voice::Awaited | Voice::Cloned(_) => None,
        },
        timings: timings(call),
        last_seq: seq(call),
        canary: context.canary,
    }
}

/// The end of the call. For a caller who hung up, the time at which the leg was gone: the call is released later.
fn ended(call: &Call) -> Option<At> {
    let released = call.instants.released?;
    let gone =
        call.instants.leg_gone.filter(|_| call.release().is_some_and(|r| r.cause == Cause::CallerHungUp));
    Some(gone.unwrap_or(released))
}

fn status(call: &Call) -> &'static str {
    match (call.had_agent(), call.is_released()) {
        (true, true) => "completed",
        (false, true) => "failed",
        (_, false) => "initiated",
    }
}

/// The report's transcript, if it is of the agent's conversation and the conversation was completed or was with a
/// voicemail box.
fn transcript(event: &Event, call: &Call, payload: &Payload) -> Option<String> {
    let (Event::Reported(fact), Payload::Report(report)) = (event, payload) else { return None };
    let agent = call.conversation(Purpose::Agent)?;
    // A report covers one of several sessions; the recorded utterances cover all.
    if call.utterances > 0 && agent.ordinal > 1 {
        return None;
    }
    let has_words = fact.grade == Grade::Completed || fact.answered == Answered::Voicemail;
    let matches = agent.id.as_ref() == Some(&fact.conversation) && has_words;
    let transcript = report.transcript.as_ref().filter(|_| matches)?;
    Some(without_nul(transcript.as_str()))
}

fn metadata(call: &Call, payload: &Payload, transcript: Option<&str>) -> Value {
    let mut object = Map::new();
    if let Some(id) = call.conversation(Purpose::Greeting).and_then(|g| g.id.as_ref()) {
        object.insert("greeting_conversation_id".into(), id.as_str().into());
    }
    if let Some(version) = call.policy.line_version {
        object.insert("line_version".into(), version.into());
    }
    if let Some(state) = &call.pbx_state {
        object.insert("pbx_state".into(), without_nul(state).into());
    }
    if let (Some(version), Some(_)) = (&call.policy.notice, call.instants.notice_ended) {
        object.insert("notice_version".into(), version.as_ref().into());
    }
    if let Some(audio) = call.audio {
        object.insert("audio".into(), audio_json(audio));
    }
    if transcript.is_some() {
        // Without a report the transcript comes from the recorded utterances.
        object.insert("transcript_source".into(), "report".into());
    }
    if let Payload::Recording(url) = payload {
        object.insert("recording_url".into(), without_nul(url).into());
    }
    Value::Object(object)
}

fn audio_json(audio: AudioHeard) -> Value {
    json!({
        "written_ms": millis(audio.written),
        "longest_gap_ms": millis(audio.longest_gap),
        "gaps_over_40ms": audio.gaps,
        "cuts": audio.cuts,
        "silence_on_agents_turn_ms": silence_json(audio.agents_turn),
        "silence_on_callers_turn_ms": silence_json(audio.callers_turn),
        "dropped_to_agent_ms": millis(audio.dropped_to_agent),
        "dropped_to_caller_ms": millis(audio.dropped_to_caller),
    })
}

fn silence_json(silence: Silence) -> Value {
    json!({ "longest": millis(silence.longest), "total": millis(silence.total) })
}

fn timings(call: &Call) -> Value {
    let connected = call.instants.leg_connected;
    // Times that the caller waits for: in microseconds since the PBX's event was received.
    let after_connected = |at: Option<At>| at.zip(connected).map(|(at, c)| micros(at.since(c)));
    let after_offer = |at: Option<At>| at.map(|at| millis(at.since(call.instants.offered)));
    json!({
        "leg_connected_ms": after_offer(connected),
        "first_frame_us": after_connected(call.instants.greeting_started),
        "first_sound_us": after_connected(call.instants.sound_started),
        "notice_ended_ms": after_offer(call.instants.notice_ended),
        "greeting_started_ms": after_offer(call.instants.greeting_started),
        "greeting_ended_ms": after_offer(call.instants.greeting_ended),
        "voice_decided_ms": after_offer(call.instants.voice_decided),
        "handoff_started_ms": after_offer(call.instants.handoff_started),
        "handed_off_ms": after_offer(call.instants.handed_off),
        "agent_heard_ms": after_offer(call.instants.agent_heard),
        "released_ms": after_offer(call.instants.released),
    })
}

/// Rows of the conversations that this step changed, and of conversation ids that became known.
fn conversations(
    context: &CallContext,
    before: Option<&Call>,
    after: &Call,
    payload: &Payload,
) -> Vec<RowWrite> {
    let old = before.map(|b| b.conversations.as_slice()).unwrap_or_default();
    let mut rows = Vec::new();
    for (i, conversation) in after.conversations.iter().enumerate() {
        let was = old.get(i);
        if was == Some(conversation) {
            continue;
        }
        rows.push(RowWrite::Conversation(conversation_row(context, conversation, after, payload)));
        if let (None, Some(id)) = (was.and_then(|w| w.id.as_ref()), &conversation.id) {
            rows.push(RowWrite::ConversationNamed(ConversationName {
                call: uuid(context),
                purpose: conversation.purpose.name().into(),
                conversation_id: id.to_string(),
            }));
        }
    }
    rows
}

fn conversation_row(
    context: &CallContext,
    conversation: &Conversation,
    call: &Call,
    payload: &Payload,
) -> ConversationRow {
    let report = match payload {
        Payload::Report(report) if conversation.id.as_ref() == Some(&report.conversation) => Some(report),
        Payload::Report(_)
        | Payload::Recording(_)
        | Payload::Leg(_)
        | Payload::Words(_)
        | Payload::Detail(_)
        | Payload::None => None,
    };
    ConversationRow {
        call: uuid(context),
        purpose: conversation.purpose.name().into(),
        ordinal: i32::from(conversation.ordinal),
        provider_id: conversation.id.as_ref().map(ToString::to_string),
        dial: conversation.dial.name().into(),
        outcome: conversation.grade.name().into(),
        duration_seconds: conversation.duration.map(seconds),
        report: report.map(|r| {
            json!({
                "termination_reason": r.termination_reason.as_deref().map(without_nul),
                "cost": r.cost,
                "cost_usd": r.cost_usd,
                "answered": (r.answered != Answered::Unknown).then(|| r.answered.name()),
                "analysis": r.analysis.as_ref().map(ReportJson::value),
                "machine_detection": r.machine_detection.as_ref().map(ReportJson::value),
                "failure": r.failure.map(precall_call::HandoffFailure::name),
                "event_timestamp": r.event_timestamp.map(Time),
                "started_at": r.started_at.map(Time),
                "ended_at": r.ended_at.map(Time),
            })
        }),
        started_at: Time(call.at),
        // The result of a voicemail test does not end the wait for the report.
        reported_at: report.filter(|r| r.grade != Grade::Initiated).map(|_| Time(call.at)),
    }
}

fn absorbed_end(context: &CallContext, event: &Event) -> Option<RowWrite> {
    let Event::Offered(offer) = event else { return None };
    let threecx_call_id =
        context.threecx_call_id.clone().filter(|_| offer.admission == Admission::EndedBefore)?;
    Some(RowWrite::EarlyEndAbsorbed(EarlyEnd { pbx: context.pbx.clone(), threecx_call_id }))
}

fn rows_of(context: &CallContext, fact: &Fact, call: &Call, payload: &Payload) -> Vec<RowWrite> {
    match fact {
        Fact::VoiceReady { voice, took, source, .. } => voice_ready(context, call, voice, *took, *source),
        Fact::VoiceMissing(why) => voice_missing(context, call, *why, payload).into_iter().collect(),
        Fact::HandedOff(rung) => handed_off(context, call, *rung).into_iter().collect(),
        Fact::Released(_) if call.utterances > 0 => {
            vec![RowWrite::TranscriptOfLines(TranscriptDue { id: uuid(context) })]
        }
        Fact::Offered
        | Fact::GreetingStarted(_)
        | Fact::FirstFrame(_)
        | Fact::FirstSound(_)
        | Fact::NoticeEnded
        | Fact::PinRefused
        | Fact::ConversationReported { .. }
        | Fact::Panicked
        | Fact::Released(_) => Vec::new(),
    }
}

fn voice_ready(
    context: &CallContext,
    call: &Call,
    voice: &VoiceId,
    took: Duration,
    source: VoiceSource,
) -> Vec<RowWrite> {
    let Some(caller) = context.caller_id() else { return Vec::new() };
    let ready = CloneReadyRow {
        caller_id: caller.to_owned(),
        greeting_call_id: greeting_id(context, call),
        cloned_voice_id: voice.to_string(),
        clone_duration_ms: millis(took),
        ready_at: Time(call.at),
        account_id: context.line.account.clone(),
        call: uuid(context),
        source: source.name().into(),
    };
    let used = CacheUse {
        account_id: context.line.account.clone(),
        caller_id: caller.to_owned(),
        cloned_voice_id: voice.to_string(),
        at: Time(call.at),
    };
    vec![RowWrite::CloneReady(ready), RowWrite::CacheUsed(used)]
}

fn voice_missing(context: &CallContext, call: &Call, why: NoVoice, payload: &Payload) -> Option<RowWrite> {
    let words = match payload {
        Payload::Detail(words) => redact(&without_nul(words), DETAIL_CHARS_MAX, &[]),
        Payload::Report(_) | Payload::Recording(_) | Payload::Leg(_) | Payload::Words(_) | Payload::None => {
            why.name().to_owned()
        }
    };
    Some(RowWrite::CloneFailed(CloneFailedRow {
        caller_id: context.caller_id()?.to_owned(),
        greeting_call_id: greeting_id(context, call),
        error_message: words,
        failed_at: Time(call.at),
        account_id: context.line.account.clone(),
        call: uuid(context),
        reason: why.name().into(),
    }))
}

fn handed_off(context: &CallContext, call: &Call, rung: Rung) -> Option<RowWrite> {
    let agent = call.conversation(Purpose::Agent).and_then(|a| a.id.as_ref());
    let voice = cloned(call).filter(|_| rung.takes_clone()).or(call.policy.fallback_voice.as_ref());
    rung.leads_to_agent().then(|| {
        RowWrite::CloneTransfer(CloneTransferRow {
            greeting_call_id: greeting_id(context, call),
            agent_call_id: agent.map_or_else(|| context.id.to_string(), ToString::to_string),
            cloned_voice_id: voice.map(ToString::to_string).unwrap_or_default(),
            transferred_at: Time(call.at),
            account_id: context.line.account.clone(),
            call: uuid(context),
        })
    })
}

/// Marks a stored report as applied to its call.
#[must_use]
pub fn matched(report: &ConversationReport) -> RowWrite {
    RowWrite::ReportMatched(MatchedReport { conversation_id: report.conversation.to_string() })
}

/// The id of the greeting's conversation. The call's id until it is known, and always on routes with a live leg.
fn greeting_id(context: &CallContext, call: &Call) -> String {
    let greeting = call.conversation(Purpose::Greeting).and_then(|g| g.id.as_ref());
    greeting.map_or_else(|| context.id.to_string(), ToString::to_string)
}

fn cloned(call: &Call) -> Option<&VoiceId> {
    match &call.voice {
        Voice::Cloned(voice) => Some(voice),
        Voice::Awaited | Voice::Fallback(_) => None,
    }
}

/// Replaces NUL, the only character that PostgreSQL's `text` cannot hold.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
