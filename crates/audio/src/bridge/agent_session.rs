//! One session with an agent, as the leg that it is on sees it. It decides what is heard; its socket only carries letters.

use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use precall_call::{AgentLoss, HandoffFailure};
use precall_providers::elevenlabs::{AgentMessage, read_agent_message, write_audio_chunk, write_pong};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::agent_audio::AgentAudio;
use super::agent_order::AgentOrder;
use super::caller_audio::CallerAudio;
use crate::bridge::agent_event::AgentNews;
use crate::bridge::outbox::{Letter, Letterbox};
use crate::bridge::turn_taking::{Patience, Turn};
use crate::clip::duration_of;
use crate::codec::transcode::{ToAgent, ToCaller};
use crate::leg_events::AgentFigures;

/// How much later than we think the PBX may play what it was sent (3CX facts, section 6(a)).
const TAIL: Duration = Duration::from_millis(300);
/// The provider's code for what was asked for and is not allowed (facts, section 4).
const CONTRACT: u16 = 1008;
/// Of a message with audio, what is not audio: room for all of it.
const CHUNK_WORDS: usize = 32;
/// A conversation that came to its end.
const NORMAL: u16 = 1000;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No word from the agent's side yet.
    Opening,
    /// It is there; what it says waits, what the caller says is not for it.
    Ready,
    /// The two hear each other.
    Connected,
    /// Somebody else is being called: each hears something else.
    OnHold,
    /// The agent took its leave; what it said is still being heard.
    Leaving {
        /// When its last word will have been heard, once that is known.
        heard_at: Option<Instant>,
    },
    /// Over.
    Gone,
}

/// How a socket came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// It never was one, and would not be: refused by status or by what was sent.
    Refused(String),
    /// It broke, was never there in time, or was closed without a code.
    Broken(String),
    /// It was closed with this code.
    Closed(u16, String),
}

/// Voices on both sides, known when the agent has said which formats it speaks.
struct Voices {
    to_caller: ToCaller,
    to_agent: ToAgent,
    caller: CallerAudio,
    next_piece: Instant,
}

/// See the file.
pub(crate) struct Talk {
    order: AgentOrder,
    stage: Stage,
    voices: Option<Voices>,
    audio: AgentAudio,
    turn: Turn,
    /// It was there before the scene came to the mark at which it is expected: it is heard right behind it, and not a lead later.
    is_expected: bool,
    /// Until the agent's first word the caller hears what was heard before, and again while it owes one for too long.
    music: bool,
    /// Whether any of it was written for the caller.
    has_spoken: bool,
    /// It owes a word once what it has said is heard.
    owes_next: bool,
    is_interrupted: bool,
    letters: Rc<Letterbox>,
    /// Rung when the conversation may begin.
    begins: Rc<Notify>,
    has_begun: bool,
    /// What the provider said was wrong, right before it closes.
    complaint: Option<(u16, String)>,
    news: Vec<AgentNews>,
    raw: Vec<u8>,
    to_be_heard: BytesMut,
    piece: BytesMut,
    to_be_sent: BytesMut,
    text: String,
}

impl Talk {
    pub(crate) fn new(order: AgentOrder) -> Self {
        let turn = Turn::new(order.fill_after, order.give_up_after);
        Self {
            order,
            stage: Stage::Opening,
            voices: None,
            audio: AgentAudio::default(),
            turn,
            is_expected: false,
            music: true,
            has_spoken: false,
            owes_next: false,
            is_interrupted: false,
            letters: Rc::default(),
            begins: Rc::default(),
            has_begun: false,
            complaint: None,
            news: Vec::new(),
            raw: Vec::new(),
            to_be_heard: BytesMut::new(),
            piece: BytesMut::new(),
            to_be_sent: BytesMut::new(),
            text: String::new(),
        }
    }

    pub(crate) fn order(&self) -> &AgentOrder {
        &self.order
    }

