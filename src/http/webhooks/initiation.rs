//! `POST /webhook/elevenlabs/initiation`: ElevenLabs asks for the voice of an inbound conversation. A transferred call
//! has its own voice; every other conversation gets the fallback voice.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_actors::api::{InitiationAnswer, InitiationAsked};
use precall_base::invisible::without_mark;
use precall_call::{Purpose, VoiceId};
use precall_providers::wire_record::WireLine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::inbox::{self, About};
use super::unsigned_body::read_unsigned;
use crate::config::Secret;
use crate::http::app_state::AppState;
use crate::http::body_limits::fits;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{ConversationPurpose, InitiationKind};
use crate::http::openapi::problems::{WEBHOOK, problems};
use crate::http::response;
use crate::http::secret_uses::{Webhook, Which};
use crate::http::webhooks::body::Limits;
use crate::http::webhooks::signed_body::trusted_address;

/// Bytes. The four fields need a few hundred.
const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(5);
/// A longer id is not kept, so a repeated request is not recognised.
const CALL_SID_MAX: usize = 256;

/// A request with the right secret: what it asks, and its body.
pub(crate) struct InitiationRequest(InitiationAsked, Bytes);

/// What ElevenLabs says of an inbound conversation (provider facts, section 3). Each field may be missing.
#[derive(Deserialize, ToSchema)]
#[schema(as = InitiationBody)]
pub(crate) struct Wire {
    /// The caller's number.
    #[serde(default)]
    caller_id: Option<String>,
    /// The agent that was called.
    #[serde(default)]
    agent_id: Option<String>,
    /// The number that was called.
    #[serde(default)]
    called_number: Option<String>,
    /// ElevenLabs' id of the telephone call.
    #[serde(default)]
    call_sid: Option<String>,
}

impl FromRequest for InitiationRequest {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let (admitted, limits) = (check_request(&request, &app), Limits::plain(BODY_MAX));
            let body =
                read_unsigned(&request, &mut payload, &app, admitted, limits, BODY_TIME).await?.whole()?;
            Ok(Self(parse(&body)?, body))
        }
        .boxed_local()
    }
}

/// Parses a body. A list would be read as the fields in their order.
///
/// # Errors
/// `bad_json`.
pub(crate) fn parse(body: &[u8]) -> Result<InitiationAsked, Problem> {
    let json = without_mark(body);
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::new(Code::BadJson, "the body is not a JSON object"));
    }
    let wire: Wire = serde_json::from_slice(json).map_err(|_| Problem::of(Code::BadJson))?;
    Ok(InitiationAsked {
        agent_id: wire.agent_id.unwrap_or_default(),
        called: wire.called_number.unwrap_or_default(),
        caller: wire.caller_id.unwrap_or_default(),
        call_sid: wire.call_sid.filter(|sid| is_storable(sid)),
    })
}

/// PostgreSQL stores no NUL in text.
fn is_storable(sid: &str) -> bool {
    !sid.is_empty() && sid.len() <= CALL_SID_MAX && !sid.chars().any(char::is_control)
}

fn check_request(request: &HttpRequest, app: &AppState) -> Result<(), Problem> {
    let settings = app.settings();
    let secret = settings.initiation_secret.as_ref().ok_or_else(|| Problem::of(Code::NotFound))?;
    trusted_address(request, &settings, &settings.elevenlabs)?;
    fits(request, BODY_MAX)?;
    let sent = request.headers().get("x-initiation-secret").and_then(|value| value.to_str().ok());
    let sent = Secret::new(sent.unwrap_or_default());
    // `Secret` compares in constant time. None of the two is empty.
    let which = match (sent == *secret, settings.initiation_secret_previous.as_ref() == Some(&sent)) {
        (true, _) => Which::Current,
        (false, true) => Which::Previous,
        (false, false) => return Err(Problem::of(Code::SecretWrong)),
    };
    app.secret_uses.used(Webhook::Initiation, which);
    Ok(())
}

problems!(Problems: WEBHOOK, &[Code::SecretWrong, Code::NotFound]);

