//! The schema of ElevenLabs' post-call webhooks in the OpenAPI document: the fields that precall reads (provider facts,
//! section 5). The parser is lenient: it ignores other fields, and a field of another type counts as missing. Only the
//! ids are required.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::http::openapi::names::{
    AudioKind, ConversationPurpose, InitiationFailureKind, MachineDetectionKind, TranscriptionKind,
    components, open_list, text_or_number,
};

/// A post-call webhook: one of its types, or the flat form.
pub(super) enum PostCallWebhook {}

impl PartialSchema for PostCallWebhook {
    fn schema() -> RefOr<Schema> {
        let names = [
            TranscriptionWebhook::name(),
            InitiationFailureWebhook::name(),
            MachineDetectionWebhook::name(),
            AudioWebhook::name(),
            OtherWebhook::name(),
            FlatReport::name(),
        ];
        let any =
            names.into_iter().fold(AnyOfBuilder::new(), |any, name| any.item(Ref::from_schema_name(name)));
        any.into()
    }
}

impl ToSchema for PostCallWebhook {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PostCallWebhook")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        add::<TranscriptionWebhook>(schemas);
        add::<InitiationFailureWebhook>(schemas);
        add::<MachineDetectionWebhook>(schemas);
        add::<AudioWebhook>(schemas);
        add::<OtherWebhook>(schemas);
        add::<FlatReport>(schemas);
        add::<ReportTurn>(schemas);
    }
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// A report of a conversation that took place.
#[derive(ToSchema)]
struct TranscriptionWebhook {
    #[schema(rename = "type")]
    kind: TranscriptionKind,
    /// When ElevenLabs made it.
    event_timestamp: Option<ReportTime>,
    data: ReportData,
}

/// A report of a conversation that did not take place.
#[derive(ToSchema)]
struct InitiationFailureWebhook {
    #[schema(rename = "type")]
    kind: InitiationFailureKind,
    /// When ElevenLabs made it.
    event_timestamp: Option<ReportTime>,
    data: InitiationFailureData,
}

/// The result of a test for a voicemail box. Its `data` is stored as it is.
#[derive(ToSchema)]
struct MachineDetectionWebhook {
    #[schema(rename = "type")]
    kind: MachineDetectionKind,
    /// When ElevenLabs made it.
    event_timestamp: Option<ReportTime>,
    data: Option<MachineDetectionData>,
}

/// A recording.
#[derive(ToSchema)]
struct AudioWebhook {
    #[schema(rename = "type")]
    kind: AudioKind,
    /// When ElevenLabs made it.
    event_timestamp: Option<ReportTime>,
    data: AudioData,
}

/// A webhook of another type. It is acknowledged and ignored.
#[derive(ToSchema)]
struct OtherWebhook {
    #[schema(rename = "type")]
    kind: OtherKind,
}

/// The flat form of earlier set-ups: a report without `type`.
#[derive(ToSchema)]
struct FlatReport {
    /// The conversation.
    call_id: ProviderId,
    /// Its agent.
    agent_id: Option<ProviderId>,
    /// What was said.
    transcript: Option<ReportTranscript>,
    /// Its duration.
    duration_seconds: Option<ReportNumber>,
    /// How it ended.
    status: Option<FlatStatus>,
    custom_variables: Option<EchoedVariables>,
    /// When it was made.
    timestamp: Option<ReportTime>,
}

/// A conversation.
#[derive(ToSchema)]
struct ReportData {
    conversation_id: ProviderId,
    agent_id: ProviderId,
    /// How it ended.
    status: Option<ReportStatus>,
    /// precall's id of the call, as it was sent.
    user_id: Option<ReportText>,
    transcript: Option<ReportTranscript>,
    metadata: Option<ReportMetadata>,
    /// Stored as it is.
    #[schema(value_type = Option<Object>)]
    analysis: Option<Value>,
    conversation_initiation_client_data: Option<EchoedClientData>,
}

/// A conversation that did not take place.
#[derive(ToSchema)]
struct InitiationFailureData {
    conversation_id: ProviderId,
    agent_id: ProviderId,
    /// precall's id of the call, as it was sent.
    user_id: Option<ReportText>,
    /// Why.
    failure_reason: Option<FailureReason>,
    metadata: Option<InitiationFailureMetadata>,
    conversation_initiation_client_data: Option<EchoedClientData>,
}

/// A tested conversation. Without `conversation_id` the webhook is ignored.
#[derive(ToSchema)]
struct MachineDetectionData {
    conversation_id: Option<ProviderId>,
    agent_id: Option<ProviderId>,
    /// precall's id of the call, as it was sent.
    user_id: Option<ReportText>,
    conversation_initiation_client_data: Option<EchoedClientData>,
}

/// A recording. With `STORE_RECORDINGS` it is kept.
#[derive(ToSchema)]
struct AudioData {
    conversation_id: ProviderId,
    agent_id: ProviderId,
    /// The recording, in base64.
    full_audio: Option<ReportText>,
}

