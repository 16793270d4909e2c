//! One conversation over a WebSocket: messages and times go in, messages come out. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::agent_settings::{Agent, LostVoice, OnViolation};
use super::client_message::{self, ClientMessage};
use super::ear::Ear;
use super::end::{End, EndedBy};
use super::initiation::{Initiation, Refusal};
use super::pings::Pings;
use super::server_message::{self, Named};
use super::steps::Steps;
use super::tools::{ToolAnswer, Tools};
use crate::elevenlabs::conversation::{Authorization, Ending};
use crate::elevenlabs::dialogue::Spoken;
use crate::elevenlabs::faults::ReportFate;
use crate::elevenlabs::voices::Voices;

/// Most violations whose text is kept.
const MOST_VIOLATIONS: usize = 100;
/// Most contextual updates that are kept.
const MOST_UPDATES: usize = 100;
/// Longest text of a client that is kept, in characters.
const LONGEST_TEXT: usize = 4_096;
/// Most messages that wait for a client that reads slowly.
const MOST_WAITING: usize = 1_000;
/// A client that reads nothing for this long is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// The shortest time between two VAD scores.
const VAD_EVERY: Duration = Duration::from_millis(100);

/// A message to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Text(String),
    Pong(Bytes),
    Close { code: u16, reason: String },
    Drop,
}

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
    pub(super) steps: Steps,
    pub(super) messages: BTreeMap<&'static str, u64>,
    pub(super) updates: Vec<String>,
    pub(super) violations: Vec<String>,
    pub(super) violation_count: u64,
    pub(super) sent: BTreeMap<&'static str, u64>,
    pub(super) turns: Vec<Spoken>,
    outgoing: VecDeque<Outgoing>,
    taken: Instant,
    last_input: Instant,
    last_vad: Option<Instant>,
    pub(super) ending: Option<Ending>,
    /// Whether the conversation's record lacks the newest changes.
    pub(super) is_news: bool,
}

