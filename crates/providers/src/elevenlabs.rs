//! ElevenLabs over its documented HTTP API: voices, outbound calls, conversations, account. Shapes are those of the
//! provider's OpenAPI file; `tests/contract_elevenlabs.rs` holds what is sent against it.

mod account;
mod agent_client_messages;
mod agent_server_message;
mod agent_url;
mod audio_format;
mod audio_head;
mod body;
mod calls;
mod error;
mod error_body;
mod exchange;
mod pages;
mod report;
mod report_wire;
mod settings;
#[cfg(test)]
mod tests;
mod text_to_speech;
mod transcript;
mod voice_sample;
mod voices;

use super::lenient;

pub use account::{AgentDetail, AgentOverrides, Subscription};
pub use agent_client_messages::{
    Initiation, ToolOutcome, contextual_update_text, initiation_text, tool_result_text, write_audio_chunk,
    write_pong,
};
pub use agent_server_message::{AgentMessage, UnreadableMessage, read_agent_message};
pub use agent_url::{AgentUrl, AgentUrlError};
pub use audio_format::AudioFormat;
pub use audio_head::{AudioHead, audio_head, audio_head_of};
pub use body::{Multipart, VARIABLE_CALL, VARIABLE_PURPOSE, add_voice_body, outbound_call_body};
pub use calls::{ConversationList, ConversationSummary, Dialled, OutboundCall, Telephony, VariableValue};
pub use error::{Execution, ProviderError, ProviderErrorKind};
pub use exchange::ElevenLabs;
pub use report::{
    ConversationDetail, ConversationReport, ReportError, ReportSource, Webhook, parse_conversation,
    parse_webhook,
};
pub use settings::{ApiKey, Settings, SettingsError};
pub use text_to_speech::{SPEECH_BYTES_MAX, Speech, speech_body};
pub use transcript::Transcript;
pub use voice_sample::{SampleFormat, VoiceSample};
pub use voices::{AddVoice, VoiceAdded, VoiceDeleted, VoiceList, VoiceSummary, VoiceUse};