/// Answers with the voice of the conversation.
#[utoipa::path(
    post, path = "/webhook/elevenlabs/initiation", tag = "webhooks",
    request_body(content = Wire, content_type = "application/json", description = "Any content type is taken"),
    security(("initiation_secret" = [])),
    responses(
        (status = 200, body = InitiationData, description = "`conversation_initiation_client_data` of ElevenLabs"),
        Problems,
    ),
)]
pub(crate) async fn webhook(
    app: web::Data<AppState>,
    InitiationRequest(asked, body): InitiationRequest,
) -> Result<HttpResponse, Problem> {
    let answer = app.engine.initiation(&asked);
    let settings = app.settings();
    let voice = answer.voice.as_ref().or(settings.fallback_voice.as_ref()).filter(|_| answer.may_set_voice);
    let data = initiation_data(&answer, voice);
    match answer.call {
        Some(call) => {
            let line = WireLine::received("elevenlabs", "POST /webhook/elevenlabs/initiation", &body);
            app.engine.wire().take(call, line);
            // Stored after the answer: the caller's telephone rings meanwhile, and the answer does not depend on it.
            let about = About { kind: "initiation".into(), id: asked.call_sid, at: None };
            let inbox = app.clone();
            actix_web::rt::spawn(async move {
                let _ = inbox.engine.keep_webhook(inbox::read_row(about, "matched", body).await).await;
            });
            response::counted("matched", &data)
        }
        None => response::counted("fallback", &data),
    }
}

/// `conversation_initiation_client_data` (provider facts, section 3). Unset fields are left out, not null.
#[derive(Serialize, ToSchema)]
pub(crate) struct InitiationData<'a> {
    #[serde(rename = "type")]
    #[schema(rename = "type", value_type = InitiationKind)]
    kind: &'static str,
    /// precall's id of the call; it comes back with the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<String>,
    dynamic_variables: InitiationVariables<'a>,
    /// Left out if nothing is overridden.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_config_override: Option<InitiationOverrides<'a>>,
}

/// Variables of the conversation. The first two come back with the report, and link the conversation to its call.
#[derive(Serialize, ToSchema)]
pub(crate) struct InitiationVariables<'a> {
    /// precall's id of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    call_id: Option<String>,
    /// What the conversation is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ConversationPurpose>)]
    precall_purpose: Option<&'static str>,
    /// The trace of the conversation (W3C Trace Context), if the call is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// What was said before, for an agent that goes on with a conversation. Its prompt may name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_conversation: Option<&'a str>,
}

/// What differs from the agent's own settings.
#[derive(Serialize, ToSchema)]
pub(crate) struct InitiationOverrides<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tts: Option<InitiationSpeech<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<InitiationAgent>,
}

/// The voice.
#[derive(Serialize, ToSchema)]
pub(crate) struct InitiationSpeech<'a> {
    /// Id at ElevenLabs.
    voice_id: &'a str,
}

/// The first words.
#[derive(Serialize, ToSchema)]
pub(crate) struct InitiationAgent {
    /// Empty: the caller was greeted before.
    #[schema(max_length = 0)]
    first_message: &'static str,
}

fn initiation_data<'a>(answer: &'a InitiationAnswer, voice: Option<&'a VoiceId>) -> InitiationData<'a> {
    let call = answer.call.map(|call| call.to_string());
    let overrides = InitiationOverrides {
        tts: voice.map(|voice| InitiationSpeech { voice_id: voice.as_str() }),
        agent: answer.without_greeting.then_some(InitiationAgent { first_message: "" }),
    };
    let overrides_anything = overrides.tts.is_some() || overrides.agent.is_some();
    InitiationData {
        kind: "conversation_initiation_client_data",
        user_id: call.clone(),
        dynamic_variables: InitiationVariables {
            precall_purpose: call.as_ref().map(|_| Purpose::Agent.name()),
            call_id: call,
            traceparent: answer.trace.map(|trace| trace.to_string()),
            earlier_conversation: answer.earlier.as_deref(),
        },
        conversation_config_override: overrides_anything.then_some(overrides),
    }
}

#[cfg(test)]
mod tests {
    use precall_call::CallId;
    use precall_providers::elevenlabs::{VARIABLE_CALL, VARIABLE_PURPOSE};
    use precall_providers::trace_context::{TRACEPARENT, TraceParent, TracedPart};

    use super::*;

    #[test]
    fn the_variables_have_the_names_that_reports_are_searched_for() {
        let trace = TraceParent::sampled(CallId(7), TracedPart::Conversation(1));
        let answer =
            InitiationAnswer { call: Some(CallId(7)), trace: Some(trace), ..InitiationAnswer::UNKNOWN };
        let data = serde_json::to_value(initiation_data(&answer, None)).unwrap_or_default();
        let variables = data.get("dynamic_variables").cloned().unwrap_or_default();
        let call = CallId(7).to_string();
        let trace = trace.to_string();
        assert_eq!(
            variables,
            serde_json::json!({ VARIABLE_CALL: call, VARIABLE_PURPOSE: "agent", TRACEPARENT: trace })
        );
    }
}
