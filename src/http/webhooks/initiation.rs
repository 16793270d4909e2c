//! `POST /webhook/elevenlabs/initiation`: the provider asks which voice an inbound conversation speaks with. Only calls that
//! are transferred have one of their own; to all others the fallback voice is the answer.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_actors::api::InitiationAsked;
use precall_call::{CallId, Purpose, VoiceId};
use precall_providers::elevenlabs::{VARIABLE_CALL, VARIABLE_PURPOSE};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::inbox::{self, About};
use crate::config::Secret;
use crate::http::app_state::AppState;
use crate::http::body_limits::{drain, fits};
use crate::http::error::{Code, Problem};
use crate::http::webhooks::body::{Body, BodyReader, Limits};
use crate::http::webhooks::signed_body::{read, trusted_address};
use crate::http::webhooks::state::WebhookState;
use crate::http::{client_address, response};

/// The provider waits while a telephone rings; its four fields are a few hundred bytes.
const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(5);
/// Longer ones are not remembered, and so a repeated question is not recognised.
const CALL_SID_MAX: usize = 256;

/// A request that brought the secret, and what it asks.
pub(crate) struct Knocked(InitiationAsked, Bytes);

/// The four fields (provider facts, section 3); a call from elsewhere may lack any of them.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    caller_id: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    called_number: Option<String>,
    #[serde(default)]
    call_sid: Option<String>,
}

impl FromRequest for Knocked {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let admitted = knocks(&request, &app);
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
            let wire: Wire = serde_json::from_slice(&body).map_err(|_| Problem::of(Code::BadJson))?;
            let asked = InitiationAsked {
                agent_id: wire.agent_id.unwrap_or_default(),
                called: wire.called_number.unwrap_or_default(),
                caller: wire.caller_id.unwrap_or_default(),
                call_sid: wire.call_sid.filter(|sid| !sid.is_empty() && sid.len() <= CALL_SID_MAX),
            };
            Ok(Self(asked, body))
        }
        .boxed_local()
    }
}

fn knocks(request: &HttpRequest, app: &AppState) -> Result<(), Problem> {
    let settings = &app.settings;
    let secret = settings.initiation_secret.as_ref().ok_or_else(|| Problem::of(Code::NotFound))?;
    trusted_address(request, settings, &settings.elevenlabs)?;
    fits(request, BODY_MAX)?;
    let told = request.headers().get("x-initiation-secret").and_then(|value| value.to_str().ok());
    // `Secret` compares in constant time.
    match told {
        Some(told) if Secret::new(told) == *secret => Ok(()),
        Some(_) | None => Err(Problem::of(Code::SecretWrong)),
    }
}

/// Answers with the voice to speak with.
pub(crate) async fn webhook(
    app: web::Data<AppState>,
    Knocked(asked, body): Knocked,
) -> Result<HttpResponse, Problem> {
    match app.engine.initiation(&asked) {
        Some(found) => {
            // Nothing is promised by the answer, which is waited for while a telephone rings.
            let about = About { kind: "initiation".into(), id: asked.call_sid, at: None };
            let inbox = app.clone();
            actix_web::rt::spawn(async move {
                let _ = inbox.engine.keep_webhook(inbox::read_row(about, "matched", body).await).await;
            });
            let voice = found.voice.as_ref().or(app.settings.fallback_voice.as_ref());
            response::counted("matched", &initiation_data(voice, Some(found.call)))
        }
        None => response::counted("fallback", &initiation_data(app.settings.fallback_voice.as_ref(), None)),
    }
}

/// `conversation_initiation_client_data` as the facts page has it (section 3): what is not set is left out, not null.
fn initiation_data(voice: Option<&VoiceId>, call: Option<CallId>) -> Value {
    let mut data = Map::new();
    let mut variables = Map::new();
    if let Some(call) = call {
        // Both come back with the report, which is how the conversation finds its call.
        variables.insert(VARIABLE_CALL.to_owned(), json!(call.to_string()));
        variables.insert(VARIABLE_PURPOSE.to_owned(), json!(Purpose::Agent.name()));
        data.insert("user_id".to_owned(), json!(call.to_string()));
    }
    data.insert("type".to_owned(), json!("conversation_initiation_client_data"));
    data.insert("dynamic_variables".to_owned(), Value::Object(variables));
    if let Some(voice) = voice {
        let speak = json!({"tts": {"voice_id": voice.as_str()}});
        data.insert("conversation_config_override".to_owned(), speak);
    }
    Value::Object(data)
}