    pub(crate) fn letters(&self) -> Rc<Letterbox> {
        Rc::clone(&self.letters)
    }

    pub(crate) fn begins(&self) -> Rc<Notify> {
        Rc::clone(&self.begins)
    }

    /// What there is to be told since the last time.
    pub(crate) fn take_news(&mut self) -> Vec<AgentNews> {
        std::mem::take(&mut self.news)
    }

    /// Whether it is over, and its letterbox closed.
    pub(crate) fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// How it went so far.
    pub(crate) fn figures(&self) -> AgentFigures {
        let (agents_turn, callers_turn) = self.turn.silences();
        let unsent = self.voices.as_ref().map_or(Duration::ZERO, |voices| voices.caller.dropped());
        AgentFigures {
            agents_turn,
            callers_turn,
            dropped_to_agent: unsent.saturating_add(self.letters.dropped()),
            dropped_to_caller: self.audio.dropped(),
        }
    }

    /// The conversation may begin: what stands before it will soon have been heard.
    pub(crate) fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.begins.notify_one();
        }
    }

    /// From here on the two hear each other. Music goes on until the agent's first word.
    pub(crate) fn connect(&mut self, now: Instant) {
        if self.stage != Stage::Ready {
            return;
        }
        self.stage = Stage::Connected;
        if self.has_spoken {
            return;
        }
        self.music = self.order.opening != crate::bridge::turn_taking::Opening::Caller;
        if self.audio.is_empty() {
            self.turn.opened(self.order.opening, now);
        }
    }

    /// How much of the scene may be written before the agent is heard, where so much of it is left until its mark. An agent that
    /// is there in time follows it without the music that the listener would hear until the two are connected.
    pub(crate) fn scene_until(&mut self, left: Option<Duration>) -> Option<Duration> {
        if self.stage != Stage::Ready || self.audio.is_empty() {
            return None;
        }
        if left.is_some() {
            self.is_expected = true;
        }
        left
    }

    /// Back from hold, where nobody else was reached.
    pub(crate) fn go_on(&mut self, now: Instant) {
        if self.stage == Stage::OnHold {
            self.stage = Stage::Connected;
            self.music = true;
        }
        if self.stage == Stage::Connected {
            self.turn.agent_owes(now);
        }
    }

    /// Somebody else is being called: the caller hears music, the agent silence.
    pub(crate) fn hold(&mut self) {
        if self.stage == Stage::Connected {
            self.stage = Stage::OnHold;
            self.audio.clear();
            self.owes_next = false;
            self.turn.nothing_is_owed();
        }
    }

    /// Tells the agent something that is not said aloud: a tool's result, or what happened.
    pub(crate) fn write(&self, word: String) {
        self.letters.put(Letter::Word(word.into()));
    }

    /// The caller said this. Only who listens hears it.
    pub(crate) fn hear_caller(&mut self, pcm: &[u8]) {
        if let (Stage::Connected, Some(voices)) = (self.stage, &mut self.voices) {
            voices.caller.hear(pcm);
        }
    }

    /// What the caller is to hear next, at most so many bytes; none where it is what the leg's scene has.
    pub(crate) fn next_piece(&mut self, bytes: usize) -> Option<Bytes> {
        match self.stage {
            Stage::Connected | Stage::Leaving { .. } => {}
            Stage::Ready if self.is_expected && !self.audio.is_empty() => {}
            Stage::Opening | Stage::Ready | Stage::OnHold | Stage::Gone => return None,
        }
        if !self.audio.is_empty() {
            self.has_spoken = true;
            self.music = false;
            self.turn.sounded();
            return Some(self.audio.piece(bytes));
        }
        if self.music {
            return None;
        }
        let silence = crate::playlist_cursor::silence(bytes);
        self.turn.silent(crate::clip::duration_of(silence.len()));
        Some(silence)
    }

    /// A piece that no connection took whole.
    pub(crate) fn give_back(&mut self, pcm: Bytes) {
        self.audio.give_back(pcm);
    }

    /// Whether the caller interrupted what was on its way to them. Said once.
    pub(crate) fn was_interrupted(&mut self) -> bool {
        std::mem::take(&mut self.is_interrupted)
    }

    /// Whether the agent has something to say that is to be heard now.
    pub(crate) fn speaks(&self) -> bool {
        self.stage == Stage::Connected && !self.audio.is_empty()
    }

    /// What time brings: a piece of the caller's audio, music for whoever waits too long, the end of the last word. `ahead` is what
    /// the listener still has.
    pub(crate) fn tick(&mut self, now: Instant, ahead: Duration) {
        self.send_piece(now);
        match self.stage {
            Stage::Connected if self.audio.is_empty() => self.wait_for_a_word(now),
            Stage::Leaving { heard_at: None } if self.audio.is_empty() => {
                self.stage = Stage::Leaving { heard_at: Some(now + ahead + TAIL) };
            }
            Stage::Leaving { heard_at: Some(heard_at) } if heard_at <= now => self.end(AgentNews::Ended),
            Stage::Opening
            | Stage::Ready
            | Stage::Connected
            | Stage::OnHold
            | Stage::Leaving { .. }
            | Stage::Gone => {}
        }
    }

    fn wait_for_a_word(&mut self, now: Instant) {
        if std::mem::take(&mut self.owes_next) {
            self.turn.agent_owes(now);
        }
        match self.turn.patience(now) {
            Patience::Fine => {}
            Patience::Fill => self.music = true,
            Patience::Stalled => {
                let detail = format!("nothing was said for {:?}", self.order.give_up_after);
                self.end(AgentNews::Lost { why: AgentLoss::Stalled, detail });
            }
        }
    }

    fn send_piece(&mut self, now: Instant) {
        match self.stage {
            Stage::Ready | Stage::Connected | Stage::OnHold => {}
            Stage::Opening | Stage::Leaving { .. } | Stage::Gone => return,
        }
        let Some(voices) = &mut self.voices else { return };
        if now < voices.next_piece {
            return;
        }
        while voices.next_piece <= now {
            voices.next_piece += self.order.piece;
        }
        self.piece.clear();
        voices.caller.take_due(now, &mut self.piece);
        if self.piece.is_empty() {
            return;
        }
        self.to_be_sent.clear();
        voices.to_agent.take(&self.piece, &mut self.to_be_sent);
        let mut text = String::with_capacity(self.to_be_sent.len() * 4 / 3 + CHUNK_WORDS);
        write_audio_chunk(&self.to_be_sent, &mut text);
        let span = duration_of(self.piece.len());
        self.letters.put(Letter::Audio(text.into(), span));
    }

    /// The agent's side said something.
    pub(crate) fn heard(&mut self, text: &str, now: Instant) {
        if matches!(self.stage, Stage::Leaving { .. } | Stage::Gone) {
            return;
        }
        match read_agent_message(text) {
            Ok(message) => self.take(message, now),
            // One that cannot be read is as good as one that is not known; without the first there is no conversation.
            Err(error) if self.stage == Stage::Opening => {
                let detail = error.to_string();
                self.end(AgentNews::Failed { why: HandoffFailure::Refused, detail });
            }
            Err(_) => {}
        }
    }

    fn take(&mut self, message: AgentMessage<'_>, now: Instant) {
        match message {
            AgentMessage::Begun { conversation, output, input } => {
                if self.stage != Stage::Opening {
                    return;
                }
                self.voices = Some(Voices {
                    to_caller: ToCaller::new(output),
                    to_agent: ToAgent::new(input),
                    caller: CallerAudio::new(now),
                    next_piece: now + self.order.piece,
                });
                self.stage = Stage::Ready;
                self.news.push(AgentNews::Ready(conversation));
                if let Some(context) = self.order.context.take() {
                    self.write(context);
                }
            }
            AgentMessage::Audio { event, base64 } => self.hear_agent(event, &base64),
            AgentMessage::Interrupted { event } => {
                self.audio.interrupt(event);
                self.is_interrupted = true;
                self.owes_next = false;
                self.turn.nothing_is_owed();
                if let Some(voices) = &mut self.voices {
                    voices.to_caller.reset();
                }
            }
            AgentMessage::Ping { event } => {
                self.text.clear();
                write_pong(event, &mut self.text);
                self.letters.put(Letter::Word(Utf8Bytes::from(self.text.as_str())));
            }
            AgentMessage::Heard { text } => {
                self.owes_next = true;
                self.news.push(AgentNews::Heard(text.into()));
            }
            AgentMessage::Said { text, event } => {
                self.news.push(AgentNews::Said { text: text.into(), event })
            }
            AgentMessage::Corrected { text, event } => {
                self.news.push(AgentNews::Corrected { text: text.into(), event });
            }
            AgentMessage::ToolCalled { id, name, parameters } => {
                self.owes_next = true;
                self.news.push(AgentNews::ToolCalled { id, name, parameters });
            }
            AgentMessage::Failed { code, kind, message } => {
                self.complaint = Some((code.unwrap_or(0), format!("{kind}: {message}")));
            }
            AgentMessage::Other => {}
        }
    }

    fn hear_agent(&mut self, event: i64, base64: &str) {
        // Who is on hold is not heard, and what it says there is not heard later either.
        if self.stage == Stage::OnHold || self.audio.is_interrupted(event) {
            return;
        }
        let Some(voices) = &mut self.voices else { return };
        self.raw.clear();
        if STANDARD.decode_vec(base64, &mut self.raw).is_err() {
            return;
        }
        voices.to_caller.take(&self.raw, &mut self.to_be_heard);
        let pcm = self.to_be_heard.split().freeze();
        if !pcm.is_empty() {
            self.owes_next = false;
            self.turn.nothing_is_owed();
            self.audio.say(event, pcm);
        }
    }

    /// Its socket is closed.
    pub(crate) fn closed(&mut self, end: SocketEnd) {
        let (code, said) = match &end {
            SocketEnd::Refused(why) => (Some(CONTRACT), why.clone()),
            SocketEnd::Broken(why) => (None, why.clone()),
            SocketEnd::Closed(code, why) => (Some(*code), why.clone()),
        };
        let (code, detail) = match self.complaint.take() {
            Some((0, complaint)) => (code, complaint),
            Some((complained, complaint)) => (Some(complained), complaint),
            None => (code, said),
        };
        match (self.stage, code) {
            (Stage::Gone | Stage::Leaving { .. }, _) => {}
            (Stage::Opening, Some(CONTRACT)) => {
                self.end(AgentNews::Failed { why: HandoffFailure::Refused, detail });
            }
            (Stage::Opening, _) => self.end(AgentNews::Failed { why: HandoffFailure::Unknown, detail }),
            // It took its leave: what it said is heard first. Whoever leaves before anybody heard a word was not there.
            (Stage::Connected, Some(NORMAL)) => self.stage = Stage::Leaving { heard_at: None },
            (Stage::OnHold, Some(NORMAL)) => self.end(AgentNews::Ended),
            (Stage::Ready | Stage::Connected | Stage::OnHold, Some(CONTRACT)) => {
                self.end(AgentNews::Lost { why: AgentLoss::Refused, detail });
            }
            (Stage::Ready | Stage::Connected | Stage::OnHold, _) => {
                self.end(AgentNews::Lost { why: AgentLoss::Lost, detail });
            }
        }
    }

    fn end(&mut self, news: AgentNews) {
        self.stage = Stage::Gone;
        self.audio.clear();
        self.letters.end();
        self.news.push(news);
    }
}

impl Drop for Talk {
    /// Whoever lets go of it, its socket is closed.
    fn drop(&mut self) {
        self.letters.end();
    }
}
