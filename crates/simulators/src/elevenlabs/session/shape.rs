//! The messages that a client may send. The provider ignores a misspelt field; the simulator reports it.
//! A test compares these tables with the provider's AsyncAPI file.

use serde_json::{Map, Value};

/// Most violations reported for one message.
const MOST_COMPLAINTS: usize = 20;

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(in crate::elevenlabs) enum Shape {
    Text,
    Integer,
    Boolean,
    /// A number between both ends, which are included.
    Number(f64, f64),
    /// The one text that it may be: the name of the message.
    Const,
    OneOf(&'static [&'static str]),
    /// A list of at most this many texts.
    Texts(usize),
    /// A list of at least one, each one of these.
    SomeOf(&'static [&'static str]),
    /// An object of any content.
    Anything,
    /// Dynamic variables: an object of plain values (facts page, section 3).
    Variables,
    Object(&'static [Field]),
}

/// Whether a field must be there, and whether it may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::elevenlabs) enum Need {
    Required,
    RequiredOrNull,
    Optional,
    OptionalOrNull,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub(in crate::elevenlabs) struct Field {
    pub name: &'static str,
    pub need: Need,
    pub shape: Shape,
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::Required, shape }
}

const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::Optional, shape }
}

const fn nullable(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::OptionalOrNull, shape }
}

const TYPE: Field = required("type", Shape::Const);

/// Values of `language`.
const LANGUAGES: &[&str] = &[
    "en", "ja", "zh", "de", "hi", "fr", "ko", "pt", "pt-br", "it", "es", "id", "nl", "tr", "pl", "sv", "bg",
    "ro", "ar", "cs", "el", "fi", "ms", "da", "ta", "uk", "ru", "hu", "hr", "sk", "no", "vi", "tl", "af",
    "hy", "as", "az", "be", "bn", "bs", "ca", "et", "gl", "ka", "gu", "ha", "he", "is", "ga", "jv", "kn",
    "kk", "ky", "lv", "lt", "lb", "mk", "ml", "mr", "ne", "ps", "fa", "pa", "sr", "sd", "sl", "so", "sw",
    "te", "th", "ur", "cy",
];

/// Events that can be switched on.
pub(in crate::elevenlabs) const CLIENT_EVENTS: &[&str] = &[
    "audio",
    "agent_response",
    "agent_response_correction",
    "agent_chat_response_part",
    "agent_reasoning_response_part",
    "interruption",
    "user_transcript",
    "tentative_user_transcript",
    "conversation_initiation_metadata",
    "client_tool_call",
    "rich_content",
    "agent_tool_request",
    "agent_tool_response",
    "agent_tool_response_full_payload",
    "mcp_tool_call",
    "mcp_connection_status",
    "vad_score",
    "ping",
    "context_usage",
    "asr_initiation_metadata",
    "guardrail_triggered",
    "internal_turn_probability",
    "internal_tentative_agent_response",
    "agent_typing",
    "external_agent_connected",
    "external_agent_disconnected",
];

const USER_MESSAGE: &[Field] =
    &[TYPE, nullable("text", Shape::Text), optional("rich_content_id", Shape::Text)];

const FILE: &[Field] = &[required("type", Shape::OneOf(&["file_input"])), required("file_id", Shape::Text)];

const AGENT: &[Field] = &[
    nullable("first_message", Shape::Text),
    optional("language", Shape::OneOf(LANGUAGES)),
    optional("prompt", Shape::Object(&[nullable("prompt", Shape::Text), nullable("llm", Shape::Text)])),
    nullable("native_mcp_server_ids", Shape::Texts(10)),
];

const TTS: &[Field] = &[
    nullable("voice_id", Shape::Text),
    nullable("stability", Shape::Number(0.0, 1.0)),
    nullable("speed", Shape::Number(0.7, 5.0)),
    nullable("similarity_boost", Shape::Number(0.0, 1.0)),
];

const OVERRIDE: &[Field] = &[
    optional("agent", Shape::Object(AGENT)),
    optional("asr", Shape::Object(&[nullable("keywords", Shape::Texts(usize::MAX))])),
    optional("tts", Shape::Object(TTS)),
    optional(
        "conversation",
        Shape::Object(&[
            nullable("text_only", Shape::Boolean),
            nullable("client_events", Shape::SomeOf(CLIENT_EVENTS)),
        ]),
    ),
];

const TOOL_MOCKS: &[Field] = &[
    optional("mocking_strategy", Shape::OneOf(&["none", "all", "selected"])),
    optional("mocked_tool_names", Shape::Texts(usize::MAX)),
    optional("fallback_strategy", Shape::OneOf(&["raise_error", "call_real_tool"])),
];

/// Audio, which has no `type`.
pub(in crate::elevenlabs) const AUDIO: &[Field] = &[required("user_audio_chunk", Shape::Text)];

/// The first message of a client.
pub(in crate::elevenlabs) const INITIATION: &str = "conversation_initiation_client_data";

