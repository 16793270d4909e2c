//! The provider's own description of what it takes: not ours to pass on, so that it may not be at hand.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

/// A file of the provider; none, said aloud, where it is not at hand.
pub fn provider_file(name: &str, what: &str) -> Option<String> {
    let folder = std::env::var_os("PRECALL_PROVIDER_FACTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/providers"), PathBuf::from);
    let file = folder.join(name);
    let text = std::fs::read_to_string(&file);
    if text.is_err() {
        // Written past the test harness, which keeps what a passing test prints.
        let skipped = format!(
            "SKIPPED: {what} was not checked: {} is not there; set PRECALL_PROVIDER_FACTS\n",
            file.display()
        );
        let _ = std::io::stderr().write_all(skipped.as_bytes());
    }
    text.ok()
}

/// Refuses unknown properties wherever the description does not allow them in so many words: the provider ignores what it does
/// not know, so a misspelt field would never fail there.
pub fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
