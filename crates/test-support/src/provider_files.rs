//! ElevenLabs' own descriptions of its API. They may not be passed on with this project, so they can be missing.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Reads a file from the folder `PRECALL_PROVIDER_FACTS`. Where the file is missing, this says so and returns none.
pub fn read(name: &str, what: &str) -> Option<String> {
    let folder = std::env::var_os("PRECALL_PROVIDER_FACTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/providers"),
        PathBuf::from,
    );
    let file = folder.join(name);
    let text = std::fs::read_to_string(&file);
    if text.is_err() {
        // Not `eprintln!`: the test runner hides what a passing test prints.
        let skipped = format!(
            "SKIPPED: {what} was not checked: {} is not there; set PRECALL_PROVIDER_FACTS\n",
            file.display()
        );
        let _ = std::io::stderr().write_all(skipped.as_bytes());
    }
    text.ok()
}

/// Makes every object of a schema refuse unknown fields, unless the schema allows them expressly. ElevenLabs ignores
/// fields that it does not know, so a misspelt name would never fail there.
pub fn refuse_unknown_fields(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(refuse_unknown_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_unknown_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
