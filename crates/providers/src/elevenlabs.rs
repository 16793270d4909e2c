//! Client of the documented ElevenLabs HTTP API: voices, outbound calls, conversations, account. The request bodies
//! follow the provider's OpenAPI file; `tests/contract_elevenlabs.rs` checks them against it.

mod account;
mod agent_client_messages;
mod agent_server_message;
mod agent_url;
mod audio_format;
mod audio_head;
mod calls;
mod client;
mod conversation_report;
mod error;
mod error_body;
mod override_refusal;
mod pages;
mod report_json;
mod report_parser;
mod report_wire;
mod request_body;
mod requests;
mod settings;
#[cfg(test)]
mod test_server;
mod text_to_speech;
mod transcript;
mod voice_sample;
mod voices;
mod workspace;

pub use crate::http_exchange::Permit;
pub use account::{AgentDetail, AgentOverrides, Subscription};
pub use agent_client_messages::{
    Initiation, ToolOutcome, contextual_update_text, initiation_text, tool_result_text, user_message_text,
    write_audio_chunk, write_pong,
};
pub use agent_server_message::{AgentMessage, UnreadableMessage, read_agent_message};
pub use agent_url::{AgentUrl, AgentUrlError};
pub use audio_format::AudioFormat;
pub use audio_head::{AudioHead, audio_head, audio_head_of};
pub use calls::{ConversationList, ConversationSummary, Dialled};
pub use client::ElevenLabs;
pub use conversation_report::{ConversationReport, ReportError, ReportSource, VoiceEcho};
pub use error::{Execution, ProviderError, ProviderErrorKind};
pub use override_refusal::{refused_field, refuses_override};
pub use report_json::ReportJson;
pub use report_parser::{ConversationDetail, Webhook, parse_conversation, parse_webhook};
pub use request_body::{Multipart, VARIABLE_CALL, VARIABLE_PURPOSE, add_voice_body, outbound_call_body};
pub use requests::{AddVoice, ConversationTrace, OutboundCall, Telephony, VariableValue};
pub use settings::{ApiKey, Settings, SettingsError};
pub use text_to_speech::{Speech, speech_body};
pub use transcript::Transcript;
pub use voice_sample::{SampleFormat, VoiceSample};
pub use voices::{VoiceAdded, VoiceDeleted, VoiceList, VoiceSummary, VoiceUse};
pub use workspace::{AgentWebhooks, PhoneNumber, WorkspaceWebhook};