impl AgentSession {
    pub fn new(about: NewSession) -> Self {
        let opened = about.opened;
        let every = Duration::from_millis(about.agent.ping_ms);
        Self {
            ear: Ear::new(about.agent.user_input_audio_format, about.kept_at_most, opened),
            pings: Pings::new(every, opened),
            about,
            initiation: None,
            began: None,
            end: None,
            tools: Tools::default(),
            steps: Steps::default(),
            messages: BTreeMap::new(),
            updates: Vec::new(),
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

    /// The client's first message.
    pub(super) fn client_data(&self) -> Option<&Map<String, Value>> {
        self.initiation.as_ref().map(Initiation::data)
    }

    /// A text frame of the client arrives.
    pub(super) fn receive(&mut self, text: &str, voices: &Voices, now: Instant) {
        if self.is_over() {
            return;
        }
        let received = client_message::read(text);
        for violation in received.violations {
            self.violate(violation, now);
        }
        let Some(message) = received.message.filter(|_| !self.is_over()) else { return };
        let count = self.messages.entry(message.kind()).or_insert(0);
        *count = count.saturating_add(1);
        match (message, self.initiation.is_some()) {
            (ClientMessage::Initiation(data), false) => self.begin(data, voices, now),
            (ClientMessage::Initiation(_), true) => {
                self.violate("conversation_initiation_client_data: it comes first, and once".to_owned(), now);
            }
            (message, true) => self.take(message, now),
            (message, false) => {
                self.violate(format!("{}: before the initiation", message.kind()), now);
                self.begin(Map::new(), voices, now);
                self.take(message, now);
            }
        }
    }

    /// A frame of the client other than text.
    pub(super) fn receive_binary(&mut self, now: Instant) {
        self.violate("a binary frame".to_owned(), now);
    }

    fn take(&mut self, message: ClientMessage, now: Instant) {
        if self.is_over() {
            return;
        }
        match message {
            ClientMessage::Audio(audio) => {
                self.last_input = now;
                let is_sound = self.ear.hear(now, &audio);
                let due = self.last_vad.is_none_or(|last| now.saturating_duration_since(last) >= VAD_EVERY);
                if due {
                    self.last_vad = Some(now);
                    self.tell(server_message::vad_score(if is_sound { 0.96 } else { 0.02 }));
                }
            }
            ClientMessage::Pong(event_id) => {
                if !self.pings.pong(event_id, now) {
                    self.violate(format!("pong: no ping {event_id} waits for it"), now);
                }
            }
            ClientMessage::ToolResult { tool_call_id, result, is_error } => {
                let result = result.chars().take(LONGEST_TEXT).collect();
                let answer = ToolAnswer { result, is_error, after_ms: 0 };
                if !self.tools.answered(&tool_call_id, answer, now) {
                    self.violate("client_tool_result: no such call waits for it".to_owned(), now);
                }
            }
            ClientMessage::ContextualUpdate(text) => {
                if self.updates.len() < MOST_UPDATES {
                    self.updates.push(text.chars().take(LONGEST_TEXT).collect());
                }
            }
            ClientMessage::UserMessage | ClientMessage::UserActivity | ClientMessage::Multimodal => {
                self.last_input = now;
            }
            ClientMessage::Feedback | ClientMessage::ToolApproval | ClientMessage::Initiation(_) => {}
        }
    }

    /// Records a violation of the contract by the client.
    fn violate(&mut self, violation: String, now: Instant) {
        self.violation_count = self.violation_count.saturating_add(1);
        if self.about.agent.violations == OnViolation::Close && !self.is_over() {
            self.fail(1008, "invalid_message", &violation, EndedBy::Error, now);
        }
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(violation);
        }
    }

    fn begin(&mut self, data: Map<String, Value>, voices: &Voices, now: Instant) {
        let initiation = Initiation::new(data, &self.about.agent);
        self.is_news = true;
        self.last_input = now;
        let refusal = initiation.refusal(&self.about.agent);
        let lost = voices.is_deleted(initiation.voice())
            || self.about.agent.unknown_voices.iter().any(|id| id == initiation.voice());
        self.steps = Steps::new(&initiation, &self.about.agent, now);
        self.initiation = Some(initiation);
        if let Some(Refusal { error_type, message }) = refusal {
            return self.fail(1008, error_type, &message, EndedBy::Error, now);
        }
        if lost && self.about.agent.lost_voice == LostVoice::AtStart {
            return self.fail(1008, "value_error", "voice_id_does_not_exist", EndedBy::Error, now);
        }
        self.began = Some(now);
        self.steps.voice_is_lost = lost;
        let agent = Arc::clone(&self.about.agent);
        self.tell(server_message::metadata(
            &self.about.conversation_id,
            agent.agent_output_audio_format,
            agent.user_input_audio_format,
        ));
        self.ping(now);
        self.run(now);
    }

    /// Runs everything that is due.
    pub(super) fn tick(&mut self, voices: &Voices, now: Instant) {
        if self.is_over() {
            return;
        }
        let since = |at: Instant| now.saturating_duration_since(at);
        let agent = Arc::clone(&self.about.agent);
        let Some(began) = self.began else {
            if since(self.about.opened) >= Duration::from_millis(agent.initiation_ms) {
                self.begin(Map::new(), voices, now);
            }
            return;
        };
        let longest = Duration::from_millis(agent.max_duration_ms);
        if self.outgoing.is_empty() {
            self.taken = now;
        }
        if since(self.taken) > TAKEN_WITHIN {
            return self.finish(EndedBy::ClientGone, None, "", Ending::hung_up(), now);
        }
        if since(began) >= longest.min(self.about.length) {
            if self.about.length < longest {
                return self.agent_ends(now);
            }
            self.push(Outgoing::Text(server_message::error(
                1000,
                "max_duration_exceeded",
                "max_duration_exceeded",
            )));
            return self.close(1000, "max_duration_exceeded", EndedBy::Agent, Ending::max_duration(), now);
        }
        if since(self.last_input) >= Duration::from_millis(agent.input_timeout_ms) {
            let why = "transport_receive_timeout";
            return self.fail(1002, why, why, EndedBy::Error, now);
        }
        if !self.steps.is_frozen(now) {
            self.ping(now);
        }
        self.run(now);
    }

    fn ping(&mut self, now: Instant) {
        if !self.wants("ping") {
            return;
        }
        if let Some((event_id, ping_ms)) = self.pings.due(now) {
            self.tell(server_message::ping(event_id, ping_ms));
        }
    }

    /// A ping of the WebSocket itself.
    pub(super) fn pong(&mut self, payload: Bytes, now: Instant) {
        if !self.steps.is_frozen(now) {
            self.push(Outgoing::Pong(payload));
        }
    }

    pub(super) fn after_ms(&self, at: Instant) -> u64 {
        super::ear::ms(at.saturating_duration_since(self.about.opened))
    }

    /// Whether the client asked for this event.
    pub(super) fn wants(&self, event: &str) -> bool {
        self.initiation.as_ref().is_some_and(|initiation| initiation.wants(event, &self.about.agent))
    }

    /// Sends an event that the client asked for.
    pub(super) fn tell(&mut self, (kind, text): Named) {
        if !self.wants(kind) {
            return;
        }
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
}
