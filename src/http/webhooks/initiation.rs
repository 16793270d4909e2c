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
use precall_providers::elevenlabs::{VARIABLE_CALL, VARIABLE_PURPOSE};
use precall_providers::trace_context::TRACEPARENT;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::inbox::{self, About};
use crate::config::Secret;
use crate::http::app_state::AppState;
use crate::http::body_limits::{drain, fits};
use crate::http::error::{Code, Problem};
use crate::http::secret_uses::{Webhook, Which};
use crate::http::webhooks::body::{Body, BodyReader, Limits};
use crate::http::webhooks::signed_body::{read, trusted_address};
use crate::http::webhooks::state::WebhookState;
use crate::http::{client_address, response};

/// Bytes. The four fields need a few hundred.
const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(5);
/// A longer id is not kept, so a repeated request is not recognised.
const CALL_SID_MAX: usize = 256;

/// Variable with what was said before, for an agent that goes on with a conversation. Its prompt may name it.
const VARIABLE_EARLIER: &str = "earlier_conversation";

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
            let admitted = check_request(&request, &app);
            if let Err(problem) = admitted {
                drain(&request, &mut payload).await;
                return Err(problem);
            }
            let reader = BodyReader::new(
                Limits::plain(BODY_MAX),
                None,
                WebhookState::of(&request)?.body_room.share(client_address::address(&request, &app.settings)),
            );
            let body = read(&mut payload, reader, None, BODY_TIME).await?;
            let Body::Whole(body) = body else { return Err(Problem::of(Code::BadJson)) };
            Ok(Self(parse(&body)?, body))
        }
        .boxed_local()
    }
}

/// Parses a body.
///
/// # Errors
/// `bad_json`.
pub(crate) fn parse(body: &[u8]) -> Result<InitiationAsked, Problem> {
    let wire: Wire = serde_json::from_slice(without_mark(body)).map_err(|_| Problem::of(Code::BadJson))?;
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
    let settings = &app.settings;
    let secret = settings.initiation_secret.as_ref().ok_or_else(|| Problem::of(Code::NotFound))?;
    trusted_address(request, settings, &settings.elevenlabs)?;
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

/// Answers with the voice of the conversation.
#[utoipa::path(
    post, path = "/webhook/elevenlabs/initiation", tag = "webhooks",
    params(("X-Initiation-Secret" = String, Header, description = "INITIATION_SECRET")),
    request_body = Wire,
    responses(
        (status = 200, body = Object, description = "`conversation_initiation_client_data` of ElevenLabs"),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn webhook(
    app: web::Data<AppState>,
    InitiationRequest(asked, body): InitiationRequest,
) -> Result<HttpResponse, Problem> {
    let answer = app.engine.initiation(&asked);
    let voice =
        answer.voice.as_ref().or(app.settings.fallback_voice.as_ref()).filter(|_| answer.may_set_voice);
    let data = initiation_data(&answer, voice);
    match answer.call {
        Some(_) => {
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
fn initiation_data(answer: &InitiationAnswer, voice: Option<&VoiceId>) -> Value {
    let mut data = Map::new();
    let mut variables = Map::new();
    if let Some(call) = answer.call {
        // Both come back with the report, and link the conversation to its call.
        variables.insert(VARIABLE_CALL.to_owned(), json!(call.to_string()));
        variables.insert(VARIABLE_PURPOSE.to_owned(), json!(Purpose::Agent.name()));
        data.insert("user_id".to_owned(), json!(call.to_string()));
    }
    if let Some(trace) = answer.trace {
        variables.insert(TRACEPARENT.to_owned(), json!(trace.to_string()));
    }
    if let Some(earlier) = &answer.earlier {
        variables.insert(VARIABLE_EARLIER.to_owned(), json!(earlier));
    }
    data.insert("type".to_owned(), json!("conversation_initiation_client_data"));
    data.insert("dynamic_variables".to_owned(), Value::Object(variables));
    let mut overrides = Map::new();
    if let Some(voice) = voice {
        overrides.insert("tts".to_owned(), json!({ "voice_id": voice.as_str() }));
    }
    if answer.without_greeting {
        overrides.insert("agent".to_owned(), json!({ "first_message": "" }));
    }
    if !overrides.is_empty() {
        data.insert("conversation_config_override".to_owned(), Value::Object(overrides));
    }
    Value::Object(data)
}
