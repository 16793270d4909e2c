//! The report on a conversation over a WebSocket: `GET /sim/conversations/{id}`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::agent_session::AgentSession;
use super::ear::UserAudio;
use super::end::End;
use super::pings::PingFigures;
use super::steps::Said;
use super::tools::ToolCall;
use crate::elevenlabs::conversation::Authorization;
use crate::elevenlabs::dialogue::{Spoken, Turn};
use crate::shared::requests::rfc3339;

/// The report on one conversation. Times with `after` count from the opening of the socket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionReport {
    /// Its id.
    pub conversation_id: String,
    /// When the socket was opened: RFC 3339 with microseconds.
    pub opened_at: String,
    /// `public` or `signed_url`.
    pub authorization: &'static str,
    /// Format of the agent's audio.
    pub agent_output_audio_format: &'static str,
    /// Format of the caller's audio.
    pub user_input_audio_format: &'static str,
    /// The client's first message, as sent; null until it has come.
    pub initiation: Value,
    /// The voice that the agent speaks with, and the tone that stands for it.
    pub voice_id: Option<String>,
    /// In hertz.
    pub tone_hz: Option<u32>,
    /// How long it waited in the queue before.
    pub queued_ms: Option<u64>,
    /// When the conversation began.
    pub began_after_ms: Option<u64>,
    /// Messages of the client, by type.
    pub received: BTreeMap<&'static str, u64>,
    /// Messages to the client, by type; raw ones and errors are not counted.
    pub sent: BTreeMap<&'static str, u64>,
    /// What came of the caller's audio.
    pub user_audio: UserAudio,
    /// Pings and pongs.
    pub pings: PingFigures,
    /// Texts of `contextual_update`.
    pub contextual_updates: Vec<String>,
    /// Texts of `user_message`.
    pub user_messages: Vec<String>,
    /// Client tools that were called.
    pub tool_calls: Vec<ToolCall>,
    /// Utterances of the agent, and how much of each was sent.
    pub said: Vec<Said>,
    /// What was said, in turn.
    pub transcript: Vec<Turn>,
    /// The client's violations of the contract; the first hundred.
    pub violations: Vec<String>,
    /// How often it did.
    pub violation_count: u64,
    /// How it ended.
    pub end: Option<End>,
}

impl SessionReport {
    /// A conversation as it is now.
    pub(in crate::elevenlabs) fn of(session: &AgentSession, now: Instant) -> Self {
        let agent = &session.about.agent;
        Self {
            conversation_id: session.about.conversation_id.clone(),
            opened_at: rfc3339(session.about.opened_at),
            authorization: match session.about.authorization {
                Authorization::Public => "public",
                Authorization::SignedUrl => "signed_url",
            },
            agent_output_audio_format: agent.agent_output_audio_format.name(),
            user_input_audio_format: agent.user_input_audio_format.name(),
            initiation: session
                .initiation
                .as_ref()
                .map_or(Value::Null, |initiation| Value::Object(initiation.data().clone())),
            voice_id: session.initiation.as_ref().map(|initiation| initiation.voice().to_owned()),
            tone_hz: session.initiation.as_ref().map(|_| session.steps.tone_hz()),
            queued_ms: session.queue_wait().map(super::ear::ms),
            began_after_ms: session.began.map(|began| session.after_ms(began)),
            received: session.messages.clone(),
            sent: session.sent.clone(),
            user_audio: session.ear.figures(),
            pings: session.pings.figures(session.ended_at().unwrap_or(now)),
            contextual_updates: session.updates.clone(),
            user_messages: session.user_messages.clone(),
            tool_calls: session.tools.calls(),
            said: session.steps.said.clone(),
            transcript: session.turns.iter().map(|Spoken { turn, .. }| turn.clone()).collect(),
            violations: session.violations.clone(),
            violation_count: session.violation_count,
            end: session.end.as_ref().map(|(_, end)| end.clone()),
        }
    }
}
