//! JSON shapes of a report, and their conversion into [`ConversationReport`].

use std::fmt;

use precall_call::{Answered, At, CallId, ConversationId, Grade, HandoffFailure, Purpose, VoiceId};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use uuid::Uuid;

use super::conversation_report::{ConversationReport, ID_BYTES_MAX, ReportError, ReportSource, VoiceEcho};
use super::report_json::{KeptObject, ReportJson};
use super::request_body::{VARIABLE_CALL, VARIABLE_PURPOSE};
use super::transcript::Turns;
use crate::lenient::{Lenient, Scalar, line};

const REASON_CHARS_MAX: usize = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyShape {
    Webhook,
    Fetched,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    #[serde(rename = "type")]
    pub kind: Scalar,
    pub event_timestamp: Scalar,
    pub data: Lenient<Data>,
    // Fields of the flat form.
    call_id: Scalar,
    agent_id: Scalar,
    transcript: Turns,
    duration_seconds: Scalar,
    status: Scalar,
    custom_variables: Lenient<Variables>,
    timestamp: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    agent_id: Scalar,
    conversation_id: Scalar,
    pub status: Scalar,
    user_id: Scalar,
    transcript: Turns,
    metadata: Lenient<Metadata>,
    conversation_initiation_client_data: Lenient<ClientData>,
    failure_reason: Scalar,
    analysis: KeptObject,
}

