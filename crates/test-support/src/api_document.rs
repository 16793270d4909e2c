//! Holds answers of the service against its OpenAPI document: path, method, status, media type, body. A field that the
//! document does not name is an error as well.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The OpenAPI document of the service under test.
pub struct ApiDocument {
    document: Value,
    /// Compiled schemas, by method, path, status and media type.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl ApiDocument {
    /// That of the program.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<ApiDocument> = LazyLock::new(|| ApiDocument::new(precall::openapi_json()));
        &SHARED
    }

    pub fn new(json: &str) -> Self {
        let document: Value = serde_json::from_str(json).expect("the document is JSON");
        assert!(document["paths"].is_object(), "not an OpenAPI document: {document}");
        Self { document, validators: Mutex::default() }
    }

    /// What is wrong with an answer; none if it is as documented, or if the document does not name the path or method.
    pub fn objection(
        &self,
        (method, path): (&str, &str),
        status: u16,
        media_type: Option<&str>,
        body: &[u8],
    ) -> Option<String> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let (pattern, item) =
            self.document["paths"].as_object()?.iter().find(|(pattern, _)| fits(pattern, path))?;
        let operation = item.get(method.to_ascii_lowercase())?;
        let wrong = |what: String| Some(format!("{method} {pattern} answered {status}: {what}"));
        let Some(response) = operation["responses"].get(status.to_string()) else {
            return wrong("the document does not have this status".to_owned());
        };
        let none = Map::new();
        let contents = response["content"].as_object().unwrap_or(&none);
        if contents.is_empty() {
            return if body.is_empty() {
                None
            } else {
                wrong("the document says that it has no body".to_owned())
            };
        }
        let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let Some(content) = contents.get(media_type) else {
            return wrong(format!("the document does not have the media type {media_type:?}"));
        };
        if !media_type.ends_with("json") {
            return None;
        }
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return wrong("it is no JSON".to_owned());
        };
        let schema = &content["schema"];
        let validator = self.validator(&format!("{method} {pattern} {status} {media_type}"), schema);
        let mut errors: Vec<String> =
            validator.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        self.undocumented(&[schema], &json, "", &mut errors);
        if errors.is_empty() { None } else { wrong(format!("{}: {json}", errors.join("; "))) }
    }

    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = validators.entry(key.to_owned()).or_insert_with(|| {
            let whole = json!({ "allOf": [schema], "components": self.document["components"] });
            let compiled = jsonschema::options()
                .with_draft(jsonschema::Draft::Draft202012)
                .should_validate_formats(true)
                .build(&whole);
            Arc::new(compiled.unwrap_or_else(|error| panic!("the schema of {key}: {error}")))
        });
        Arc::clone(validator)
    }

    /// The fields that no schema names. An object without named fields may have any.
    fn undocumented(&self, schemas: &[&Value], value: &Value, at: &str, found: &mut Vec<String>) {
        let mut plain = Vec::new();
        for schema in schemas {
            self.expand(schema, &mut plain);
        }
        match value {
            Value::Object(fields) => {
                let is_open = plain.iter().any(|schema| schema["additionalProperties"] == json!(true));
                let names_fields = plain.iter().any(|schema| schema["properties"].is_object());
                for (name, value) in fields.iter().filter(|_| names_fields) {
                    let known: Vec<&Value> =
                        plain.iter().filter_map(|schema| schema["properties"].get(name)).collect();
                    if known.is_empty() && !is_open {
                        found.push(format!("{at}/{name}: the document does not have this field"));
                    }
                    self.undocumented(&known, value, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => {
                let known: Vec<&Value> = plain.iter().filter_map(|schema| schema.get("items")).collect();
                for item in items.iter().filter(|_| !known.is_empty()) {
                    self.undocumented(&known, item, at, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The schemas that one is made of.
    fn expand<'a>(&'a self, schema: &'a Value, plain: &mut Vec<&'a Value>) {
        plain.push(schema);
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            self.expand(self.document.pointer(pointer).unwrap_or_else(|| panic!("no {reference}")), plain);
        }
        for part in ["allOf", "anyOf", "oneOf"].iter().filter_map(|word| schema[word].as_array()).flatten() {
            self.expand(part, plain);
        }
    }
}

/// Whether a path has the form of a pattern with `{name}` segments.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let is_named =
        |(known, given): (&&str, &&str)| known == given || (known.starts_with('{') && !given.is_empty());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(is_named)
}
