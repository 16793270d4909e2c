//! `GET /v1/convai/conversation/get-signed-url`. The documentation does not say where the answer has the conversation
//! id that a client may ask for, so it is left out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{Answer, problem};
use super::context::Context;
use super::request::Request;
use super::session::signed_urls::Uses;

/// Signs a URL.
///
/// # Errors
/// 422 in FastAPI's shape when the question is wrong.
pub(super) fn get(context: &Context, request: &Request) -> Result<Answer, Answer> {
    let Some(agent_id) = request.param("agent_id").filter(|id| !id.is_empty()) else {
        let missing = problem(&["query", "agent_id"], "missing", "Field required", Value::Null);
        return Err(Answer::invalid(vec![missing]));
    };
    let uses = match request.param("include_conversation_id").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "no" | "off") => Uses::Many,
        Some("true" | "1" | "yes" | "on") => Uses::Once,
        Some(other) => {
            let message = "Input should be a valid boolean, unable to interpret input";
            let place = ["query", "include_conversation_id"];
            return Err(Answer::invalid(vec![problem(&place, "bool_parsing", message, Value::from(other))]));
        }
    };
    let mut world = context.world();
    if !world.account.has_agent(agent_id) {
        return Err(Answer::agent_not_found(agent_id));
    }
    let valid = Duration::from_millis(world.agent.signed_url_ms);
    let now = Instant::now();
    let signature = world.signed_urls.sign(agent_id, uses, now.checked_add(valid).unwrap_or(now));
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("agent_id", agent_id)
        .append_pair("conversation_signature", &signature)
        .finish();
    let base = match &context.shared.tls_front {
        Some(front) => format!("wss://{front}"),
        None => format!("ws://{}", request.host),
    };
    let url = format!("{base}/v1/convai/conversation?{query}");
    Ok(Answer::ok(json!({"signed_url": url})))
}
