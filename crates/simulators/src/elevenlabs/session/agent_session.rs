//! One conversation over a WebSocket: its state, the queue to the client, and the ways that it ends. Pure.
//!
//! `input` gives it messages and times, and `script_run` runs its script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::agent_settings::Agent;
use super::ear::Ear;
use super::end::{End, EndedBy};
use super::initiation::Initiation;
use super::outgoing::Outgoing;
use super::pings::Pings;
use super::queue::Queued;
use super::server_message::{self, Named};
use super::steps::Steps;
use super::tools::Tools;
use crate::elevenlabs::conversation::{Authorization, Ending};
use crate::elevenlabs::dialogue::Spoken;
use crate::elevenlabs::faults::ReportFate;

/// Most messages that wait for a client that reads slowly.
const MOST_WAITING: usize = 1_000;

/// What the agent heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Samples a second.
    pub rate: u32,
    /// The beginning of the audio, as far as it is kept. Gaps between messages are not filled with silence.
    pub samples: Vec<i16>,
}

/// How a conversation starts.
#[derive(Clone, Debug)]
pub(in crate::elevenlabs) struct NewSession {
    pub conversation_id: String,
    pub agent: Arc<Agent>,
    pub authorization: Authorization,
    /// What happens to its report.
    pub report: ReportFate,
    /// How long it lasts once it has begun.
    pub length: Duration,
    pub opened: Instant,
    pub opened_at: Timestamp,
    /// Bytes of the caller's audio that may be kept.
    pub kept_at_most: usize,
}

/// One conversation.
#[derive(Debug)]
pub(in crate::elevenlabs) struct AgentSession {
    pub(super) about: NewSession,
    pub(super) initiation: Option<Initiation>,
    pub(super) began: Option<Instant>,
    pub(super) end: Option<(Instant, End)>,
    pub(super) ear: Ear,
    pub(super) pings: Pings,
    pub(super) tools: Tools,
    /// While it waits for its turn.
    pub(super) queued: Option<Queued>,
    /// When it began to wait.
    pub(super) queued_at: Option<Instant>,
    pub(super) steps: Steps,
    pub(super) messages: BTreeMap<&'static str, u64>,
    pub(super) updates: Vec<String>,
    pub(super) user_messages: Vec<String>,
    pub(super) violations: Vec<String>,
    pub(super) violation_count: u64,
    pub(super) sent: BTreeMap<&'static str, u64>,
    pub(super) turns: Vec<Spoken>,
    outgoing: VecDeque<Outgoing>,
    pub(super) taken: Instant,
    pub(super) last_input: Instant,
    pub(super) last_vad: Option<Instant>,
    pub(super) ending: Option<Ending>,
    /// Whether the conversation's record lacks the newest changes.
    pub(super) is_news: bool,
    /// Its connection stays open, and nothing is read or sent.
    pub(super) is_frozen: bool,
}

