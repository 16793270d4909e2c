//! The OpenAPI document says what the code does: problems of each path, bounds of numbers and texts, webhooks.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::send;
use super::harness::{ADMIN, POSTCALL, READER, Running, THREECX, run};
use crate::http::error::Code;

fn document() -> Value {
    serde_json::from_str(crate::openapi_json()).unwrap()
}

/// Each operation: method, path, and what the document says of it.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let items = document["paths"].as_object().unwrap().iter();
    items.flat_map(|(path, item)| {
        let ways = item.as_object().unwrap().iter();
        ways.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

/// The codes that a response of an operation may have.
fn codes(response: &Value) -> Vec<&str> {
    let schema = &response["content"]["application/problem+json"]["schema"];
    let listed = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
    listed.into_iter().flatten().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn each_path_lists_its_problems_by_status_and_code() {
    let document = document();
    let mut listed = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(status.parse::<u16>().is_ok(), "{method} {path} has {status}, which is no status");
            let codes = codes(response);
            let is_health = path.starts_with("/health");
            assert_eq!(
                codes.is_empty(),
                status.as_str() < "400" || is_health && status == "503",
                "{method} {path} {status}"
            );
            for name in codes {
                let code = Code::ALL.iter().find(|code| code.name() == name).unwrap();
                assert_eq!(code.status().to_string(), *status, "{method} {path}: {name}");
                listed.insert(name.to_owned());
            }
        }
        let all: Vec<&str> = operation["responses"].as_object().unwrap().values().flat_map(codes).collect();
        if path.starts_with("/api/") {
            for code in
                ["bad_query", "unauthenticated", "unsupported_coding", "too_many_from_source", "internal"]
            {
                assert!(all.contains(&code), "{method} {path} has no {code}");
            }
            assert_eq!(all.contains(&"key_of_another"), method == "post", "{method} {path}");
            assert!(method == "get" || all.contains(&"forbidden"), "{method} {path} needs no scope");
        }
    }
    // These two are of paths and methods that are not in the document.
    let known = Code::ALL.iter().map(|code| code.name()).filter(|code| *code != "method_not_allowed");
    let missing: Vec<&str> = known.filter(|code| !listed.contains(*code)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "codes that no path lists");
}

/// A schema in place of a reference to it.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

/// Calls `see` with every schema that a request may have, and with where it is.
fn walk(document: &Value, schema: &Value, at: &str, see: &mut impl FnMut(&str, &Value)) {
    let schema = resolved(document, schema);
    see(at, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(document, field, &format!("{at}/{name}"), see);
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        for part in schema[word].as_array().into_iter().flatten() {
            walk(document, part, at, see);
        }
    }
    if schema["items"].is_object() {
        walk(document, &schema["items"], &format!("{at}[]"), see);
    }
}

#[test]
fn every_number_and_text_of_a_request_has_its_bounds() {
    // Names of the configuration, and positions up to the largest that there is. The texts of a webhook are bounded by
    // its body.
    let free = [
        "put /api/v1/bypass/line",
        "post /api/v1/calls/{id}/transfer/destination",
        "get /api/v1/events?Last-Event-ID",
    ];
    let document = document();
    let mut unbounded = Vec::new();
    let mut see = |at: &str, schema: &Value| {
        let is = |name: &str| {
            let kind = &schema["type"];
            kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|it| it == name))
        };
        let has = |word: &str| schema.get(word).is_some();
        let is_closed = has("enum") || has("format") && is("string");
        let is_bounded = is_closed
            || !((is("integer") || is("number")) && !(has("minimum") && has("maximum"))
                || is("string") && !has("maxLength"));
        if !is_bounded && !free.contains(&at) {
            unbounded.push(at.to_owned());
        }
    };
    for (method, path, operation) in operations(&document).filter(|(_, path, _)| path.starts_with("/api/")) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let at = format!("{method} {path}?{}", parameter["name"].as_str().unwrap());
            walk(&document, &parameter["schema"], &at, &mut see);
        }
        if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
            walk(&document, schema, &format!("{method} {path}"), &mut see);
        }
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

