//! `GET /v1/convai/conversation/get-signed-url`, and what such a URL opens.
//!
//! A signature is valid for 15 minutes, and once only if a conversation id was requested (facts page, section 4). The
//! documentation does not say where the answer has that id, so it is left out.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::elevenlabs::answer::{Answer, problem};
use crate::elevenlabs::context::Context;
use crate::elevenlabs::ids;
use crate::elevenlabs::request::Request;

/// Most signatures that are remembered; the oldest go first.
const CAPACITY: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uses {
    Many,
    Once,
}

#[derive(Debug)]
struct Signed {
    agent_id: String,
    until: Instant,
    uses: Uses,
}

/// The signatures.
#[derive(Debug, Default)]
pub(in crate::elevenlabs) struct SignedUrls {
    by_signature: HashMap<String, Signed>,
    order: VecDeque<String>,
}

impl SignedUrls {
    fn sign(&mut self, agent_id: &str, uses: Uses, until: Instant) -> String {
        if self.order.len() >= CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_signature.remove(&oldest);
        }
        let signature = ids::signature();
        self.order.push_back(signature.clone());
        self.by_signature.insert(signature.clone(), Signed { agent_id: agent_id.to_owned(), until, uses });
        signature
    }

    /// Whether a signature opens a conversation with this agent now; uses it.
    pub(super) fn opens(&mut self, signature: &str, agent_id: &str, now: Instant) -> bool {
        let Some(signed) = self.by_signature.get(signature) else { return false };
        let good = signed.agent_id == agent_id && now < signed.until;
        if good && signed.uses == Uses::Once {
            self.by_signature.remove(signature);
        }
        good
    }
}

/// Signs.
///
/// # Errors
/// 422 in FastAPI's shape when the question is wrong.
pub(in crate::elevenlabs) fn get(context: &Context, request: &Request) -> Result<Answer, Answer> {
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
    let valid = Duration::from_millis(world.agent.signed_url_ms);
    let now = Instant::now();
    let signature = world.signed_urls.sign(agent_id, uses, now.checked_add(valid).unwrap_or(now));
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("agent_id", agent_id)
        .append_pair("conversation_signature", &signature)
        .finish();
    let url = format!("ws://{}/v1/convai/conversation?{query}", request.host);
    Ok(Answer::ok(json!({"signed_url": url})))
}
