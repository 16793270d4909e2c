//! Client tools: calls and their results.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::ear::ms;

/// A call of a client tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Names this call of it.
    pub tool_call_id: String,
    /// What it was called with.
    pub parameters: Map<String, Value>,
    /// After the socket was opened.
    pub called_after_ms: u64,
    /// None until the client answers.
    pub answer: Option<ToolAnswer>,
}

/// What the client answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolAnswer {
    /// Its text.
    pub result: String,
    /// Whether it failed.
    pub is_error: bool,
    /// How long it took.
    pub after_ms: u64,
}

/// The tool calls of one conversation.
#[derive(Debug, Default)]
pub(super) struct Tools(Vec<(Instant, ToolCall)>);

impl Tools {
    pub fn called(&mut self, call: ToolCall, now: Instant) {
        self.0.push((now, call));
    }

    /// An answer arrives; false when nothing waits for it.
    pub fn answered(&mut self, tool_call_id: &str, answer: ToolAnswer, now: Instant) -> bool {
        let open =
            self.0.iter_mut().find(|(_, call)| call.tool_call_id == tool_call_id && call.answer.is_none());
        let Some((called, call)) = open else { return false };
        let after_ms = ms(now.saturating_duration_since(*called));
        call.answer = Some(ToolAnswer { after_ms, ..answer });
        true
    }

    /// Whether the last call still has no answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.last().is_some_and(|(_, call)| call.answer.is_none())
    }

    pub fn calls(&self) -> Vec<ToolCall> {
        self.0.iter().map(|(_, call)| call.clone()).collect()
    }
}
