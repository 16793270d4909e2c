//! The end of a conversation over a WebSocket: who ended it, its close code, its record. Pure.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::agent_session::{AgentSession, Outgoing};
use super::server_message;
use crate::elevenlabs::conversation::Ending;
use crate::elevenlabs::dialogue::Spoken;

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The agent: its script or the maximum duration.
    Agent,
    /// The agent, because of an error: see the code.
    Error,
    /// The client closed the socket.
    Client,
    /// The client's connection was lost without a close frame.
    ClientGone,
    /// The control API.
    HangUp,
    /// The script dropped the connection.
    Dropped,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// Who ended it.
    pub by: EndedBy,
    /// Close code: the client's, where the client closed.
    pub code: Option<u16>,
    /// The reason that went with it.
    pub reason: String,
    /// After the socket was opened.
    pub after_ms: u64,
}

impl AgentSession {
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