/// serde alone reads a list as the fields of an object in their order. See `json_body::object`.
#[actix_web::test]
async fn no_request_takes_a_list_for_an_object() {
    let (server, document) = (run(), document());
    let mut objects = 0;
    for (method, path, operation) in operations(&document).filter(|(_, path, _)| path.starts_with("/api/")) {
        let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") else {
            continue;
        };
        let mut lists = Vec::new();
        walk(&document, schema, "", &mut |at, schema| {
            if schema["properties"].is_object() {
                let fields = at.rsplit('/').filter(|field| !field.is_empty());
                lists.push(fields.fold(json!([]), |value, field| json!({ field: value })));
            }
        });
        let path = path.replace("{id}", "01990000-0000-7000-8000-000000000001");
        let path = path.replace("{number}", "+4930123456").replace("{caller_id}", "+4930123456");
        for list in lists {
            let code = code_of(&server, &method.to_uppercase(), &path, &list.to_string()).await;
            assert_eq!(code, "bad_field", "{method} {path} {list}");
            objects += 1;
        }
    }
    assert!(objects > 10, "{objects} objects");
}

async fn code_of(server: &Running, method: &str, path: &str, body: &str) -> String {
    let answer = send(server.address, method, path, &[("x-api-key", ADMIN)], body.as_bytes()).await;
    if answer.status < 300 { "taken".to_owned() } else { answer.code() }
}

fn bound(document: &Value, schema: &Value, word: &str) -> u64 {
    resolved(document, schema)[word].as_u64().unwrap_or_else(|| panic!("no {word} in {schema}"))
}

#[actix_web::test]
async fn numbers_are_taken_up_to_their_bounds() {
    let (server, document) = (run(), document());
    for (_, path, operation) in operations(&document).filter(|(method, ..)| *method == "get") {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if parameter["in"] != "query" || schema["type"] != "integer" {
                continue;
            }
            let (least, most) = (bound(&document, schema, "minimum"), bound(&document, schema, "maximum"));
            let path = path.replace("{id}", "01990000-0000-7000-8000-000000000001");
            for (value, is_right) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                let code = code_of(&server, "GET", &format!("{path}?{name}={value}"), "").await;
                assert_eq!(code != "bad_query", is_right, "{path}?{name}={value}: {code}");
            }
        }
    }
    let schemas = &document["components"]["schemas"];
    let seconds = &schemas["BypassOrder"]["properties"]["for_seconds"];
    let clones = &schemas["AheadOrder"]["properties"]["limit"];
    let orders = [
        ("PUT", "/api/v1/bypass", seconds, json!({ "on": true, "reason": "tests" }), "for_seconds"),
        ("POST", "/api/v1/voices/warm", clones, json!({}), "limit"),
    ];
    for (method, path, schema, order, field) in orders {
        let (least, most) = (bound(&document, schema, "minimum"), bound(&document, schema, "maximum"));
        for (value, is_right) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let mut order = order.clone();
            order[field] = json!(value);
            let code = code_of(&server, method, path, &order.to_string()).await;
            assert_eq!(code != "bad_field", is_right, "{path} {order}: {code}");
        }
    }
}

#[actix_web::test]
async fn texts_are_taken_up_to_their_bounds_in_characters() {
    let (server, document) = (run(), document());
    let hash = "a1".repeat(32);
    let speaker = "/api/v1/speakers/01990000-0000-7000-8000-000000000001/consents";
    let consent = json!({ "evidence": "signed", "sample_sha256": hash, "document_sha256": hash, "reference": "r",
        "text": "t", "text_version": "v" });
    let caller = json!({ "voice_sample_url": "uploads/x.wav", "voice_name": "n" });
    let orders = [
        ("PUT", "/api/v1/bypass", "BypassOrder", json!({ "on": true, "reason": "r" }), vec!["reason"]),
        ("POST", "/api/v1/speakers", "SpeakerOrder", json!({ "name": "n" }), vec!["name"]),
        ("POST", speaker, "ConsentOrder", consent, vec!["reference", "text", "text_version"]),
        (
            "PUT",
            "/api/v1/callers/+4930123456",
            "CallerOrder",
            caller,
            vec!["voice_sample_url", "voice_name", "description"],
        ),
    ];
    for (method, path, name, order, fields) in orders {
        let right = code_of(&server, method, path, &order.to_string()).await;
        assert_ne!(right, "bad_field", "{path} {order}");
        for field in fields {
            let mut schema = &document["components"]["schemas"][name]["properties"][field];
            if let Some(ways) = schema["oneOf"].as_array() {
                schema = ways.iter().find(|way| way["$ref"].is_string()).unwrap();
            }
            let longest = usize::try_from(bound(&document, schema, "maxLength")).unwrap();
            let texts = [
                ("ä".repeat(longest), true),
                ("ä".repeat(longest + 1), false),
                (String::new(), false),
                (" ".to_owned(), false),
                ("a\u{7f}".to_owned(), false),
            ];
            let pattern = regex_of(&document, schema);
            for (text, is_right) in texts {
                let mut order = order.clone();
                order[field] = json!(text);
                let code = code_of(&server, method, path, &order.to_string()).await;
                // 20,000 letters of two bytes fit into the body, of four they would not.
                assert_eq!(
                    code != "bad_field",
                    is_right,
                    "{path} {field} with {} letters: {code}",
                    text.len()
                );
                let fits = pattern.is_valid(&json!(text)) && text.chars().count() <= longest;
                assert_eq!(fits, is_right, "{path} {field}: the document says otherwise of {text:?}");
            }
        }
    }
}

