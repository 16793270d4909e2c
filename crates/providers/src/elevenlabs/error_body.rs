//! Parses error bodies in each shape that the provider has used, and redacts them for logs.

use precall_base::redact::redact;
use serde::Deserialize;
use serde_json::Value;

use super::settings::ApiKey;

/// The texts of an error body.
#[derive(Default)]
pub(super) struct ErrorText {
    pub code: Option<String>,
    pub status: Option<String>,
    pub kind: Option<String>,
    pub message: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    detail: Value,
}

impl ErrorText {
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(ErrorBody { detail }) = serde_json::from_slice(body) else {
            // Perhaps a proxy's error page: its beginning helps to find the cause.
            let head = body.get(..1024).unwrap_or(body);
            return Self { message: String::from_utf8_lossy(head).into_owned(), ..Self::default() };
        };
        match &detail {
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
                Self {
                    code: text("code"),
                    status: text("status"),
                    kind: text("type"),
                    message: text("message").unwrap_or_default(),
                }
            }
            // FastAPI's list of validation errors; its `input` repeats our request and is left out.
            Value::Array(items) => {
                let lines: Vec<String> = items.iter().take(3).map(validation_line).collect();
                Self { message: lines.join("; "), ..Self::default() }
            }
            Value::String(text) => Self { message: text.clone(), ..Self::default() },
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::default(),
        }
    }
}

fn validation_line(item: &Value) -> String {
    let place: Vec<String> = item
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
        .collect();
    let message = item.get("msg").and_then(Value::as_str).unwrap_or("invalid");
    format!("{}: {message}", place.join("."))
}

/// One line of at most `chars_max` characters, without the API key and full telephone numbers.
pub(super) fn redact_text(text: &str, chars_max: usize, key: &ApiKey) -> String {
    redact(text, chars_max, &[key.reveal()])
}
