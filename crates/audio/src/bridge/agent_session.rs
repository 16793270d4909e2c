//! One session with an agent: decides what the caller and the agent hear. Its socket only carries messages.

use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use precall_call::{AgentLoss, HandoffFailure};
use precall_providers::elevenlabs::{AgentMessage, UnreadableMessage, read_agent_message, write_pong};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::agent_audio::AgentAudio;
use super::agent_order::{AgentOrder, GreetingUse};
use super::caller_audio::CallerAudio;
use super::caller_speech::CallerSpeech;
use super::own_greeting::OwnGreeting;
use super::session_stage::Stage;
use super::turn_timer::{TurnTime, TurnTimer};
use crate::bridge::agent_event::AgentEvent;
use crate::bridge::outbox::{Outbox, OutgoingMessage};
use crate::bridge::socket_state::{Ending, Opening, SocketEnd, redacted};
use crate::bridge::turn_taking::{FirstSpeaker, SilenceAction, TurnTaking};
use crate::clip::duration_of;
use crate::codec::transcode::{ToAgent, ToCaller};
use crate::leg_events::AgentStats;
use crate::playlist_cursor::silence;

mod caller_to_agent;
mod pause;

use pause::Pause;

/// The PBX may play audio this much later than precall's clock says (3CX facts, section 6(a)).
const TAIL: Duration = Duration::from_millis(300);

/// Codecs and the caller's audio. They exist once the provider has said which formats the agent uses.
struct Codecs {
    to_caller: ToCaller,
    to_agent: ToAgent,
    caller: CallerAudio,
    next_piece: Instant,
}

/// A session with an agent on a leg.
pub struct AgentSession {
    order: AgentOrder,
    stage: Stage,
    codecs: Option<Codecs>,
    audio: AgentAudio,
    turn: TurnTaking,
    timer: TurnTimer,
    /// The agent was ready before the playlist reached the agent's mark: its audio follows the mark directly, without
    /// music.
    follows_mark: bool,
    /// The caller hears the playlist: before the agent's first word, and again when the agent is silent for too long.
    plays_music: bool,
    /// Some of the agent's audio was written to the caller.
    has_spoken: bool,
    /// The agent must speak once its queued audio is played.
    expect_after_audio: bool,
    /// The greeting that is not played, while it may still come.
    own_greeting: Option<OwnGreeting>,
    /// The caller's speech, until something shows that the agent is alive.
    caller_speech: Option<CallerSpeech>,
    /// The provider lets the caller wait for a free conversation.
    is_queued: bool,
    is_interrupted: bool,
    pause: Pause,
    outbox: Rc<Outbox>,
    /// Notified when the conversation may begin.
    begin: Rc<Notify>,
    has_begun: bool,
    /// The provider's last error message and its code. It sends one right before it closes.
    provider_error: Option<(u16, String)>,
    events: Vec<AgentEvent>,
    // Buffers, reused.
    decoded: Vec<u8>,
    to_caller: BytesMut,
    piece: BytesMut,
    to_agent: BytesMut,
    text: String,
}

impl AgentSession {
    /// A session whose socket is not open yet.
    pub fn new(order: AgentOrder) -> Self {
        let turn = TurnTaking::new(order.fill_after, order.first_word_within, order.give_up_after);
        let caller_speech = (order.first_speaker == FirstSpeaker::Caller).then(CallerSpeech::default);
        Self {
            order,
            stage: Stage::Opening,
            codecs: None,
            audio: AgentAudio::default(),
            turn,
            timer: TurnTimer::default(),
            follows_mark: false,
            plays_music: true,
            has_spoken: false,
            expect_after_audio: false,
            own_greeting: None,
            caller_speech,
            is_queued: false,
            is_interrupted: false,
            pause: Pause::default(),
            outbox: Rc::default(),
            begin: Rc::default(),
            has_begun: false,
            provider_error: None,
            events: Vec::new(),
            decoded: Vec::new(),
            to_caller: BytesMut::new(),
            piece: BytesMut::new(),
            to_agent: BytesMut::new(),
            text: String::new(),
        }
    }

    pub(crate) fn order(&self) -> &AgentOrder {
        &self.order
    }

