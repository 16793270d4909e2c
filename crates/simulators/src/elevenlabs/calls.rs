//! Outbound calls: `POST /v1/convai/sip-trunk/outbound-call` and `POST /v1/convai/twilio/outbound-call`.

use std::sync::Arc;

use actix_web::web::Data;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::context::Context;
use super::conversation::{AGENT_NUMBER, Carrier, Direction, NewConversation, Telephony};
use super::faults::{CallFate, Fates};
use super::overrides::{Channel, Taken};
use super::request::{Problems, Request};
use super::{ids, lifecycle};

/// Values of `source_info.source` (OpenAPI: `ConversationInitiationSource`).
const SOURCES: [&str; 27] = [
    "unknown",
    "android_sdk",
    "node_js_sdk",
    "react_native_sdk",
    "react_sdk",
    "js_sdk",
    "python_sdk",
    "widget",
    "sip_trunk",
    "twilio",
    "exotel",
    "genesys",
    "avaya",
    "audiocodes",
    "swift_sdk",
    "whatsapp",
    "twilio_sms",
    "flutter_sdk",
    "zendesk_integration",
    "slack_integration",
    "telegram_integration",
    "intercom_integration",
    "freshdesk_integration",
    "salesforce_integration",
    "template_preview",
    "genesys_bot_connector",
    "subagent_tool",
];

/// Dials. The answer says that the call was placed; conversation and webhook say how it ended.
pub(super) fn dial(
    context: &Data<Context>,
    telephony: Telephony,
    request: &Request,
    mut fates: Fates,
) -> Result<Answer, Answer> {
    let body = request.object()?;
    let mut problems = Problems::default();
    let agent_id = problems.required_string(body, "agent_id");
    let phone_number_id = problems.required_string(body, "agent_phone_number_id");
    let to_number = problems.required_string(body, "to_number");
    let client_data = client_data(body, &mut problems);
    check_ringing(body, &mut problems);
    problems.finish()?;

    let call_sid = match telephony {
        Telephony::SipTrunk => ids::sip_call(),
        Telephony::Twilio => ids::twilio_call(),
    };
    let mut world = context.world();
    if !world.account.has_agent(&agent_id) {
        return Err(Answer::agent_not_found(&agent_id));
    }
    if world.account.phone_number(&phone_number_id).is_none() {
        return Err(Answer::phone_number_not_found(&phone_number_id));
    }
    if fates.call.is_none() && world.conversations.line_is_busy(&to_number) {
        fates.call = Some(CallFate::Busy);
    }
    let Taken { data: client_data, refusal } = world.agent.takes(client_data, Channel::Phone);
    let about = NewConversation {
        agent_id,
        phone_number_id,
        carrier: Carrier::Phone(telephony),
        direction: Direction::Outbound,
        external_number: to_number,
        agent_number: AGENT_NUMBER.to_owned(),
        call_sid: call_sid.clone(),
        client_data,
        holds_line: fates.call.is_none(),
        report: Arc::clone(&world.agent.report),
    };
    let begun = world.conversations.begin(about, Timestamp::now());
    let Ok(conversation_id) = begun.map(|conversation| conversation.id.clone()) else {
        return Err(Answer::error(429, "concurrent_limit_exceeded", "Too many concurrent conversations."));
    };
    drop(world);
    actix_web::rt::spawn(lifecycle::conduct(context.clone(), conversation_id.clone(), fates, refusal));
    Ok(Answer::ok(match telephony {
        Telephony::SipTrunk => json!({
            "success": true,
            "message": "Outbound call initiated",
            "conversation_id": conversation_id,
            "sip_call_id": call_sid,
        }),
        Telephony::Twilio => json!({
            "success": true,
            "message": "Outbound call initiated",
            "conversation_id": conversation_id,
            "callSid": call_sid,
        }),
    }))
}

fn client_data(body: &Map<String, Value>, problems: &mut Problems) -> Map<String, Value> {
    let data = match body.get("conversation_initiation_client_data") {
        None | Some(Value::Null) => return Map::new(),
        Some(Value::Object(data)) => data,
        Some(other) => {
            problems.push(
                &["body", "conversation_initiation_client_data"],
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
                other.clone(),
            );
            return Map::new();
        }
    };
    check_client_data(data, problems);
    data.clone()
}

