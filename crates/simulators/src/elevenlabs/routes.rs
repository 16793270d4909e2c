//! Which endpoint a request is for, who may use it, and what it answers.

use actix_web::web::Data;
use subtle::ConstantTimeEq;

use super::answer::Answer;
use super::context::Context;
use super::conversation::Telephony;
use super::faults::Fates;
use super::request::Request;
use super::speech::{self, Delivery};
use super::{
    agent_endpoint, calls, conversation_endpoints, lifecycle, signed_url_endpoint, voice_endpoints,
    workspace_endpoints,
};

/// One endpoint of the provider, with the id in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    AddVoice,
    GetVoice(&'a str),
    DeleteVoice(&'a str),
    SearchVoices,
    Subscription,
    Webhooks,
    Settings,
    PhoneNumbers,
    PhoneNumber(&'a str),
    Dial(Telephony),
    SearchConversations,
    GetConversation(&'a str),
    DeleteConversation(&'a str),
    ConversationAudio(&'a str),
    GetAgent(&'a str),
    SignUrl,
    Speak(&'a str, Delivery),
}

fn endpoint<'a>(method: &str, path: &'a str) -> Result<Endpoint<'a>, Answer> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(Answer::plain(404, "Not Found"));
    }
    let (allowed, found) = match segments.as_slice() {
        ["v1", "voices", "add"] => ("POST", vec![("POST", Endpoint::AddVoice)]),
        ["v1", "voices", id] => {
            ("GET, DELETE", vec![("GET", Endpoint::GetVoice(id)), ("DELETE", Endpoint::DeleteVoice(id))])
        }
        ["v2", "voices"] => ("GET", vec![("GET", Endpoint::SearchVoices)]),
        ["v1", "user", "subscription"] => ("GET", vec![("GET", Endpoint::Subscription)]),
        ["v1", "workspace", "webhooks"] => ("GET", vec![("GET", Endpoint::Webhooks)]),
        ["v1", "convai", "settings"] => ("GET", vec![("GET", Endpoint::Settings)]),
        ["v1", "convai", "phone-numbers"] => ("GET", vec![("GET", Endpoint::PhoneNumbers)]),
        ["v1", "convai", "phone-numbers", id] => ("GET", vec![("GET", Endpoint::PhoneNumber(id))]),
        ["v1", "convai", "sip-trunk", "outbound-call"] => {
            ("POST", vec![("POST", Endpoint::Dial(Telephony::SipTrunk))])
        }
        ["v1", "convai", "twilio", "outbound-call"] => {
            ("POST", vec![("POST", Endpoint::Dial(Telephony::Twilio))])
        }
        ["v1", "convai", "conversations"] => ("GET", vec![("GET", Endpoint::SearchConversations)]),
        ["v1", "convai", "conversations", id] => (
            "GET, DELETE",
            vec![("GET", Endpoint::GetConversation(id)), ("DELETE", Endpoint::DeleteConversation(id))],
        ),
        ["v1", "convai", "conversations", id, "audio"] => {
            ("GET", vec![("GET", Endpoint::ConversationAudio(id))])
        }
        ["v1", "convai", "conversation", "get-signed-url"] => ("GET", vec![("GET", Endpoint::SignUrl)]),
        ["v1", "convai", "agents", id] => ("GET", vec![("GET", Endpoint::GetAgent(id))]),
        ["v1", "text-to-speech", id] => ("POST", vec![("POST", Endpoint::Speak(id, Delivery::Whole))]),
        ["v1", "text-to-speech", id, "stream"] => {
            ("POST", vec![("POST", Endpoint::Speak(id, Delivery::Chunked))])
        }
        _ => return Err(Answer::plain(404, "Not Found")),
    };
    let right = found.into_iter().find(|(wanted, _)| *wanted == method).map(|(_, endpoint)| endpoint);
    right.ok_or_else(|| Answer::plain(405, "Method Not Allowed").with_header("allow", allowed))
}

/// Answers one request of the provider's API.
pub(super) async fn answer(context: &Data<Context>, request: &Request, fates: Fates) -> Answer {
    serve(context, request, fates).await.unwrap_or_else(|refused| refused)
}

async fn serve(context: &Data<Context>, request: &Request, fates: Fates) -> Result<Answer, Answer> {
    let endpoint = endpoint(&request.method, &request.path)?;
    check_key(context, request.api_key.as_deref())?;
    match endpoint {
        Endpoint::AddVoice => voice_endpoints::add(context, request).await,
        Endpoint::GetVoice(id) => Ok(voice_endpoints::get(context, id)),
        Endpoint::DeleteVoice(id) => {
            let answer = voice_endpoints::delete(context, id);
            lifecycle::voice_deleted(context, id);
            Ok(answer)
        }
        Endpoint::SearchVoices => voice_endpoints::search(context, request),
        Endpoint::Subscription => Ok(workspace_endpoints::subscription(context)),
        Endpoint::Webhooks => Ok(workspace_endpoints::webhooks(context)),
        Endpoint::Settings => Ok(workspace_endpoints::settings(context)),
        Endpoint::PhoneNumbers => Ok(workspace_endpoints::phone_numbers(context, request)),
        Endpoint::PhoneNumber(id) => Ok(workspace_endpoints::phone_number(context, id)),
        Endpoint::Dial(telephony) => calls::dial(context, telephony, request, fates),
        Endpoint::SearchConversations => conversation_endpoints::search(context, request),
        Endpoint::GetConversation(id) => Ok(conversation_endpoints::get(context, id, request)),
        Endpoint::DeleteConversation(id) => Ok(conversation_endpoints::delete(context, id)),
        Endpoint::ConversationAudio(id) => Ok(conversation_endpoints::audio(context, id)),
        Endpoint::GetAgent(id) => agent_endpoint::get(context, id),
        Endpoint::SignUrl => signed_url_endpoint::get(context, request),
        Endpoint::Speak(id, delivery) => speech::speak(context, id, request, delivery),
    }
}

/// A wrong key in the right form is answered with 400, any other with 401 (facts page, section 1).
fn check_key(context: &Context, given: Option<&str>) -> Result<(), Answer> {
    let Some(key) = context.shared.world().api_key.clone() else { return Ok(()) };
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Err(Answer::error(
            401,
            "missing_api_key",
            "Please provide an API key in the xi-api-key header.",
        ));
    };
    if bool::from(given.as_bytes().ct_eq(key.expose().as_bytes())) {
        return Ok(());
    }
    if is_hex_shaped(given) {
        return Err(Answer::error(400, "invalid_api_key", "Invalid API key"));
    }
    Err(Answer::error(401, "unauthorized", "Invalid API key"))
}

/// The provider's keys are `sk_` and hex digits, older ones hex digits alone.
fn is_hex_shaped(key: &str) -> bool {
    let digits = key.strip_prefix("sk_").unwrap_or(key);
    digits.len() >= 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