    pub(crate) fn outbox(&self) -> Rc<Outbox> {
        Rc::clone(&self.outbox)
    }

    pub(crate) fn begin_signal(&self) -> Rc<Notify> {
        Rc::clone(&self.begin)
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<AgentEvent> {
        std::mem::take(&mut self.events)
    }

    /// Whether the session is over and its outbox has ended.
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// How far the provider is with opening the session.
    pub(crate) fn opening(&self) -> Opening {
        self.stage.opening(self.is_queued)
    }

    /// The figures so far.
    pub fn stats(&self) -> AgentStats {
        let (agents_turn, callers_turn) = self.turn.silences();
        let unsent = self.codecs.as_ref().map_or(Duration::ZERO, |codecs| codecs.caller.dropped());
        AgentStats {
            agents_turn,
            callers_turn,
            dropped_to_agent: unsent.saturating_add(self.outbox.dropped()),
            dropped_to_caller: self.audio.dropped(),
        }
    }

    /// The conversation may begin: little is left to play before it.
    pub fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.begin.notify_one();
        }
    }

    /// Connects caller and agent. Music goes on until the agent's first word.
    pub fn connect(&mut self, now: Instant) {
        if self.stage != Stage::Ready {
            return;
        }
        self.stage = Stage::Connected;
        if self.has_spoken {
            return;
        }
        self.plays_music = self.order.first_speaker != FirstSpeaker::Caller;
        if self.audio.is_empty() {
            self.turn.start(self.order.first_speaker, now);
        }
    }

    /// How much of the playlist may be written before the agent is heard; `left` is the playlist until the agent's
    /// mark. An agent that is ready in time follows the mark directly, without music until the two are connected.
    pub(crate) fn playlist_before_agent(&mut self, left: Option<Duration>) -> Option<Duration> {
        if self.stage != Stage::Ready || self.audio.is_empty() {
            return None;
        }
        if left.is_some() {
            self.follows_mark = true;
        }
        left
    }

    /// Ends the hold: the person was not reached.
    pub(crate) fn resume(&mut self, now: Instant) {
        if self.stage == Stage::OnHold {
            self.stage = Stage::Connected;
            self.plays_music = true;
        }
        if self.stage == Stage::Connected {
            self.turn.expect_agent(now);
        }
    }

    /// Puts the agent on hold: the caller hears music, the agent silence.
    pub(crate) fn hold(&mut self) {
        if self.stage == Stage::Connected {
            self.stage = Stage::OnHold;
            self.audio.clear();
            self.expect_after_audio = false;
            self.turn.expect_nothing();
        }
    }

    /// Sends the agent a message that the caller does not hear: a tool result or context.
    pub(crate) fn send(&self, message: String) {
        self.outbox.push(OutgoingMessage::Control(message.into()));
    }

    /// The caller's next audio, at most this many bytes; none when the leg plays its playlist instead.
    pub fn next_piece(&mut self, bytes: usize) -> Option<Bytes> {
        match self.stage {
            Stage::Connected | Stage::Leaving { .. } => {}
            Stage::Ready if self.follows_mark && !self.audio.is_empty() => {}
            Stage::Opening | Stage::Ready | Stage::OnHold | Stage::Closed => return None,
        }
        if !self.audio.is_empty() {
            if !std::mem::replace(&mut self.has_spoken, true) {
                self.events.push(AgentEvent::Spoke);
            }
            self.plays_music = false;
            self.turn.end_silence();
            self.pause.takes_words();
            return Some(self.audio.piece(bytes));
        }
        if self.plays_music {
            return None;
        }
        let silence = silence(bytes);
        self.turn.add_silence(duration_of(silence.len()));
        Some(silence)
    }

    /// A piece of the agent's audio was written into the leg.
    pub(crate) fn was_written(&mut self, at: Instant) {
        self.pause.written(at);
        if let Some(TurnTime { provider, ours }) = self.timer.written(at) {
            self.events.push(AgentEvent::Answered { provider, ours });
        }
    }

    /// Puts back the unsent rest of a piece.
    pub(crate) fn give_back(&mut self, pcm: Bytes) {
        self.audio.give_back(pcm);
    }

    /// Whether the caller interrupted the agent since the last call.
    pub(crate) fn take_interrupted(&mut self) -> bool {
        std::mem::take(&mut self.is_interrupted)
    }

    /// Whether there is audio of the agent to play now.
    pub(crate) fn has_audio_to_play(&self) -> bool {
        self.stage == Stage::Connected && !self.audio.is_empty()
    }

    /// Sends a piece of the caller's audio when it is due, starts music when the agent is silent for too long, and ends
    /// the session after the agent's last word. `ahead` is the written audio that the listener has not heard yet.
    pub fn tick(&mut self, now: Instant, ahead: Duration) {
        self.send_piece(now);
        self.end_own_greeting(now);
        if let Some(stopped_after) = self.timer.stops(now, ahead) {
            self.events.push(AgentEvent::BargedIn { stopped_after });
        }
        match self.stage {
            Stage::Connected if self.audio.is_empty() => self.check_silence(now),
            Stage::Leaving { heard_at: None } if self.audio.is_empty() => {
                self.stage = Stage::Leaving { heard_at: Some(now + ahead + TAIL) };
            }
            Stage::Leaving { heard_at: Some(heard_at) } if heard_at <= now => self.close(AgentEvent::Ended),
            Stage::Opening
            | Stage::Ready
            | Stage::Connected
            | Stage::OnHold
            | Stage::Leaving { .. }
            | Stage::Closed => {}
        }
    }

    fn check_silence(&mut self, now: Instant) {
        if std::mem::take(&mut self.expect_after_audio) {
            self.turn.expect_agent(now);
        }
        match self.turn.action(now) {
            SilenceAction::Wait => {}
            SilenceAction::PlayMusic => self.plays_music = true,
            SilenceAction::StopMusic => self.plays_music = false,
            SilenceAction::GiveUp => {
                let detail =
                    if self.has_spoken { "the agent did not answer" } else { "the agent never spoke" };
                self.close(AgentEvent::Lost { why: AgentLoss::Stalled, detail: detail.to_owned() });
            }
        }
    }

    /// Lets the agent be heard, and gives it the caller's unanswered words, once its own greeting has passed.
    fn end_own_greeting(&mut self, now: Instant) {
        if self.own_greeting.as_ref().is_some_and(|greeting| greeting.is_over(now)) {
            self.own_greeting = None;
            self.send_unanswered();
        }
    }

    fn send_unanswered(&mut self) {
        if let Some(unanswered) = self.order.unanswered.take() {
            self.send(unanswered);
            self.expect_after_audio = true;
        }
    }

    /// Handles a message of the provider.
    pub fn on_message(&mut self, text: &str, now: Instant) {
        if matches!(self.stage, Stage::Leaving { .. } | Stage::Closed) {
            return;
        }
        match read_agent_message(text) {
            Ok(message) => self.handle(message, now),
            // The agent's settings would have to be changed first.
            Err(error @ UnreadableMessage::Format(_)) if self.stage == Stage::Opening => {
                let detail = redacted(&error.to_string());
                self.close(AgentEvent::Failed { why: HandoffFailure::Refused, detail });
            }
            // Ignored like an unknown message. Without the provider's first message the opening ends at its deadline.
            Err(_) => {}
        }
    }

    fn handle(&mut self, message: AgentMessage<'_>, now: Instant) {
        match message {
            AgentMessage::Begun { conversation, output, input } => {
                if self.stage != Stage::Opening {
                    return;
                }
                self.codecs = Some(Codecs {
                    to_caller: ToCaller::new(output),
                    to_agent: ToAgent::new(input),
                    caller: CallerAudio::new(now),
                    next_piece: now + self.order.piece,
                });
                self.stage = Stage::Ready;
                self.events.push(AgentEvent::Ready(conversation));
                if let Some(context) = self.order.context.take() {
                    self.send(context);
                }
                match self.order.own_greeting {
                    GreetingUse::Play => self.send_unanswered(),
                    GreetingUse::Drop => self.own_greeting = Some(OwnGreeting::new(now)),
                }
            }
            AgentMessage::Queued => self.is_queued = true,
            AgentMessage::Audio { event, base64 } => self.receive_audio(event, &base64, now),
            AgentMessage::Interrupted { event } => {
                if self.stage == Stage::Connected && !self.audio.is_empty() {
                    self.timer.interrupted(now);
                }
                self.audio.interrupt(event);
                self.is_interrupted = true;
                self.own_greeting = None;
                self.expect_after_audio = false;
                self.turn.expect_nothing();
                if let Some(codecs) = &mut self.codecs {
                    codecs.to_caller.reset();
                }
            }
            AgentMessage::Ping { event } => {
                self.text.clear();
                write_pong(event, &mut self.text);
                self.outbox.push(OutgoingMessage::Control(Utf8Bytes::from(self.text.as_str())));
            }
            AgentMessage::Heard { text } => {
                self.expect_after_audio = true;
                self.own_greeting = None;
                self.caller_speech = None;
                self.events.push(AgentEvent::Heard(text.into()));
            }
            // The caller does not hear these words.
            AgentMessage::Said { .. } if self.own_greeting.is_some() => {}
            AgentMessage::Said { text, event } => {
                self.events.push(AgentEvent::Said { text: text.into(), event });
            }
            AgentMessage::Corrected { text, event } => {
                self.events.push(AgentEvent::Corrected { text: text.into(), event });
            }
            AgentMessage::ToolCalled { id, name, parameters } => {
                self.expect_after_audio = true;
                self.events.push(AgentEvent::ToolCalled { id, name, parameters });
            }
            AgentMessage::Failed { code, kind, message } => {
                self.provider_error = Some((code.unwrap_or(0), format!("{kind}: {message}")));
            }
            AgentMessage::Other => {}
        }
    }

    fn receive_audio(&mut self, event: i64, base64: &str, now: Instant) {
        // On hold the caller does not hear the agent, not even later.
        if self.stage == Stage::OnHold || self.audio.is_interrupted(event) {
            return;
        }
        if let Some(greeting) = &mut self.own_greeting {
            return greeting.on_audio(now);
        }
        let Some(codecs) = &mut self.codecs else { return };
        self.decoded.clear();
        if STANDARD.decode_vec(base64, &mut self.decoded).is_err() {
            return;
        }
        codecs.to_caller.take(&self.decoded, &mut self.to_caller);
        let pcm = self.to_caller.split().freeze();
        if !pcm.is_empty() {
            self.expect_after_audio = false;
            self.caller_speech = None;
            self.turn.expect_nothing();
            let goes_on = !self.audio.is_empty() || self.pause.agent_is_heard(now);
            self.timer.agent_audio(goes_on, now);
            self.audio.push(event, pcm);
        }
    }

    /// The socket has closed.
    pub(crate) fn on_closed(&mut self, end: SocketEnd) {
        let Ending { is_normal, is_error, detail, not_opened, lost } =
            Ending::new(end, self.provider_error.take());
        // A session that an error ended before the first word was not ended by the agent, whatever the code says.
        let is_goodbye = is_normal && (self.has_spoken || !is_error);
        match self.stage {
            Stage::Closed | Stage::Leaving { .. } => {}
            Stage::Opening => self.close(AgentEvent::Failed { why: not_opened, detail }),
            // Nothing of it was heard, and nothing will be: the caller hears the greeting or music.
            Stage::Ready if is_goodbye && !self.has_spoken => self.close(AgentEvent::Ended),
            Stage::OnHold if is_goodbye => self.close(AgentEvent::Ended),
            // The agent ended the conversation: the caller hears its last words first.
            Stage::Ready | Stage::Connected if is_goodbye => self.stage = Stage::Leaving { heard_at: None },
            Stage::Ready | Stage::Connected | Stage::OnHold => {
                self.close(AgentEvent::Lost { why: lost, detail });
            }
        }
    }

    fn close(&mut self, event: AgentEvent) {
        self.stage = Stage::Closed;
        self.audio.clear();
        self.outbox.end();
        self.events.push(event);
    }
}

impl Drop for AgentSession {
    /// Closes the socket.
    fn drop(&mut self) {
        self.outbox.end();
    }
}