fn regex_of(document: &Value, schema: &Value) -> jsonschema::Validator {
    let pattern = &resolved(document, schema)["pattern"];
    jsonschema::validator_for(&json!({ "pattern": pattern, "minLength": 1 })).unwrap()
}

/// Whether the document takes a body.
fn fits(document: &Value, path: &str, body: &Value) -> bool {
    let mut whole =
        document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"].clone();
    whole["components"] = document["components"].clone();
    jsonschema::draft202012::new(&whole).unwrap().is_valid(body)
}

/// Posts a webhook, and checks that the document and the service agree on it.
async fn agrees(server: &Running, path: &str, body: &Value, is_right: bool) {
    let answer = server.post(path, &body.to_string()).await;
    assert_eq!(answer.status == 200, is_right, "{path} {body}: {answer:?}");
    assert_eq!(fits(&document(), path, body), is_right, "the document says otherwise of {path} {body}");
}

fn without(body: &Value, field: &str) -> Value {
    let mut body = body.clone();
    let (at, name) = field.rsplit_once('/').unwrap();
    body.pointer_mut(at).and_then(Value::as_object_mut).and_then(|fields| fields.remove(name)).unwrap();
    body
}

#[actix_web::test]
async fn a_webhook_of_3cx_is_as_documented() {
    let server = run();
    let call = json!({ "event_type": "IncomingCall", "call_id": "1001", "caller_id": "+12025550123",
        "called_number": 12_025_550_199_u64, "direction": "In", "timestamp": 1_764_425_485, "recording_url": null,
        "whatever": [1] });
    agrees(&server, THREECX, &call, true).await;
    for event in document()["components"]["schemas"]["ThreeCxEvent"]["enum"].as_array().unwrap() {
        for (field, value) in
            [("state", json!("Connected")), ("duration", json!("17")), ("duration", json!(17))]
        {
            let mut body = call.clone();
            body["event_type"] = event.clone();
            body[field] = value;
            agrees(&server, THREECX, &body, true).await;
        }
    }
    for word in
        document()["components"]["schemas"]["ThreeCxDirection"]["anyOf"][0]["enum"].as_array().unwrap()
    {
        let mut body = call.clone();
        body["direction"] = word.clone();
        agrees(&server, THREECX, &body, true).await;
        let is_outbound = word.as_str().unwrap().to_ascii_lowercase().contains("out");
        let answer = server.post(THREECX, &body.to_string()).await;
        assert_eq!(answer.json()["status"] == "ignored", is_outbound, "{word}: {answer:?}");
    }
    agrees(&server, THREECX, &without(&call, "/call_id"), true).await;
    agrees(&server, THREECX, &without(&call, "/caller_id"), true).await;
    agrees(&server, THREECX, &without(&without(&call, "/call_id"), "/caller_id"), false).await;
    agrees(&server, THREECX, &without(&call, "/event_type"), false).await;
    for (field, longest) in
        [("call_id", 255), ("caller_id", 255), ("called_number", 255), ("recording_url", 8_192)]
    {
        for (length, is_right) in [(longest, true), (longest + 1, false)] {
            let mut body = call.clone();
            body[field] = json!("ä".repeat(length));
            agrees(&server, THREECX, &body, is_right).await;
        }
    }
}

