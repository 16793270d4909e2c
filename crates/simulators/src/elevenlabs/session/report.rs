//! A conversation over a WebSocket as a check or a demo looks at it: `GET /sim/conversations/{id}`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::ear::UserAudio;
use super::end::End;
use super::pings::PingFigures;
use super::steps::Said;
use super::talk::Talk;
use super::tools::ToolCall;
use crate::elevenlabs::agent::{Spoken, Turn};
use crate::elevenlabs::conversation::Authorization;
use crate::shared::requests::rfc3339;

/// What became of one conversation. Times with `after` count from the opening of the socket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TalkReport {
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
    /// Client tools that were called.
    pub tool_calls: Vec<ToolCall>,
    /// What the agent said, and how much of it.
    pub said: Vec<Said>,
    /// What was said, in turn.
    pub transcript: Vec<Turn>,
    /// Where the client broke the contract; the first hundred.
    pub violations: Vec<String>,
    /// How often it did.
    pub violation_count: u64,
    /// How it ended.
    pub end: Option<End>,
}

impl TalkReport {
    /// A conversation as it is now.
    pub(in crate::elevenlabs) fn of(talk: &Talk, now: Instant) -> Self {
        let agent = &talk.about.agent;
        Self {
            conversation_id: talk.about.conversation_id.clone(),
            opened_at: rfc3339(talk.about.opened_at),
            authorization: match talk.about.authorization {
                Authorization::Public => "public",
                Authorization::SignedUrl => "signed_url",
            },
            agent_output_audio_format: agent.agent_output_audio_format.name(),
            user_input_audio_format: agent.user_input_audio_format.name(),
            initiation: talk
                .initiation
                .as_ref()
                .map_or(Value::Null, |initiation| Value::Object(initiation.data().clone())),
            voice_id: talk.initiation.as_ref().map(|initiation| initiation.voice().to_owned()),
            tone_hz: talk.initiation.as_ref().map(|_| talk.steps.tone_hz()),
            began_after_ms: talk.began.map(|began| talk.after_ms(began)),
            received: talk.messages.clone(),
            sent: talk.sent.clone(),
            user_audio: talk.ear.figures(),
            pings: talk.pings.figures(talk.ended_at().unwrap_or(now)),
            contextual_updates: talk.updates.clone(),
            tool_calls: talk.tools.calls(),
            said: talk.steps.said.clone(),
            transcript: talk.turns.iter().map(|Spoken { turn, .. }| turn.clone()).collect(),
            violations: talk.violations.clone(),
            violation_count: talk.violation_count,
            end: talk.end.as_ref().map(|(_, end)| end.clone()),
        }
    }
}
