//! What the agent's WebSocket takes and sends, against the provider's AsyncAPI file where that is at hand. Every object
//! is closed, so that a typo fails.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::super::Agent;
use super::super::session::shape::{AUDIO, CLIENT_EVENTS, Field, MESSAGES, Need, Shape};
use super::socket::{Came, Socket, agent};
use super::{Provider, endless};

/// The schemas of the AsyncAPI file as JSON Schema, closed.
struct Contract(Value);

impl Contract {
    /// None, said aloud, where the file is not at hand: it is not ours to pass on.
    fn load() -> Option<Self> {
        let folder = std::env::var_os("PRECALL_PROVIDER_FACTS").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/providers"),
            PathBuf::from,
        );
        let file = folder.join("elevenlabs-agent-asyncapi.yaml");
        let Ok(text) = std::fs::read_to_string(&file) else {
            // Written past the test harness, which keeps what a passing test prints.
            let skipped = format!(
                "SKIPPED: messages are not compared with the provider's AsyncAPI file: {} is missing; \
                 set PRECALL_PROVIDER_FACTS\n",
                file.display()
            );
            let _ = std::io::stderr().write_all(skipped.as_bytes());
            return None;
        };
        // `no` is Norwegian here, not false.
        let options = serde_saphyr::options! { strict_booleans: true };
        let read = serde_saphyr::from_str_with_options(&text, options);
        let mut document: Value = read.expect("the AsyncAPI file is YAML");
        let schemas = &mut document["components"]["schemas"];
        close(schemas);
        Some(Self(schemas.clone()))
    }

    fn schema(&self, name: &str) -> &Value {
        let schema = &self.0[name];
        assert!(schema.is_object(), "no schema {name}");
        schema
    }

    /// The schema with this `type`.
    fn of_type(&self, kind: &str) -> Option<&str> {
        let schemas = self.0.as_object().unwrap();
        let found = schemas.iter().find(|(name, schema)| {
            name.ends_with("Payload") && schema["properties"]["type"]["const"] == kind
        });
        found.map(|(name, _)| name.as_str())
    }

    fn complaints(&self, schema: &str, message: &Value) -> Vec<String> {
        let document =
            json!({"$ref": format!("#/components/schemas/{schema}"), "components": {"schemas": self.0}});
        let validator = jsonschema::draft202012::new(&document).expect("the schema compiles");
        validator.iter_errors(message).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// Refuses unknown properties, and says `nullable` as JSON Schema does.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            if fields.get("nullable") == Some(&json!(true)) {
                fields.remove("nullable");
                let inner = Value::Object(std::mem::take(fields));
                fields.insert("anyOf".to_owned(), json!([inner, {"type": "null"}]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema behind a reference, and whether null is allowed as well.
fn resolved<'a>(contract: &'a Contract, schema: &'a Value) -> (&'a Value, bool) {
    for either in ["anyOf", "oneOf"] {
        if let Some([inner, null]) = schema[either].as_array().map(Vec::as_slice)
            && null["type"] == "null"
        {
            return (resolved(contract, inner).0, true);
        }
    }
    match schema["$ref"].as_str() {
        Some(reference) => resolved(contract, contract.schema(reference.rsplit('/').next().unwrap())),
        None => (schema, false),
    }
}

/// Holds a table of ours against a schema.
fn compare(contract: &Contract, fields: &[Field], schema: &Value, path: &str) {
    let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{path}: {schema}"));
    let ours: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
    let theirs: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(ours, theirs, "{path}");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for field in fields {
        let path = format!("{path}.{}", field.name);
        let (schema, is_nullable) = resolved(contract, &properties[field.name]);
        let need = match (required.contains(&field.name), is_nullable) {
            (true, false) => Need::Required,
            (true, true) => Need::RequiredOrNull,
            (false, false) => Need::Optional,
            (false, true) => Need::OptionalOrNull,
        };
        assert_eq!(field.need, need, "{path}");
        compare_shape(contract, field.shape, schema, &path);
    }
}

fn compare_shape(contract: &Contract, shape: Shape, schema: &Value, path: &str) {
    let is = |kind: &str| assert_eq!(schema["type"], kind, "{path}");
    let names = |names: &[&str], schema: &Value| match schema["enum"].as_array() {
        Some(theirs) => assert_eq!(json!(theirs), json!(names), "{path}"),
        None => assert_eq!(json!([schema["const"]]), json!(names), "{path}"),
    };
    match shape {
        Shape::Text => {
            is("string");
            assert_eq!(schema["enum"], Value::Null, "{path}");
        }
        Shape::Const => assert!(schema["const"].is_string(), "{path}"),
        Shape::Integer => is("integer"),
        Shape::Boolean => is("boolean"),
        Shape::Number(least, most) => {
            is("number");
            assert_eq!(
                (schema["minimum"].as_f64(), schema["maximum"].as_f64()),
                (Some(least), Some(most)),
                "{path}"
            );
        }
        Shape::OneOf(ours) => names(ours, schema),
        Shape::Texts(most) => {
            is("array");
            assert_eq!(schema["items"]["type"], "string", "{path}");
            assert_eq!(
                schema["maxItems"].as_u64().map_or(usize::MAX, |most| most.try_into().unwrap()),
                most,
                "{path}"
            );
        }
        Shape::SomeOf(ours) => {
            is("array");
            assert_eq!(schema["minItems"], 1, "{path}");
            names(ours, resolved(contract, &schema["items"]).0);
        }
        Shape::Anything | Shape::Variables => {
            is("object");
            assert_eq!(schema["properties"], Value::Null, "{path}");
        }
        Shape::Object(fields) => compare(contract, fields, schema, path),
    }
}

#[test]
fn what_is_taken_is_what_the_asyncapi_file_says() {
    let Some(contract) = Contract::load() else { return };
    for (kind, fields) in MESSAGES {
        let schema = contract.of_type(kind).unwrap_or_else(|| panic!("no message {kind}"));
        compare(&contract, fields, contract.schema(schema), kind);
    }
    compare(&contract, AUDIO, contract.schema("UserAudioPayload"), "user_audio_chunk");
    assert_eq!(contract.schema("ClientEvent")["enum"], json!(CLIENT_EVENTS));
}

#[actix_web::test]
async fn what_is_sent_is_what_the_asyncapi_file_says() {
    let Some(contract) = Contract::load() else { return };
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "say", "text": "Hello", "ms": 100},
        {"do": "transcribe", "text": "Hi"},
        {"do": "say", "text": "A long story", "ms": 2_000, "interrupt_after_ms": 40},
        {"do": "call_tool", "name": "t", "within_ms": 1},
        {"do": "vad_score", "score": 0.9},
        {"do": "close", "code": 1002, "error_type": "llm_error", "reason": "x"},
    ]);
    let every = CLIENT_EVENTS.iter().map(|&event| event.to_owned()).collect();
    provider.simulator.set_agent(Agent { client_events: every, ..agent(script) });
    let mut socket = provider.sessions(json!({})).await;
    socket.ends().await;
    let mut seen = BTreeSet::new();
    for message in messages(&socket) {
        let kind = message["type"].as_str().unwrap();
        let schema = contract.of_type(kind).unwrap_or_else(|| panic!("no message {kind}"));
        assert_eq!(contract.complaints(schema, message), Vec::<String>::new(), "{message}");
        seen.insert(kind.to_owned());
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
}