impl AgentSession {
    pub fn new(about: NewSession) -> Self {
        let opened = about.opened;
        let every = Duration::from_millis(about.agent.ping_ms);
        Self {
            ear: Ear::new(about.agent.user_input_audio_format, about.kept_at_most, opened),
            pings: Pings::new(every, opened),
            is_frozen: about.agent.frozen,
            about,
            initiation: None,
            began: None,
            end: None,
            tools: Tools::default(),
            queued: None,
            queued_at: None,
            steps: Steps::default(),
            messages: BTreeMap::new(),
            updates: Vec::new(),
            user_messages: Vec::new(),
            violations: Vec::new(),
            violation_count: 0,
            sent: BTreeMap::new(),
            turns: Vec::new(),
            outgoing: VecDeque::new(),
            taken: opened,
            last_input: opened,
            last_vad: None,
            ending: None,
            is_news: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the conversation's record must be updated. True once for each change.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// The client's first message, as the agent took it.
    pub(super) fn client_data(&self) -> Option<&Map<String, Value>> {
        self.initiation.as_ref().map(Initiation::taken)
    }

    pub(super) fn after_ms(&self, at: Instant) -> u64 {
        super::ear::ms(at.saturating_duration_since(self.about.opened))
    }

    /// Whether it has no audio.
    pub(super) fn is_text_only(&self) -> bool {
        let asked = self.initiation.as_ref().and_then(Initiation::text_only);
        asked.unwrap_or(self.about.agent.text_only)
    }

    /// How long it waited for its turn.
    pub(super) fn queue_wait(&self) -> Option<Duration> {
        Some(self.began?.saturating_duration_since(self.queued_at?))
    }

    /// Whether the client asked for this event.
    pub(super) fn wants(&self, event: &str) -> bool {
        self.initiation.as_ref().is_some_and(|initiation| initiation.wants(event, &self.about.agent))
    }

    /// Sends an event that the client asked for.
    pub(super) fn tell(&mut self, (kind, text): Named) {
        if self.wants(kind) {
            self.tell_all((kind, text));
        }
    }

    /// Sends an event to every client.
    pub(super) fn tell_all(&mut self, (kind, text): Named) {
        let count = self.sent.entry(kind).or_insert(0);
        *count = count.saturating_add(1);
        self.push(Outgoing::Text(text));
    }

    /// Audio waits for room. Other messages are few: beyond twice the limit they are lost, but never a close.
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        let is_last = matches!(outgoing, Outgoing::Close { .. } | Outgoing::Drop);
        if is_last || self.outgoing.len() < MOST_WAITING.saturating_mul(2) {
            self.outgoing.push_back(outgoing);
        }
    }

    /// Whether the queue to the client has room for audio.
    pub(super) fn has_room(&self) -> bool {
        self.outgoing.len() < MOST_WAITING
    }

    /// The next message to the client.
    pub(super) fn next_outgoing(&mut self, now: Instant) -> Option<Outgoing> {
        self.taken = now;
        self.outgoing.pop_front()
    }

    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(in crate::elevenlabs) fn heard(&self) -> Heard {
        let format = self.about.agent.user_input_audio_format;
        Heard { rate: format.rate(), samples: format.decoded(self.ear.kept()) }
    }

    pub(super) fn report_fate(&self) -> ReportFate {
        self.about.report
    }

    pub(super) fn conversation_id(&self) -> &str {
        &self.about.conversation_id
    }

    /// How long after its opening it began.
    pub(super) fn began(&self) -> Option<Duration> {
        self.began.map(|began| began.saturating_duration_since(self.about.opened))
    }

    /// How long it lasted, how it ended and what was said, once it is over.
    pub(super) fn outcome(&self) -> Option<(Duration, Ending, Vec<Spoken>)> {
        let (at, _) = self.end.as_ref()?;
        let length = self.began.map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        Some((length, self.ending.clone().unwrap_or_else(Ending::hung_up), self.turns.clone()))
    }

    /// The control API ends it.
    pub(in crate::elevenlabs) fn hang_up(&mut self, now: Instant) {
        if !self.is_over() {
            self.close(1000, "", EndedBy::HangUp, Ending::hung_up(), now);
        }
    }

    /// The voice that it speaks with is deleted.
    pub(in crate::elevenlabs) fn voice_lost(&mut self, now: Instant) {
        if !self.is_over() {
            self.push(Outgoing::Text(server_message::error(1002, "tts_cascade_error", "tts_cascade_error")));
            self.close(1002, "tts_cascade_error", EndedBy::Error, Ending::voice_lost(), now);
        }
    }

    /// The client closed the socket.
    pub(super) fn closed(&mut self, code: Option<u16>, reason: &str, now: Instant) {
        if !self.is_over() {
            // A close is answered with a close.
            self.push(Outgoing::Close { code: code.unwrap_or(1000), reason: String::new() });
            self.finish(EndedBy::Client, code, reason, Ending::hung_up(), now);
        }
    }

    /// The client's connection is gone.
    pub(super) fn gone(&mut self, now: Instant) {
        if !self.is_over() {
            self.finish(EndedBy::ClientGone, None, "", Ending::hung_up(), now);
        }
    }

    pub(super) fn agent_ends(&mut self, now: Instant) {
        self.close(1000, "", EndedBy::Agent, Ending::agent_ended(), now);
    }

    /// Says what is wrong and closes.
    pub(super) fn fail(&mut self, code: u16, error_type: &str, message: &str, by: EndedBy, now: Instant) {
        self.push(Outgoing::Text(server_message::error(code, error_type, message)));
        self.close(code, message, by, Ending::failed(code, message), now);
    }

    pub(super) fn close(&mut self, code: u16, reason: &str, by: EndedBy, ending: Ending, now: Instant) {
        self.push(Outgoing::Close { code, reason: reason.to_owned() });
        self.finish(by, Some(code), reason, ending, now);
    }

    /// Drops the connection without a close frame.
    pub(super) fn drop_connection(&mut self, now: Instant) {
        self.push(Outgoing::Drop);
        self.finish(EndedBy::Dropped, None, "", Ending::failed(1011, "unknown_websocket_crash"), now);
    }

    pub(super) fn finish(
        &mut self,
        by: EndedBy,
        code: Option<u16>,
        reason: &str,
        ending: Ending,
        now: Instant,
    ) {
        self.steps.stop();
        self.ending = Some(ending);
        self.is_news = true;
        let after_ms = self.after_ms(now);
        let reason = reason.chars().take(256).collect();
        self.end = Some((now, End { by, code, reason, after_ms }));
    }

    /// The client may not open it.
    pub(super) fn refuse(&mut self, now: Instant) {
        let reason = "The conversation signature is invalid or has expired.";
        self.fail(1008, "value_error", reason, EndedBy::Error, now);
    }

    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.end.as_ref().map(|(at, _)| *at)
    }

    /// The deadline of the client to close its side and to read the rest.
    pub(super) fn abandoned_at(&self, patience: Duration) -> Option<Instant> {
        let (at, _) = self.end.as_ref()?;
        at.checked_add(patience)
    }
}