/// Types of the fields that precall sends. The provider ignores unknown fields.
fn check_client_data(data: &Map<String, Value>, problems: &mut Problems) {
    let text = |value: &Value| value.is_string() || value.is_null();
    let object = |value: &Value| value.is_object();
    let number = |value: &Value| value.is_number() || value.is_null();
    let integer = |value: &Value| value.is_i64() || value.is_u64() || value.is_null();
    let optional_object = |value: &Value| value.is_object() || value.is_null();
    let source =
        |value: &Value| value.is_null() || value.as_str().is_some_and(|name| SOURCES.contains(&name));
    let version = |value: &Value| {
        value.is_null() || value.as_str().is_some_and(|version| version.chars().count() <= 50)
    };
    let variables = |value: &Value| {
        value.as_object().is_some_and(|all| all.values().all(|one| !one.is_array() && !one.is_object()))
    };
    type Check<'a> = (&'a [&'a str], &'a dyn Fn(&Value) -> bool, &'a str, &'a str);
    let checks: [Check<'_>; 16] = [
        (&["user_id"], &text, "string_type", "Input should be a valid string"),
        (
            &["dynamic_variables"],
            &variables,
            "dict_type",
            "Input should be a valid dictionary of plain values",
        ),
        (&["source_info"], &object, "dict_type", "Input should be a valid dictionary"),
        (&["source_info", "source"], &source, "enum", "Input should be a known source"),
        (
            &["source_info", "version"],
            &version,
            "string_too_long",
            "String should have at most 50 characters",
        ),
        (&["conversation_config_override"], &object, "dict_type", "Input should be a valid dictionary"),
        (
            &["conversation_config_override", "tts"],
            &optional_object,
            "dict_type",
            "Input should be a valid dictionary",
        ),
        (
            &["conversation_config_override", "tts", "voice_id"],
            &text,
            "string_type",
            "Input should be a valid string",
        ),
        (
            &["conversation_config_override", "tts", "stability"],
            &number,
            "float_type",
            "Input should be a valid number",
        ),
        (
            &["conversation_config_override", "tts", "speed"],
            &number,
            "float_type",
            "Input should be a valid number",
        ),
        (
            &["conversation_config_override", "agent"],
            &optional_object,
            "dict_type",
            "Input should be a valid dictionary",
        ),
        (
            &["conversation_config_override", "agent", "first_message"],
            &text,
            "string_type",
            "Input should be a valid string",
        ),
        (
            &["conversation_config_override", "agent", "language"],
            &text,
            "string_type",
            "Input should be a valid string",
        ),
        (
            &["conversation_config_override", "agent", "prompt"],
            &optional_object,
            "dict_type",
            "Input should be a valid dictionary",
        ),
        (
            &["conversation_config_override", "conversation"],
            &optional_object,
            "dict_type",
            "Input should be a valid dictionary",
        ),
        (
            &["conversation_config_override", "conversation", "max_duration_seconds"],
            &integer,
            "int_type",
            "Input should be a valid integer",
        ),
    ];
    for (path, is_right, kind, message) in checks {
        let Some(value) = at(data, path) else { continue };
        if !is_right(value) {
            let mut loc = vec!["body", "conversation_initiation_client_data"];
            loc.extend_from_slice(path);
            problems.push(&loc, kind, message, value.clone());
        }
    }
}

fn at<'a>(data: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let mut value = data.get(*first)?;
    for name in rest {
        value = value.get(*name)?;
    }
    Some(value)
}

fn check_ringing(body: &Map<String, Value>, problems: &mut Problems) {
    let Some(seconds) = at(body, &["telephony_call_config", "ringing_timeout_secs"]) else { return };
    if !seconds.as_i64().is_some_and(|seconds| (1..=999).contains(&seconds)) {
        problems.push(
            &["body", "telephony_call_config", "ringing_timeout_secs"],
            "int_range",
            "Input should be a valid integer between 1 and 999",
            seconds.clone(),
        );
    }
}
