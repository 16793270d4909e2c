//! Messages from the agent's WebSocket to precall (ElevenLabs facts, section 4; the provider's AsyncAPI file). Each
//! call receives many per second, so parsing borrows the text where it can.

use std::borrow::Cow;

use precall_call::ConversationId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::audio_format::AudioFormat;
use super::conversation_report::ID_BYTES_MAX;

/// Longest text that is kept of one message, in bytes; longer than any utterance.
const TEXT_MAX: usize = 16 * 1024;
/// Longest name of an audio format or a tool that is kept, in bytes.
const NAME_MAX: usize = 256;

/// One message, with the fields that precall uses.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentMessage<'a> {
    /// `conversation_initiation_metadata`, the first message.
    Begun {
        /// The provider's id.
        conversation: ConversationId,
        /// Audio format that the agent sends.
        output: AudioFormat,
        /// Audio format that the agent expects.
        input: AudioFormat,
    },
    /// `queue_status`: the provider has no free conversation and lets the caller wait. Audio that comes before `Begun`
    /// is its hold sound, not the agent (ElevenLabs facts, changelog of 2026-09-14; its fields are not published).
    Queued,
    /// `audio`: a chunk of the agent's audio.
    Audio {
        /// Id of the agent's answer that the chunk belongs to; ids increase.
        event: i64,
        /// The audio in base64.
        base64: Cow<'a, str>,
    },
    /// `interruption`: the caller interrupted the agent.
    Interrupted {
        /// Audio of answers up to this id must not be played.
        event: i64,
    },
    /// `ping`: must be answered at once.
    Ping {
        /// Id for the answer.
        event: i64,
    },
    /// `user_transcript`: the caller's utterance.
    Heard {
        /// The text.
        text: Cow<'a, str>,
    },
    /// `agent_response`: the agent's utterance as generated.
    Said {
        /// The text.
        text: Cow<'a, str>,
        /// Id of the answer.
        event: Option<i64>,
    },
    /// `agent_response_correction`: the part of the utterance that was played before an interruption.
    Corrected {
        /// The text.
        text: Cow<'a, str>,
        /// Id of the answer.
        event: Option<i64>,
    },
    /// `client_tool_call`: the model calls one of our tools.
    ToolCalled {
        /// Id of this tool call.
        id: String,
        /// Name of the tool.
        name: String,
        /// Arguments from the model.
        parameters: Map<String, Value>,
    },
    /// `error`, sent before the provider closes the socket.
    Failed {
        /// The close code that will follow.
        code: Option<u16>,
        /// `override_error`, `llm_timeout` ...
        kind: String,
        /// The provider's message.
        message: String,
    },
    /// Any other type; not an error, the provider adds new types.
    Other,
}

/// Why a message cannot be read. Does not quote the message: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMessage {
    /// Not JSON, or a required field of its type is missing.
    #[error("the agent's message is not the expected JSON (line {line}, column {column})")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// An audio format that precall cannot convert.
    #[error(
        "the agent's audio format {0:?} cannot be converted: \
         set it to pcm_8000, ulaw_8000 or another of the provider's PCM rates"
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
    // Left out if it is the same as the output format.
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

/// Parses one message.
///
/// # Errors
/// The text is not JSON, or a known type lacks a required field.
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
    if kind == "queue_status" {
        return Ok(AgentMessage::Queued);
    }
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
            let metadata = said.conversation_initiation_metadata_event;
            metadata.filter(|metadata| is_id(&metadata.conversation_id)).map(begun).transpose()?
        }
        // Without its whole id a tool call cannot be answered.
        "client_tool_call" => said.client_tool_call.filter(|call| is_id(&call.tool_call_id)).map(|call| {
            AgentMessage::ToolCalled {
                id: call.tool_call_id,
                name: cut(call.tool_name.into(), NAME_MAX).into_owned(),
                parameters: call.parameters.unwrap_or_default(),
            }
        }),
        _error => said.error_event.map(failed),
    };
    read.ok_or(UnreadableMessage::Json { line: 1, column: 1 })
}

fn begun(said: Metadata) -> Result<AgentMessage<'static>, UnreadableMessage> {
    let format = |name: &str| {
        let unknown = || UnreadableMessage::Format(cut(name.into(), NAME_MAX).into_owned());
        AudioFormat::from_name(name).ok_or_else(unknown)
    };
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

/// Whether an id can be stored: PostgreSQL stores no NUL in text.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}

/// The text, cut after `TEXT_MAX` bytes.
fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    cut(text, TEXT_MAX)
}

fn cut(text: Cow<'_, str>, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text;
    }
    let kept = text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default();
    Cow::Owned(format!("{kept} [cut]"))
}

#[cfg(test)]
mod tests;
