//! The OpenAPI document and its page.

use std::collections::BTreeSet;

use utoipa::OpenApi as _;

use super::client::{get, send};
use super::harness::{OPERATOR, READER, run};
use crate::http::openapi::Document;

#[test]
fn the_script_of_the_api_page_never_writes_markup() {
    let script = include_str!("../../api_docs/page.js");
    for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!script.contains(word), "{word}");
    }
    let page = include_str!("../../api_docs/index.html");
    assert!(!page.contains("onclick") && !page.contains("style="), "the policy forbids both");
}

#[actix_web::test]
async fn the_page_of_the_api_needs_no_key_and_loads_only_its_own_files() {
    let server = run();
    let page = get(server.address, "/api/docs", &[]).await;
    assert_eq!((page.status, page.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
    let files: Vec<&str> = page.body.split('"').filter(|text| text.starts_with("/api/docs/")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for path in files.iter().copied().chain(["/api/docs"]) {
        let answer = get(server.address, path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe"), "{policy}");
        for (header, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.headers[header], value, "{path}");
        }
        if path.contains("swagger-ui") {
            assert_eq!(answer.headers["content-encoding"], "gzip", "{path}");
            assert!(answer.body.len() > 10_000, "{path} is not Swagger UI");
        } else {
            assert!(!answer.body.contains("http://") && !answer.body.contains("https://"), "{path}");
        }
    }
    let document = get(server.address, "/api/v1/openapi.json", &[]).await;
    assert_eq!(document.status, 401, "what the page shows needs a key");
}

#[actix_web::test]
async fn responses_are_not_cached() {
    let server = run();
    let answer = get(server.address, "/api/v1/live", &[("x-api-key", READER)]).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

#[actix_web::test]
async fn every_documented_path_exists() {
    let server = run();
    let served = get(server.address, "/api/v1/openapi.json", &[("x-api-key", READER)]).await;
    assert_eq!(served.status, 200);
    assert!(served.json()["openapi"].as_str().unwrap().starts_with("3."));
    let mut seen = 0;
    for (path, item) in Document::openapi().paths.paths {
        let path = path
            .replace("{id}", "01990000-0000-7000-8000-000000000001")
            .replace("{caller_id}", "+4930123456");
        for (method, operation) in
            [("GET", &item.get), ("POST", &item.post), ("DELETE", &item.delete), ("PUT", &item.put)]
        {
            if operation.is_none() || path.ends_with("/events") || path.ends_with("/stream") {
                continue;
            }
            seen += 1;
            let answer = send(server.address, method, &path, &[("x-api-key", OPERATOR)], b"").await;
            assert!(answer.status != 404 && answer.status != 405, "{method} {path}: {answer:?}");
        }
    }
    assert!(seen >= 12, "{seen}");
}

#[test]
fn every_documented_api_path_needs_a_key() {
    let json = serde_json::to_value(Document::openapi()).unwrap();
    for (path, item) in json["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let ways: Vec<&str> = operation["security"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|way| way.as_object().unwrap().keys().map(String::as_str))
                .collect();
            let expected: &[&str] = match path.as_str() {
                "/webhook/3cx" => &["threecx_signature"],
                "/webhook/3cx/crm/lookup" | "/webhook/3cx/crm/report" => &["threecx_token"],
                "/webhook/elevenlabs/postcall" => &["elevenlabs_signature"],
                "/webhook/elevenlabs/initiation" => &["initiation_secret"],
                "/health" | "/metrics" => &["bearer", "api_key"],
                path if path.starts_with("/api/") => &["bearer", "api_key"],
                _ => &[],
            };
            assert_eq!(ways, expected, "{method} {path}");
        }
    }
    for schema in
        ["Problem", "CallItem", "CallAnswer", "EventItem", "StatisticsAnswer", "LiveAnswer", "HealthAnswer"]
    {
        assert!(json["components"]["schemas"].get(schema).is_some(), "no schema {schema}");
    }
}

/// The paths of the server by its own code: methods of each.
fn served() -> BTreeSet<String> {
    let code = include_str!("../routes.rs");
    let (mut found, mut prefix) = (BTreeSet::new(), "");
    let places: Vec<usize> = ["readable(\"", "resource(\"", "scope(\""]
        .iter()
        .flat_map(|start| code.match_indices(start).map(|(at, _)| at))
        .collect::<BTreeSet<usize>>()
        .into_iter()
        .collect();
    for (nth, at) in places.iter().enumerate() {
        let piece = &code[*at..places.get(nth + 1).copied().unwrap_or(code.len())];
        let path = piece.split('"').nth(1).unwrap();
        if piece.starts_with("scope") {
            prefix = path;
            continue;
        }
        // Outside of the scope again.
        if path == "/metrics" {
            prefix = "";
        }
        let mut methods: Vec<&str> = if piece.starts_with("readable") { vec!["get"] } else { Vec::new() };
        methods.extend(
            ["get", "put", "post", "delete"].iter().filter(|m| piece.contains(&format!("route({m}().to("))),
        );
        found.extend(methods.iter().map(|method| format!("{method} {prefix}{path}")));
    }
    found
}

#[test]
fn every_path_of_the_server_is_documented_and_has_an_id_of_its_own() {
    let json = serde_json::to_value(Document::openapi()).unwrap();
    let (mut documented, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (path, item) in json["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            documented.insert(format!("{method} {path}"));
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "two operations have the id {id}");
        }
    }
    let mut served = served();
    // The page of the API is for people.
    served.retain(|path| !path.starts_with("get /api/docs"));
    assert!(
        served.len() > 30 && served.contains("put /api/v1/bypass") && served.contains("get /metrics"),
        "{served:?}"
    );
    assert_eq!(documented, served);
}