/// Every message that has a `type`, by that.
pub(in crate::elevenlabs) const MESSAGES: &[(&str, &[Field])] = &[
    (
        INITIATION,
        &[
            TYPE,
            optional("conversation_config_override", Shape::Object(OVERRIDE)),
            optional("custom_llm_extra_body", Shape::Anything),
            optional("dynamic_variables", Shape::Variables),
            nullable("user_id", Shape::Text),
            optional(
                "source_info",
                Shape::Object(&[nullable("source", Shape::Text), nullable("version", Shape::Text)]),
            ),
            optional("tool_mock_config", Shape::Object(TOOL_MOCKS)),
        ],
    ),
    ("pong", &[TYPE, required("event_id", Shape::Integer)]),
    ("user_message", USER_MESSAGE),
    ("user_activity", &[TYPE]),
    (
        "feedback",
        &[
            TYPE,
            required("event_id", Shape::Integer),
            Field { name: "score", need: Need::RequiredOrNull, shape: Shape::OneOf(&["like", "dislike"]) },
        ],
    ),
    (
        "client_tool_result",
        &[
            TYPE,
            required("tool_call_id", Shape::Text),
            required("result", Shape::Text),
            required("is_error", Shape::Boolean),
        ],
    ),
    (
        "mcp_tool_approval_result",
        &[TYPE, required("tool_call_id", Shape::Text), required("is_approved", Shape::Boolean)],
    ),
    ("contextual_update", &[TYPE, required("text", Shape::Text), optional("context_id", Shape::Text)]),
    (
        "multimodal_message",
        &[TYPE, nullable("text", Shape::Object(USER_MESSAGE)), nullable("file", Shape::Object(FILE))],
    ),
];

/// What is wrong with an object.
pub(super) fn complaints(fields: &[Field], object: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    check_object(fields, object, "", &mut found);
    found.truncate(MOST_COMPLAINTS);
    found
}

fn check_object(fields: &[Field], object: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for field in fields {
        match (object.get(field.name), field.need) {
            (None, Need::Required | Need::RequiredOrNull) => {
                found.push(format!("{} is missing", at(field.name)));
            }
            (None, Need::Optional | Need::OptionalOrNull)
            | (Some(Value::Null), Need::RequiredOrNull | Need::OptionalOrNull) => {}
            (Some(value), _) => check(field.shape, value, &at(field.name), found),
        }
    }
    for name in object.keys().filter(|name| !fields.iter().any(|field| field.name == *name)) {
        found.push(format!("{} is not known", at(&name.chars().take(64).collect::<String>())));
    }
}

fn check(shape: Shape, value: &Value, path: &str, found: &mut Vec<String>) {
    let expected = match shape {
        Shape::Object(fields) => match value.as_object() {
            Some(object) => return check_object(fields, object, path, found),
            None => "must be an object".to_owned(),
        },
        Shape::Text | Shape::Const if !value.is_string() => "must be a text".to_owned(),
        Shape::Integer if !value.is_i64() && !value.is_u64() => "must be a whole number".to_owned(),
        Shape::Boolean if !value.is_boolean() => "must be true or false".to_owned(),
        Shape::Number(least, most)
            if !value.as_f64().is_some_and(|number| (least..=most).contains(&number)) =>
        {
            format!("must be a number between {least} and {most}")
        }
        Shape::OneOf(names) if !is_one_of(value, names) => format!("must be one of {}", names.join(", ")),
        Shape::Texts(most) if !is_list(value, 0, most, Value::is_string) => {
            "must be a list of texts".to_owned()
        }
        Shape::SomeOf(names) if !is_list(value, 1, usize::MAX, |one| is_one_of(one, names)) => {
            format!("must be a list of some of {}", names.join(", "))
        }
        Shape::Anything if !value.is_object() => "must be an object".to_owned(),
        Shape::Variables => return check_variables(value, path, found),
        Shape::Text
        | Shape::Const
        | Shape::Integer
        | Shape::Boolean
        | Shape::Number(..)
        | Shape::OneOf(_)
        | Shape::Texts(_)
        | Shape::SomeOf(_)
        | Shape::Anything => return,
    };
    found.push(format!("{path} {expected}"));
}

fn is_one_of(value: &Value, names: &[&str]) -> bool {
    value.as_str().is_some_and(|text| names.contains(&text))
}

fn is_list(value: &Value, least: usize, most: usize, is_right: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|list| (least..=most).contains(&list.len()) && list.iter().all(is_right))
}

fn check_variables(value: &Value, path: &str, found: &mut Vec<String>) {
    let Some(variables) = value.as_object() else {
        return found.push(format!("{path} must be an object"));
    };
    for (name, value) in variables {
        let name: String = name.chars().take(64).collect();
        if name.starts_with("system__") {
            found.push(format!("{path}.{name} begins with system__, which is the provider's"));
        }
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            found.push(format!("{path}.{name} must be a text, a number, true or false"));
        }
    }
}