fn messages(socket: &Socket) -> impl Iterator<Item = &Value> {
    socket.came.iter().filter_map(|(_, came)| match came {
        Came::Message(message) => Some(message),
        Came::Text(_) | Came::Pong | Came::End(..) => None,
    })
}

#[test]
fn the_contract_refuses_a_typo() {
    let Some(contract) = Contract::load() else { return };
    let good = json!({"type": "audio", "audio_event": {"audio_base_64": "AA==", "event_id": 1}});
    assert_eq!(contract.complaints("AudioPayload", &good), Vec::<String>::new());
    for (place, name, value) in [
        ("", "audioEvent", json!({})),
        ("", "type", json!("sound")),
        ("/audio_event", "audio_base64", json!("AA==")),
        ("/audio_event", "event_id", json!("1")),
        ("/audio_event", "alignment", json!(null)),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(place).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        assert_ne!(contract.complaints("AudioPayload", &bad), Vec::<String>::new(), "{place}/{name}");
    }
    let null = json!({"type": "ping", "ping_event": {"event_id": 1, "ping_ms": null}});
    assert_eq!(contract.complaints("PingPayload", &null), Vec::<String>::new());
}

#[test]
fn the_tables_refuse_what_the_asyncapi_file_refuses() {
    let Some(contract) = Contract::load() else { return };
    let typo = [Field { name: "user_audio_chunks", need: Need::Required, shape: Shape::Text }];
    let schema = contract.schema("UserAudioPayload").clone();
    let refused = std::panic::catch_unwind(|| compare(&contract, &typo, &schema, "typo"));
    assert!(refused.is_err());
    let good: Map<String, Value> = Map::from_iter([("user_audio_chunk".to_owned(), json!("AA=="))]);
    assert_eq!(contract.complaints("UserAudioPayload", &Value::Object(good)), Vec::<String>::new());
}
