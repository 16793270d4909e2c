//! Makes JSON values storable: `jsonb` and `text` take every character but NUL.
//!
//! Texts come from phones, PBXs, agents and error messages. One character must not keep an event out of its log.
//!
//! Pure: the same value gives the same value.

use std::borrow::Cow;

use serde_json::Value;

/// The same value, with the replacement character for each NUL.
pub(crate) fn storable(value: &Value) -> Cow<'_, Value> {
    if has_nul(value) { Cow::Owned(replaced(value.clone())) } else { Cow::Borrowed(value) }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, item)| name.contains('\0') || has_nul(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn replaced(value: Value) -> Value {
    let text = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(words) => Value::String(text(words)),
        Value::Array(items) => Value::Array(items.into_iter().map(replaced).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, item)| (text(name), replaced(item))).collect())
        }
        other => other,
    }
}