#[actix_web::test]
async fn a_report_of_elevenlabs_is_as_documented() {
    let server = run();
    let data = json!({ "conversation_id": "conv_1", "agent_id": "agent_1", "status": "done", "user_id": null,
        "transcript": [{ "role": "agent", "message": "Hello" }, { "role": "user", "message": null }],
        "metadata": { "call_duration_secs": 17, "cost": "803", "error": null,
            "phone_call": { "call_result": "answered" } },
        "analysis": { "call_successful": "success" }, "something": { "new": true } });
    let audio = json!({ "conversation_id": "conv_1", "agent_id": "agent_1", "full_audio": "AAAA" });
    let failed = json!({ "conversation_id": "conv_1", "agent_id": "agent_1", "failure_reason": "busy",
        "metadata": { "type": "sip", "body": { "sip_status_code": 486 } } });
    for (kind, data) in [
        ("post_call_transcription", &data),
        ("call_initiation_failure", &failed),
        ("post_call_audio", &audio),
    ] {
        let body = json!({ "type": kind, "event_timestamp": 1_764_425_485, "data": data });
        agrees(&server, POSTCALL, &body, true).await;
        for field in ["/data/conversation_id", "/data/agent_id", "/data"] {
            agrees(&server, POSTCALL, &without(&body, field), false).await;
        }
        for id in [String::new(), "x".repeat(257), "a\u{1}b".to_owned()] {
            let mut body = body.clone();
            body["data"]["conversation_id"] = json!(id);
            agrees(&server, POSTCALL, &body, false).await;
        }
        agrees(&server, POSTCALL, &without(&body, "/event_timestamp"), true).await;
    }
    let detection = json!({ "type": "answering_machine_detection", "data": { "conversation_id": "conv_1" } });
    agrees(&server, POSTCALL, &detection, true).await;
    agrees(&server, POSTCALL, &json!({ "type": "answering_machine_detection" }), true).await;
    agrees(&server, POSTCALL, &json!({ "type": "voice_removal_notice" }), true).await;
    let flat = json!({ "call_id": "conv_1", "agent_id": "agent_1", "transcript": "agent: Hello",
        "duration_seconds": 17, "status": "completed", "timestamp": "2026-01-31T12:00:00Z" });
    agrees(&server, POSTCALL, &flat, true).await;
    agrees(&server, POSTCALL, &without(&flat, "/call_id"), false).await;
}

#[actix_web::test]
async fn the_question_for_an_inbound_conversation_is_as_documented() {
    let server = run();
    let path = "/webhook/elevenlabs/initiation";
    let right =
        json!({ "caller_id": "+12025550123", "agent_id": "agent_1", "called_number": null, "more": 1 });
    for (body, is_right) in
        [(right, true), (json!({}), true), (json!({ "caller_id": 7 }), false), (json!([null, null]), false)]
    {
        let headers = [("x-initiation-secret", "knock knock")];
        let answer = send(server.address, "POST", path, &headers, body.to_string().as_bytes()).await;
        assert_eq!(answer.status == 200, is_right, "{body}: {answer:?}");
        assert_eq!(fits(&document(), path, &body), is_right, "the document says otherwise of {body}");
    }
}

#[test]
fn every_schema_of_the_document_can_be_used() {
    let document = document();
    let text = crate::openapi_json();
    for (at, word) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + word.len()..].split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "nothing is at {pointer}");
    }
    for (name, _) in document["components"]["schemas"].as_object().unwrap() {
        let whole =
            json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
        jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // Each list is a component of its own: no text of the document only describes its values.
    for name in ["CallState", "CallCause", "ProblemCode", "WebhookKind", "HealthStatus", "ThreeCxStatus"] {
        let values = document["components"]["schemas"][name]["enum"].as_array();
        assert!(values.is_some_and(|values| values.len() > 2), "{name}");
    }
}

#[actix_web::test]
async fn an_idempotency_key_is_as_documented() {
    let (server, document) = (run(), document());
    let parameters = document["paths"]["/api/v1/speakers"]["post"]["parameters"].as_array().unwrap();
    let parameter = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key").unwrap();
    let schema = jsonschema::validator_for(&parameter["schema"]).unwrap();
    for (key, is_right) in [
        ("7", true),
        ("a b~", true),
        (&"x".repeat(255), true),
        (&"x".repeat(256), false),
        ("a\tb", false),
        ("\u{e4}", false),
        ("", false),
    ] {
        let headers = [("x-api-key", ADMIN), ("idempotency-key", key)];
        let answer = send(server.address, "POST", "/api/v1/speakers", &headers, br#"{"name":"n"}"#).await;
        // The database is away here, and a right key is looked up in it.
        let code = if is_right { "database_unreachable" } else { "bad_field" };
        assert_eq!(answer.code(), code, "{key:?}");
        assert_eq!(schema.is_valid(&json!(key)), is_right, "the document says otherwise of {key:?}");
    }
}

#[actix_web::test]
async fn a_query_with_a_control_character_is_the_clients_mistake() {
    let server = run();
    for query in ["line=%00", "pbx=a%00", "threecx_call_id=%00", "conversation_id=%1f", "cursor=%00"] {
        let answer =
            send(server.address, "GET", &format!("/api/v1/calls?{query}"), &[("x-api-key", READER)], b"")
                .await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_query"), "{query}");
    }
}