/// `data` of `answering_machine_detection`, as it came.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DetectionEnvelope {
    pub data: KeptObject,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    start_time_unix_secs: Scalar,
    call_duration_secs: Scalar,
    cost: Scalar,
    cost_fiat: Scalar,
    termination_reason: Scalar,
    error: Lenient<ErrorInfo>,
    phone_call: Lenient<PhoneCall>,
    /// Of `call_initiation_failure`.
    body: Lenient<DialBody>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorInfo {
    reason: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PhoneCall {
    call_result: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DialBody {
    sip_status_code: Scalar,
    error_reason: Scalar,
    #[serde(rename = "SipResponseCode")]
    twilio_sip_code: Scalar,
    #[serde(rename = "CallStatus")]
    twilio_status: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientData {
    user_id: Scalar,
    dynamic_variables: Lenient<Variables>,
    conversation_config_override: Option<Lenient<Overrides>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Overrides {
    tts: Lenient<Speech>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Speech {
    voice_id: Scalar,
}

impl ClientData {
    fn voice_echo(&self) -> VoiceEcho {
        match &self.conversation_config_override {
            None => VoiceEcho::NotShown,
            // What cannot be an id is no voice of ours.
            Some(Lenient(overrides)) => match id(&overrides.tts.0.voice_id, "tts.voice_id") {
                Ok(voice) => VoiceEcho::Voice(VoiceId::new(voice)),
                Err(_) => VoiceEcho::None,
            },
        }
    }
}

/// Our own variables; all others are skipped.
#[derive(Default)]
struct Variables {
    call: Scalar,
    purpose: Scalar,
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VariablesVisitor;
        impl<'de> Visitor<'de> for VariablesVisitor {
            type Value = Variables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Variables, A::Error> {
                let mut found = Variables::default();
                while let Some(name) = object.next_key::<String>()? {
                    match name.as_str() {
                        VARIABLE_CALL => found.call = object.next_value()?,
                        VARIABLE_PURPOSE => found.purpose = object.next_value()?,
                        _ => drop(object.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(VariablesVisitor)
    }
}

impl Data {
    pub(super) fn ids(&self, shape: BodyShape) -> Result<(ConversationId, Option<String>), ReportError> {
        let (conversation, agent) = match shape {
            BodyShape::Webhook => ("data.conversation_id", "data.agent_id"),
            BodyShape::Fetched => ("conversation_id", "agent_id"),
        };
        let conversation = ConversationId::new(id(&self.conversation_id, conversation)?);
        Ok((conversation, Some(id(&self.agent_id, agent)?)))
    }

    pub(super) fn into_report(
        self,
        source: ReportSource,
        at: Option<At>,
        shape: BodyShape,
    ) -> Result<ConversationReport, ReportError> {
        let (conversation, agent_id) = self.ids(shape)?;
        let (our_call, purpose) = self.echoed();
        let metadata = self.metadata.0;
        let call_result = metadata.phone_call.0.call_result.text().unwrap_or_default();
        let voicemail = call_result == "voicemail" || self.transcript.voicemail;
        let transcript = self.transcript.into_transcript();
        // A failed conversation took place if it has a transcript, unless it was with a voicemail box.
        let says_failed =
            self.status.text() == Some("failed") || matches!(call_result, "busy" | "no_answer" | "failed");
        let failed = says_failed && transcript.is_none();
        let failure = (failed && !voicemail).then(|| failure_from_word(call_result));
        let duration = metadata.call_duration_secs.seconds();
        let started_at = timestamp(&metadata.start_time_unix_secs);
        // An error says more about a failure than the reason of the end.
        let (ended, error) = (metadata.termination_reason.text(), metadata.error.0.reason.text());
        let reason = if failed { error.or(ended) } else { ended.or(error) };
        let voice_echo = self.conversation_initiation_client_data.0.voice_echo();
        Ok(ConversationReport {
            source,
            conversation,
            agent_id,
            our_call,
            purpose,
            grade: if failed || voicemail { Grade::Failed } else { Grade::Completed },
            failure,
            ended_at: started_at.zip(duration).map(|(start, length)| start.plus(length)),
            duration,
            transcript,
            started_at,
            event_timestamp: at,
            cost: metadata.cost.integer(),
            cost_usd: metadata.cost_fiat.number(),
            answered: if voicemail { Answered::Voicemail } else { Answered::Unknown },
            analysis: self.analysis.0,
            machine_detection: None,
            termination_reason: reason.map(|reason| line(reason, REASON_CHARS_MAX)),
            voice_echo,
        })
    }

    pub(super) fn into_initiation_failure(self, at: Option<At>) -> Result<ConversationReport, ReportError> {
        let (conversation, agent_id) = self.ids(BodyShape::Webhook)?;
        let (our_call, purpose) = self.echoed();
        let body = self.metadata.0.body.0;
        let reason = self.failure_reason.text().unwrap_or_default();
        let failure = [
            failure_from_word(reason),
            failure_from_word(body.twilio_status.text().unwrap_or_default()),
            failure_from_sip(body.sip_status_code.integer()),
            failure_from_sip(body.twilio_sip_code.integer()),
        ];
        let known = failure.into_iter().find(|failure| *failure != HandoffFailure::Unknown);
        let words = body.error_reason.text().or(self.failure_reason.text());
        Ok(ConversationReport {
            agent_id,
            our_call,
            purpose,
            failure: Some(known.unwrap_or(HandoffFailure::Unknown)),
            event_timestamp: at,
            termination_reason: words.map(|words| line(words, REASON_CHARS_MAX)),
            ..ConversationReport::bare(ReportSource::InitiationFailure, conversation, Grade::Failed)
        })
    }

    /// The result of a voicemail test. It says nothing about the end of the conversation.
    pub(super) fn into_machine_detection(
        self,
        at: Option<At>,
        data: ReportJson,
    ) -> Option<ConversationReport> {
        let conversation = ConversationId::new(id(&self.conversation_id, "data.conversation_id").ok()?);
        // It may be missing; one that cannot be an id is not taken for a missing one.
        let agent_id = match self.agent_id.text() {
            Some(_) => Some(id(&self.agent_id, "data.agent_id").ok()?),
            None => None,
        };
        let (our_call, purpose) = self.echoed();
        let answered = if data.names_a_machine() { Answered::Voicemail } else { Answered::Tested };
        Some(ConversationReport {
            agent_id,
            our_call,
            purpose,
            event_timestamp: at,
            answered,
            machine_detection: Some(data),
            ..ConversationReport::bare(ReportSource::MachineDetection, conversation, Grade::Initiated)
        })
    }

    fn echoed(&self) -> (Option<CallId>, Option<Purpose>) {
        let client_data = &self.conversation_initiation_client_data.0;
        let variables = &client_data.dynamic_variables.0;
        let user_ids = [&self.user_id, &client_data.user_id];
        (our_call(&variables.call, &user_ids), variables.purpose.text().and_then(Purpose::from_name))
    }
}

impl Envelope {
    pub(super) fn into_flat_report(self) -> Result<ConversationReport, ReportError> {
        if self.call_id.text().is_none() {
            // Neither form: name the field that identifies each.
            return Err(ReportError::Missing { field: "type (or call_id of the flat form)" });
        }
        let conversation = ConversationId::new(id(&self.call_id, "call_id")?);
        let agent_id =
            if self.agent_id.text().is_some() { Some(id(&self.agent_id, "agent_id")?) } else { None };
        let variables = self.custom_variables.0;
        let transcript = self.transcript.into_transcript();
        let duration = self.duration_seconds.seconds();
        let word = self.status.text().unwrap_or_default().to_ascii_lowercase();
        let completed = match word.as_str() {
            "completed" | "done" | "success" | "successful" | "ended" => true,
            "" => transcript.is_some() || duration.is_some_and(|length| !length.is_zero()),
            // A failed conversation took place if it has a transcript.
            _ => transcript.is_some(),
        };
        let grade = if completed { Grade::Completed } else { Grade::Failed };
        Ok(ConversationReport {
            agent_id,
            our_call: our_call(&variables.call, &[]),
            purpose: variables.purpose.text().and_then(Purpose::from_name),
            failure: (!completed).then(|| failure_from_word(&word)),
            duration,
            transcript,
            event_timestamp: timestamp(&self.timestamp),
            ..ConversationReport::bare(ReportSource::Flat, conversation, grade)
        })
    }
}

fn our_call(variable: &Scalar, user_ids: &[&Scalar]) -> Option<CallId> {
    let parse = |value: &Scalar| value.text().and_then(|text| Uuid::try_parse(text).ok());
    parse(variable)
        .or_else(|| user_ids.iter().find_map(|user_id| parse(user_id)))
        .map(|id| CallId(id.as_u128()))
}

/// From the words of the provider, of Twilio and of the flat form. For an unknown word the telephone may have rung.
fn failure_from_word(word: &str) -> HandoffFailure {
    match word {
        "busy" => HandoffFailure::Busy,
        "no-answer" | "no_answer" | "missed" | "unanswered" => HandoffFailure::NoAnswer,
        _ => HandoffFailure::Unknown,
    }
}

/// 486 busy here, 600 busy everywhere, 603 declined; 408, 480 and 487: not answered in time.
fn failure_from_sip(code: Option<i64>) -> HandoffFailure {
    match code {
        Some(486 | 600 | 603) => HandoffFailure::Busy,
        Some(408 | 480 | 487) => HandoffFailure::NoAnswer,
        Some(_) | None => HandoffFailure::Unknown,
    }
}

pub(super) fn id(value: &Scalar, field: &'static str) -> Result<String, ReportError> {
    let text = value.text().ok_or(ReportError::Missing { field })?;
    let plausible = text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control);
    if plausible { Ok(text.to_owned()) } else { Err(ReportError::BadId { field }) }
}

/// Seconds since 1970, or RFC 3339.
pub(super) fn timestamp(value: &Scalar) -> Option<At> {
    if let Some(seconds) = value.integer() {
        return seconds.checked_mul(1_000_000).filter(|micros| *micros > 0).map(At);
    }
    let moment: jiff::Timestamp = value.text()?.parse().ok()?;
    Some(At(moment.as_microsecond()))
}
