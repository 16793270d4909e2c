//! What the agent's server says on its WebSocket (facts, section 4; the provider's AsyncAPI file). Read where audio arrives, many
//! times a second for each call: nothing is copied that need not be.

use std::borrow::Cow;

use precall_call::ConversationId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::audio_format::AudioFormat;

/// Longest text that is kept of one message, in bytes. Nobody says as much in one breath.
const TEXT_MAX: usize = 16 * 1024;

/// One message, as far as it matters here.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentMessage<'a> {
    /// The first: the conversation and what is spoken in it.
    Begun {
        /// The provider's id.
        conversation: ConversationId,
        /// What the agent sends.
        output: AudioFormat,
        /// What it is to be sent.
        input: AudioFormat,
    },
    /// A piece of what the agent says, in base64.
    Audio {
        /// The answer that it belongs to; they rise.
        event: i64,
        /// The audio.
        base64: Cow<'a, str>,
    },
    /// The caller interrupted what was said up to this answer.
    Interrupted {
        /// The last answer that is not to be heard.
        event: i64,
    },
    /// To be answered at once.
    Ping {
        /// Comes back in the answer.
        event: i64,
    },
    /// `user_transcript`: what the caller said.
    Heard {
        /// The words.
        text: Cow<'a, str>,
    },
    /// `agent_response`: what the agent says, as it was generated.
    Said {
        /// The words.
        text: Cow<'a, str>,
        /// The answer's number.
        event: Option<i64>,
    },
    /// `agent_response_correction`: what was heard of it.
    Corrected {
        /// The words.
        text: Cow<'a, str>,
        /// The answer's number.
        event: Option<i64>,
    },
    /// `client_tool_call`: the model uses a tool of ours.
    ToolCalled {
        /// Of this use.
        id: String,
        /// Of the tool.
        name: String,
        /// What the model filled in.
        parameters: Map<String, Value>,
    },
    /// `error`, right before the socket is closed.
    Failed {
        /// The code that it will be closed with.
        code: Option<u16>,
        /// `override_error`, `llm_timeout` ...
        kind: String,
        /// For people.
        message: String,
    },
    /// Something else: not an error, there are many kinds and there will be more.
    Other,
}

/// A message that cannot be read. Says what was wrong without quoting it: it may be anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMessage {
    /// No JSON, or without what its type must have.
    #[error("the agent's message is not the expected JSON (line {line}, column {column})")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// An audio format that nobody can convert.
    #[error(
        "the agent speaks or hears {0:?}: set it to pcm_8000, ulaw_8000 or another pcm rate of the provider's list"
    )]
    Format(String),
}

impl From<serde_json::Error> for UnreadableMessage {
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    audio_event: Option<AudioEvent<'a>>,
    #[serde(default)]
    interruption_event: Option<Numbered>,
    #[serde(default)]
    ping_event: Option<Numbered>,
    #[serde(borrow, default)]
    user_transcription_event: Option<Transcribed<'a>>,
    #[serde(borrow, default)]
    agent_response_event: Option<Answered<'a>>,
    #[serde(borrow, default)]
    agent_response_correction_event: Option<Answered<'a>>,
    #[serde(default)]
    conversation_initiation_metadata_event: Option<Metadata>,
    #[serde(default)]
    client_tool_call: Option<ToolCall>,
    #[serde(borrow, default)]
    error_event: Option<ErrorEvent<'a>>,
}

#[derive(Deserialize)]
struct AudioEvent<'a> {
    #[serde(borrow)]
    audio_base_64: Cow<'a, str>,
    event_id: i64,
}

#[derive(Deserialize)]
struct Numbered {
    event_id: i64,
}

#[derive(Deserialize)]
struct Transcribed<'a> {
    #[serde(borrow)]
    user_transcript: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow, default)]
    agent_response: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    corrected_agent_response: Option<Cow<'a, str>>,
    #[serde(default)]
    event_id: Option<i64>,
}

#[derive(Deserialize)]
struct Metadata {
    conversation_id: String,
    agent_output_audio_format: String,
    // Left out where the agent hears what it speaks.
    user_input_audio_format: Option<String>,
}

#[derive(Deserialize)]
struct ToolCall {
    tool_name: String,
    tool_call_id: String,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct ErrorEvent<'a> {
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// Reads one message.
///
/// # Errors
/// When a message of a known kind lacks what it must have.
pub fn read_agent_message(text: &str) -> Result<AgentMessage<'_>, UnreadableMessage> {
    let Kind { kind } = serde_json::from_str(text)?;
    let known = matches!(
        kind.as_ref(),
        "audio"
            | "interruption"
            | "ping"
            | "user_transcript"
            | "agent_response"
            | "agent_response_correction"
            | "conversation_initiation_metadata"
            | "client_tool_call"
            | "error"
    );
    if !known {
        return Ok(AgentMessage::Other);
    }
    let said: Envelope<'_> = serde_json::from_str(text)?;
    let read = match kind.as_ref() {
        "audio" => said
            .audio_event
            .map(|audio| AgentMessage::Audio { event: audio.event_id, base64: audio.audio_base_64 }),
        "interruption" => {
            said.interruption_event.map(|event| AgentMessage::Interrupted { event: event.event_id })
        }
        "ping" => said.ping_event.map(|event| AgentMessage::Ping { event: event.event_id }),
        "user_transcript" => said
            .user_transcription_event
            .map(|heard| AgentMessage::Heard { text: bounded(heard.user_transcript) }),
        "agent_response" => said.agent_response_event.and_then(|answer| {
            Some(AgentMessage::Said { text: bounded(answer.agent_response?), event: answer.event_id })
        }),
        "agent_response_correction" => said.agent_response_correction_event.and_then(|answer| {
            let text = bounded(answer.corrected_agent_response?);
            Some(AgentMessage::Corrected { text, event: answer.event_id })
        }),
        "conversation_initiation_metadata" => {
            said.conversation_initiation_metadata_event.map(begun).transpose()?
        }
        "client_tool_call" => said.client_tool_call.map(|call| AgentMessage::ToolCalled {
            id: call.tool_call_id,
            name: call.tool_name,
            parameters: call.parameters.unwrap_or_default(),
        }),
        _error => said.error_event.map(failed),
    };
    read.ok_or(UnreadableMessage::Json { line: 1, column: 1 })
}

fn begun(said: Metadata) -> Result<AgentMessage<'static>, UnreadableMessage> {
    let format =
        |name: &str| AudioFormat::from_name(name).ok_or_else(|| UnreadableMessage::Format(name.to_owned()));
    let output = format(&said.agent_output_audio_format)?;
    let input = said.user_input_audio_format.as_deref().map_or(Ok(output), format)?;
    Ok(AgentMessage::Begun { conversation: ConversationId::new(said.conversation_id), output, input })
}

fn failed(said: ErrorEvent<'_>) -> AgentMessage<'_> {
    let message = said.message.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    AgentMessage::Failed {
        code: said.code,
        kind: bounded(said.error_type.unwrap_or_else(|| "error".to_owned()).into()).into_owned(),
        message: bounded(message.unwrap_or_default().into()).into_owned(),
    }
}

/// So much of a text as is kept.
fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let kept = text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default();
    Cow::Owned(format!("{kept} [cut]"))
}

#[cfg(test)]
mod tests;