/// Times, cost and end of a conversation.
#[derive(ToSchema)]
struct ReportMetadata {
    start_time_unix_secs: Option<ReportTime>,
    call_duration_secs: Option<ReportNumber>,
    /// In ElevenLabs' credits.
    cost: Option<ReportNumber>,
    /// In US dollars.
    cost_fiat: Option<ReportNumber>,
    /// At most 500 characters are kept.
    termination_reason: Option<ReportText>,
    error: Option<ReportedError>,
    phone_call: Option<PhoneCall>,
}

/// What went wrong in a conversation.
#[derive(ToSchema)]
struct ReportedError {
    /// At most 500 characters are kept.
    reason: Option<ReportText>,
}

/// The telephone call of a conversation.
#[derive(ToSchema)]
struct PhoneCall {
    /// Who answered, or why nobody did.
    call_result: Option<CallResult>,
}

/// What the telephone network said of a conversation that did not take place.
#[derive(ToSchema)]
struct InitiationFailureMetadata {
    body: Option<InitiationFailureBody>,
}

/// The fields of SIP, or those of Twilio.
#[derive(ToSchema)]
struct InitiationFailureBody {
    /// SIP.
    sip_status_code: Option<ReportNumber>,
    /// SIP. At most 500 characters are kept.
    error_reason: Option<ReportText>,
    /// Twilio.
    #[schema(rename = "SipResponseCode")]
    twilio_sip_code: Option<ReportNumber>,
    /// Twilio.
    #[schema(rename = "CallStatus")]
    twilio_status: Option<TwilioStatus>,
}

/// One turn of a conversation. A turn without text is of tools alone.
#[derive(ToSchema)]
struct ReportTurn {
    role: Option<ReportText>,
    /// What was heard.
    message: Option<ReportText>,
    /// What an agent with several voices said.
    multivoice_message: Option<MultivoiceMessage>,
    /// What was meant to be said before an interruption.
    original_message: Option<ReportText>,
    tool_results: Option<Vec<ToolResult>>,
}

/// What an agent with several voices said in one turn.
#[derive(ToSchema)]
struct MultivoiceMessage {
    parts: Option<Vec<MultivoicePart>>,
}

/// What one voice said.
#[derive(ToSchema)]
struct MultivoicePart {
    text: Option<ReportText>,
}

/// The result of a tool.
#[derive(ToSchema)]
struct ToolResult {
    result: Option<ToolOutcome>,
}

/// The outcome of a tool.
#[derive(ToSchema)]
struct ToolOutcome {
    /// `voicemail_detection_success`: a voicemail box answered.
    result_type: Option<ReportText>,
}

/// What precall sent when the conversation began.
#[derive(ToSchema)]
struct EchoedClientData {
    /// precall's id of the call.
    user_id: Option<ReportText>,
    dynamic_variables: Option<EchoedVariables>,
    conversation_config_override: Option<EchoedOverrides>,
}

/// precall's own variables.
#[derive(ToSchema)]
struct EchoedVariables {
    /// precall's id of the call.
    call_id: Option<ReportText>,
    precall_purpose: Option<ConversationPurpose>,
}

/// The overrides that the conversation took.
#[derive(ToSchema)]
struct EchoedOverrides {
    tts: Option<EchoedSpeech>,
}

/// The override of the voice.
#[derive(ToSchema)]
struct EchoedSpeech {
    voice_id: Option<ReportText>,
}

components! {
    /// An id of ElevenLabs: at most 256 bytes, without control characters.
    ProviderId = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(256))
        .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]+$"));
    /// Any other type than the known ones.
    OtherKind = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).pattern(Some(
        "^(?!(post_call_transcription|call_initiation_failure|answering_machine_detection|post_call_audio)$)",
    ));
    /// A text. A value of another type counts as missing.
    ReportText = ObjectBuilder::new().schema_type(Type::String);
    /// A number, or a number as text. Other values count as missing.
    ReportNumber = text_or_number();
    /// Seconds since 1970 as a number or as text, or RFC 3339. Other values count as missing.
    ReportTime = text_or_number();
    /// Turns, or in the flat form a text.
    ReportTranscript = AnyOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::String))
        .item(ArrayBuilder::new().items(Ref::from_schema_name("ReportTurn")));
    /// `failed` without a transcript: the conversation did not take place. Other words are possible.
    ReportStatus = open_list(&["initiated", "in-progress", "processing", "done", "failed"], None);
    /// Who answered, or why nobody did. Other words are possible.
    CallResult = open_list(&["answered", "voicemail", "busy", "no_answer", "failed"], None);
    /// Why the conversation did not take place. Other words are possible.
    FailureReason = open_list(&["busy", "no-answer", "unknown"], None);
    /// Twilio's status of the call. Other words are possible.
    TwilioStatus = open_list(&["busy", "no-answer"], None);
    /// A word for a conversation that took place, in any case. With another word a conversation without a transcript
    /// did not take place.
    FlatStatus = open_list(&["completed", "done", "success", "successful", "ended"], None);
}
