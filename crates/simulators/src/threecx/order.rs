//! The body of an action, read as leniently as the PBX reads it: keys in any case (facts page, section 1.2).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use crate::shared::body::Body;

/// The parameters of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub destination: Option<String>,
    pub timeout: Option<Duration>,
    /// Only keys that begin with `public_`: the core keeps no others.
    pub attached: BTreeMap<String, String>,
}

impl Order {
    /// Reads a body; an empty one asks for nothing.
    ///
    /// # Errors
    /// 400 when it is no JSON object, 413 when it is too large.
    pub fn of(body: &Body) -> Result<Self, Answer> {
        match body {
            Body::Empty => Ok(Self::default()),
            Body::Json(value) => Self::of_json(value),
            Body::Text(text) => match serde_json::from_str(text) {
                Ok(value) => Self::of_json(&value),
                Err(_) => Err(Answer::refused(400, "the body is not JSON")),
            },
            Body::Upload(_) | Body::Broken(_) => Err(Answer::refused(400, "the body is not JSON")),
            Body::TooLarge => Err(Answer::refused(413, "the body is too large")),
        }
    }

    /// Reads a JSON document; null asks for nothing.
    ///
    /// # Errors
    /// 400 when it is no object, or a field is of the wrong kind.
    pub(crate) fn of_json(value: &Value) -> Result<Self, Answer> {
        let object = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(object) => object,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(Answer::refused(400, "the body is not an object"));
            }
        };
        let mut order = Self::default();
        for (key, value) in object {
            match key.to_ascii_lowercase().as_str() {
                "destination" => order.destination = text(value).filter(|text| !text.is_empty()),
                "timeout" => order.timeout = seconds(value)?,
                "attacheddata" => {
                    let pairs = value.as_object().into_iter().flatten();
                    let public = pairs.filter(|(key, _)| key.starts_with("public_"));
                    order.attached =
                        public.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect();
                }
                _ => {}
            }
        }
        Ok(order)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn seconds(value: &Value) -> Result<Option<Duration>, Answer> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number
        .map(|seconds| Some(Duration::from_secs(seconds)))
        .ok_or_else(|| Answer::refused(400, "timeout is in whole seconds"))
}
