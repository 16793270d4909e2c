//! The input of a session: the client's messages, and the time. Pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::agent_session::AgentSession;
use super::agent_settings::{LostVoice, OnViolation};
use super::client_message::{self, ClientMessage};
use super::end::EndedBy;
use super::initiation::{Initiation, Refusal};
use super::outgoing::Outgoing;
use super::queue::{HOLD_EVENT, HOLD_HZ, Queue, Queued};
use super::server_message;
use super::steps::Steps;
use super::tools::ToolAnswer;
use super::utterance::Utterance;
use crate::elevenlabs::conversation::Ending;
use crate::elevenlabs::voices::Voices;

/// Most violations whose text is kept.
const MOST_VIOLATIONS: usize = 100;
/// Most contextual updates, and most messages of the user, that are kept.
const MOST_UPDATES: usize = 100;
/// Longest text of a client that is kept, in characters.
const LONGEST_TEXT: usize = 4_096;
/// A client that reads nothing for this long is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// The shortest time between two VAD scores.
const VAD_EVERY: Duration = Duration::from_millis(100);

impl AgentSession {
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
            // It disables audio processing (AsyncAPI).
            ClientMessage::Audio(_) if self.is_text_only() => self.last_input = now,
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
            ClientMessage::UserMessage(text) => {
                self.last_input = now;
                if let Some(text) = text.filter(|_| self.user_messages.len() < MOST_UPDATES) {
                    self.user_messages.push(text.chars().take(LONGEST_TEXT).collect());
                }
            }
            ClientMessage::UserActivity | ClientMessage::Multimodal => self.last_input = now,
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
        let lost = voices.is_missing(initiation.voice())
            || self.about.agent.unknown_voices.iter().any(|id| id == initiation.voice());
        self.steps = Steps::new(&initiation, &self.about.agent, now);
        self.initiation = Some(initiation);
        if let Some(Refusal { error_type, message }) = refusal {
            return self.fail(1008, error_type, &message, EndedBy::Error, now);
        }
        if lost && self.about.agent.lost_voice == LostVoice::AtStart {
            return self.fail(1008, "value_error", "voice_id_does_not_exist", EndedBy::Error, now);
        }
        self.steps.voice_is_lost = lost;
        match self.about.agent.queue {
            Some(queue) => self.enqueue(queue, now),
            None => self.serve(now),
        }
    }

    /// Lets the client wait for its turn.
    fn enqueue(&mut self, queue: Queue, now: Instant) {
        let format = self.about.agent.agent_output_audio_format;
        let (pace, wait) = (self.about.agent.pace, queue.wait_ms);
        let hold = (queue.hold_audio && !self.is_text_only())
            .then(|| Utterance::new(HOLD_EVENT, format, HOLD_HZ, wait, pace, now));
        self.queued_at = Some(now);
        self.queued = Some(Queued {
            until: now.checked_add(Duration::from_millis(wait)).unwrap_or(now),
            next_status: now,
            every: Duration::from_millis(queue.status_every_ms),
            hold,
        });
        self.wait_in_queue(now);
    }

    /// Sends what is due to a client that waits, until it is its turn.
    fn wait_in_queue(&mut self, now: Instant) {
        let Some(mut queued) = self.queued.take() else { return };
        if now >= queued.until {
            return self.serve(now);
        }
        if now >= queued.next_status {
            queued.next_status = now.checked_add(queued.every).unwrap_or(now);
            self.tell_all(server_message::queue_status());
        }
        if let Some(hold) = &mut queued.hold {
            self.send(hold, now);
        }
        self.queued = Some(queued);
    }

    /// The conversation begins.
    fn serve(&mut self, now: Instant) {
        self.began = Some(now);
        self.last_input = now;
        self.is_news = true;
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
            if self.initiation.is_some() {
                return self.wait_in_queue(now);
            }
            if since(self.about.opened) >= Duration::from_millis(agent.initiation_ms) {
                self.begin(Map::new(), voices, now);
            }
            return;
        };
        let longest = Duration::from_millis(agent.max_duration_ms);
        if !self.has_outgoing() {
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
}
