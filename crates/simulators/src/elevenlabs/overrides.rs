//! The overrides of a conversation, and the agent's flags that allow them: by telephone and by WebSocket alike.
//!
//! Every flag is off until it is switched on. A field that is not allowed ends the conversation with 1008
//! `override_error`; `override_refusal: drop` plays the report that a field was left out without a word.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the client's data has its overrides.
const FIELD: &str = "conversation_config_override";

/// Every field that has a flag (OpenAPI: `ConversationConfigClientOverrideConfig`), by its path.
const FLAGS: [&[&str]; 19] = [
    &["asr", "keywords"],
    &["turn", "soft_timeout_config", "message"],
    &["turn", "soft_timeout_config", "additional_soft_timeout_messages"],
    &["tts", "model_id"],
    &["tts", "voice_id"],
    &["tts", "stability"],
    &["tts", "speed"],
    &["tts", "similarity_boost"],
    &["tts", "pronunciation_dictionary_locators"],
    &["conversation", "text_only"],
    &["conversation", "max_duration_seconds"],
    &["agent", "first_message"],
    &["agent", "language"],
    &["agent", "max_conversation_duration_message"],
    &["agent", "prompt", "prompt"],
    &["agent", "prompt", "llm"],
    &["agent", "prompt", "tool_ids"],
    &["agent", "prompt", "native_mcp_server_ids"],
    &["agent", "prompt", "knowledge_base"],
];

/// Fields of the WebSocket's first message (AsyncAPI) without a flag. Whether the provider takes them is not known;
/// here they are refused like the others, unless `allowed_overrides` names them. By telephone they are unknown fields,
/// which the provider ignores.
const SOCKET_ONLY: [&[&str]; 2] = [&["agent", "native_mcp_server_ids"], &["conversation", "client_events"]];

/// What happens to a field that the agent does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OverrideRefusal {
    /// The conversation ends with 1008 `override_error`; a telephone call fails to start.
    #[default]
    Error,
    /// The field is left out; the report's echo lacks it.
    Drop,
}

/// How the client's data arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Phone,
    Socket,
}

/// The client's data as the agent takes it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Without the fields that were dropped; without any override when they were refused.
    pub data: Map<String, Value>,
    /// Why the conversation does not begin.
    pub refusal: Option<String>,
}

/// Checks each field of the overrides against the fields that the agent allows.
pub(super) fn take(
    mut data: Map<String, Value>,
    allowed: &[String],
    refusal: OverrideRefusal,
    channel: Channel,
) -> Taken {
    let socket_only: &[&[&str]] = match channel {
        Channel::Phone => &[],
        Channel::Socket => &SOCKET_ONLY,
    };
    for path in FLAGS.iter().chain(socket_only) {
        let given = data.get(FIELD).and_then(|given| at(given, path)).is_some_and(|value| !value.is_null());
        if !given || allowed.contains(&path.join(".")) {
            continue;
        }
        match refusal {
            OverrideRefusal::Drop => {
                if let Some(given) = data.get_mut(FIELD) {
                    remove(given, path);
                }
            }
            OverrideRefusal::Error => {
                data.remove(FIELD);
                let name = path.last().unwrap_or(&"");
                let refusal = Some(format!("Override for field '{name}' is not allowed by config."));
                return Taken { data, refusal };
            }
        }
    }
    Taken { data, refusal: None }
}

/// Whether a field can be allowed.
pub(super) fn is_field(name: &str) -> bool {
    FLAGS.iter().chain(&SOCKET_ONLY).any(|path| path.join(".") == name)
}

/// A field of `--allow-override`.
pub(super) fn field(name: &str) -> Result<String, String> {
    let name = name.trim();
    match is_field(name) {
        true => Ok(name.to_owned()),
        false => Err(unknown(name)),
    }
}

/// Says that there is no such field, and which there are.
pub(super) fn unknown(name: &str) -> String {
    let known: Vec<String> = FLAGS.iter().chain(&SOCKET_ONLY).map(|path| path.join(".")).collect();
    format!("there is no override {name:?}; the fields are {}", known.join(", "))
}

/// The flags in the shape of `platform_settings.overrides.conversation_config_override`.
pub(super) fn flags(allowed: &[String]) -> Value {
    let mut shown = Map::new();
    for path in FLAGS {
        set(&mut shown, path, allowed.contains(&path.join(".")));
    }
    Value::Object(shown)
}

fn set(place: &mut Map<String, Value>, path: &[&str], flag: bool) {
    match path {
        [] => {}
        [name] => {
            place.insert((*name).to_owned(), Value::Bool(flag));
        }
        [name, rest @ ..] => {
            let child = place.entry(*name).or_insert_with(|| Value::Object(Map::new()));
            if let Some(child) = child.as_object_mut() {
                set(child, rest, flag);
            }
        }
    }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

/// Removes a field, and the objects that are empty without it.
fn remove(value: &mut Value, path: &[&str]) {
    let (Some(fields), Some((first, rest))) = (value.as_object_mut(), path.split_first()) else { return };
    if let Some(child) = fields.get_mut(*first).filter(|_| !rest.is_empty()) {
        remove(child, rest);
        if child.as_object().is_some_and(|left| !left.is_empty()) {
            return;
        }
    }
    fields.remove(*first);
}
