//! `/api/v1` without a database: keys, queries, answers. tests/it tests the reads with a database.

use std::sync::Arc;

use precall_actors::api::{Busy, OperatorOrder, Ordered};
use precall_call::{Person, Request};
use serde_json::{Value, json};

use super::client::{Answer, get, send};
use super::harness::{ADMIN, OPERATOR, READER, Running, run, run_with, settings};
use super::scripted::{Asked, CALL};
use crate::config::{ApiKeys, CorsOrigins};

async fn ask(server: &Running, method: &str, path: &str, key: &str) -> Answer {
    send(server.address, method, path, &[("x-api-key", key)], b"").await
}

const READS: [&str; 7] = [
    "/api/v1/calls",
    "/api/v1/calls/01990000-0000-7000-8000-000000000001",
    "/api/v1/calls/01990000-0000-7000-8000-000000000001/events",
    "/api/v1/live",
    "/api/v1/statistics",
    "/api/v1/events",
    "/api/v1/openapi.json",
];

#[actix_web::test]
async fn without_a_key_every_request_is_401() {
    for path in READS {
        // Its own, because wrong keys of one address are throttled.
        let server = run();
        for headers in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Basic cmVhZGVyOnJlYWRlcg==")],
            &[("authorization", "Bearer")],
            &[("x-api-key", "")],
        ] {
            let answer = get(server.address, path, headers).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthenticated"),
                "{path} {headers:?}"
            );
            assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
        }
    }
}

#[actix_web::test]
async fn a_key_works_in_both_headers() {
    let server = run();
    let bearer = format!("Bearer {READER}");
    let lower = format!("bearer {READER}");
    for headers in [
        &[("authorization", bearer.as_str())][..],
        &[("authorization", lower.as_str())],
        &[("x-api-key", READER)],
        &[("authorization", "Basic eDp5"), ("x-api-key", READER)],
    ] {
        assert_eq!(get(server.address, "/api/v1/live", headers).await.status, 200, "{headers:?}");
    }
}

#[actix_web::test]
async fn without_keys_the_api_is_closed() {
    let mut settings = settings();
    settings.api_keys = ApiKeys::default();
    let server = run_with(settings);
    let answer = get(server.address, "/api/v1/live", &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
    // It may be a key of the database, which could not be read yet.
    let answer = ask(&server, "GET", "/api/v1/live", READER).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "database_unreachable"));
}

#[actix_web::test]
async fn a_read_key_cannot_operate() {
    let server = run();
    let call = format!("/api/v1/calls/{CALL}");
    for (method, path) in [
        ("POST", format!("{call}/hangup")),
        ("POST", format!("{call}/handoff")),
        ("POST", format!("{call}/transfer")),
        ("POST", format!("{call}/fallback")),
        ("POST", format!("{call}/retry-clone")),
        ("POST", format!("{call}/fallback-voice")),
        ("DELETE", "/api/v1/cache/+4930123456".to_owned()),
    ] {
        let answer = ask(&server, method, &path, READER).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
        assert_eq!(send(server.address, method, &path, &[], b"").await.status, 401, "{path}");
    }
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn operators_reach_live_calls() {
    let server = run();
    for (what, request) in [("hangup", Request::HangUp), ("handoff", Request::HandOff)] {
        let answer = ask(&server, "POST", &format!("/api/v1/calls/{CALL}/{what}"), OPERATOR).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some("accepted")), "{answer:?}");
        assert_eq!(answer.json()["id"], CALL.to_string());
        let asked = server.engine.asked();
        assert!(
            matches!(asked.last(), Some(Asked::Order(CALL, OperatorOrder::Request(asked), by))
                if *asked == request && by.as_str() == "desk"),
            "{asked:?}"
        );
    }
    server.engine.change(|script| script.ordered = Err(Busy::Draining));
    let answer = ask(&server, "POST", &format!("/api/v1/calls/{CALL}/hangup"), OPERATOR).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "draining"));
    // A live call is found by any of its ids without the database, which is away here.
    let answer = ask(&server, "POST", "/api/v1/calls/conv_1/hangup", OPERATOR).await;
    assert_eq!(answer.code(), "draining");
    let answer = ask(&server, "POST", "/api/v1/calls/conv_2/hangup", OPERATOR).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "database_unreachable"));
    let answer = ask(&server, "POST", &format!("/api/v1/calls/{}/hangup", "7".repeat(300)), OPERATOR).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "call_not_found"));
}

#[actix_web::test]
async fn operators_send_callers_to_persons_that_are_configured() {
    let server = run();
    let ask = async |what: &str, body: &str| {
        let path = format!("/api/v1/calls/{CALL}/{what}");
        send(server.address, "POST", &path, &[("x-api-key", OPERATOR)], body.as_bytes()).await
    };
    let sent_to = |person: Person| {
        matches!(server.engine.asked().last(),
            Some(Asked::Order(CALL, OperatorOrder::Transfer(asked), by)) if *asked == person && by.as_str() == "desk")
    };
    assert_eq!(ask("transfer", r#"{"destination":"sales"}"#).await.status, 202);
    assert!(sent_to(Person::Named(Arc::from("sales"))));
    assert_eq!(ask("fallback", "").await.status, 202);
    assert!(sent_to(Person::Fallback));
    let before = server.engine.asked().len();
    for body in [r#"{"destination":"+4930123456"}"#, r#"{"destination":""}"#, "{}", r#"{"to":"sales"}"#] {
        let answer = ask("transfer", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_field"), "{body}");
    }
    let answer = ask("transfer", r#"{"destination":"people"}"#).await;
    assert!(
        answer.json()["detail"].as_str().unwrap().ends_with("TRANSFER_DESTINATIONS: sales"),
        "{answer:?}"
    );
    assert_eq!(server.engine.asked().len(), before);
    server.engine.change(|script| script.ordered = Ok(Ordered::ChangesNothing));
    for (what, body) in [("transfer", r#"{"destination":"sales"}"#), ("fallback", "")] {
        let answer = ask(what, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "not_possible"), "{answer:?}");
    }
    assert_eq!(ask("handoff", "").await.status, 202, "it is what the call will do");
}

#[actix_web::test]
async fn a_clone_is_asked_for_again_for_this_call_or_the_next() {
    let server = run();
    let path = format!("/api/v1/calls/{CALL}/retry-clone");
    let answer = ask(&server, "POST", &path, OPERATOR).await;
    assert_eq!((answer.status, &answer.json()["used_for"]), (202, &json!("this_call")));
    // For the next call the caller's number is read, and the database is away here.
    server.engine.change(|script| script.ordered = Ok(Ordered::ChangesNothing));
    let answer = ask(&server, "POST", &path, OPERATOR).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "database_unreachable"));
}

#[actix_web::test]
async fn a_cached_voice_is_forgotten_by_number() {
    let server = run();
    for path in ["+4930123456", "%2B4930123456", "4930123456"] {
        let answer = ask(&server, "DELETE", &format!("/api/v1/cache/{path}"), OPERATOR).await;
        assert_eq!((answer.status, answer.json()["success"].as_bool()), (200, Some(true)), "{answer:?}");
    }
    for asked in server.engine.asked() {
        assert!(matches!(&asked, Asked::Forget(number) if number == "+4930123456"), "{asked:?}");
    }
    server.engine.change(|script| script.was_cached = Ok(false));
    let answer = ask(&server, "DELETE", "/api/v1/cache/+4930123456", OPERATOR).await;
    assert_eq!((answer.status, answer.json()["success"].as_bool()), (200, Some(false)));
    assert!(answer.json()["message"].is_string());
    let answer = ask(&server, "DELETE", "/api/v1/cache/anonymous", OPERATOR).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_number"));
}

#[actix_web::test]
async fn live_calls_are_shown_from_memory() {
    let server = run();
    let json = ask(&server, "GET", "/api/v1/live", READER).await.json();
    let call = &json["items"][0];
    assert_eq!(call["id"], CALL.to_string());
    assert_eq!(call["caller"], "+4930***45");
    assert_eq!(call["state"], "greeting");
    assert_eq!(call["state_since"], "2025-11-29T14:11:26Z");
    assert_eq!((&call["last_event"], &call["awaits_voice"]), (&json!("greeting_started"), &json!(true)));
    assert_eq!(call["last_event_at"], "2025-11-29T14:11:27Z");
    assert_eq!(call["voice_decided_at"], Value::Null);
    assert_eq!(call["offered_at"], "2025-11-29T14:11:25Z");
    assert_eq!(call["deadline_at"], "2025-11-29T14:12:00Z");
    assert_eq!(call["conversation_id"], "conv_1");
    assert_eq!(json["health"]["status"], "ok");
    assert!(json["now"].is_string());
}

#[actix_web::test]
async fn queries_are_checked_before_the_database_is_read() {
    let server = run();
    for (query, code) in [
        ("limit=0", "bad_query"),
        ("limit=201", "bad_query"),
        ("limit=x", "bad_query"),
        ("state=ringing", "bad_query"),
        ("live=perhaps", "bad_query"),
        ("cause=bad_luck", "bad_query"),
        ("since=yesterday", "bad_query"),
        ("surprise=1", "bad_query"),
        ("cursor=nonsense", "bad_cursor"),
        ("caller_id=anonymous", "bad_number"),
    ] {
        let answer = ask(&server, "GET", &format!("/api/v1/calls?{query}"), READER).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{query}");
    }
    let answer = ask(&server, "GET", &format!("/api/v1/calls/{CALL}/events?cursor=-1"), READER).await;
    assert_eq!(answer.code(), "bad_cursor");
}

#[actix_web::test]
async fn every_read_refuses_a_query_that_it_does_not_know() {
    let server = run();
    let document = ask(&server, "GET", "/api/v1/openapi.json", READER).await.json();
    let paths = document["paths"].as_object().unwrap();
    let reads = paths.iter().filter(|(path, ways)| path.starts_with("/api/v1/") && ways.get("get").is_some());
    let mut seen = 0;
    for (path, _) in reads {
        let path = path.replace("{caller_id}", "+12025550101").replace("{id}", &CALL.to_string());
        let path = path.replace("{number}", "+12025550101");
        assert!(!path.contains('{'), "{path}");
        for query in ["surprise=1", "hour=1", "limits=2"] {
            let answer = ask(&server, "GET", &format!("{path}?{query}"), ADMIN).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_query"), "{path}?{query}");
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
    for query in ["hours=0", "hours=-1", "hours=x", "hours=87601", "hours=", "hours=1&hour=1"] {
        let answer = ask(&server, "GET", &format!("/api/v1/statistics?{query}"), READER).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_query"), "{query}");
    }
}

#[actix_web::test]
async fn without_the_database_reads_are_503() {
    let server = run();
    for path in ["/api/v1/calls", READS[1], READS[2], "/api/v1/statistics"] {
        let answer = ask(&server, "GET", path, READER).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "database_unreachable"), "{path}");
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[actix_web::test]
async fn a_missing_path_or_call_is_a_problem() {
    let server = run();
    for path in
        ["/nothing", "/api/v1/nothing", "/api/v2/calls", "/webhook", "/api/v1/calls/1/2/3", "/assets/0/x.js"]
    {
        let answer = get(server.address, path, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/api/v1/calls", "GET, HEAD"),
        ("GET", "/api/v1/cache/+1", "DELETE"),
        ("DELETE", "/health", "GET, HEAD"),
    ] {
        let answer = send(server.address, method, path, &[("x-api-key", READER)], b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.headers["allow"], allow, "{path}");
    }
}

#[actix_web::test]
async fn listed_origins_may_use_the_api() {
    let preflight = |server: &Running, origin: &'static str| {
        let address = server.address;
        async move {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "GET"),
                ("access-control-request-headers", "authorization"),
            ];
            send(address, "OPTIONS", "/api/v1/live", &headers, b"").await
        }
    };
    let server = run();
    let answer = preflight(&server, "https://desk.example").await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://desk.example");
    let stranger = preflight(&server, "https://evil.example").await;
    assert!(!stranger.headers.contains_key("access-control-allow-origin"), "{stranger:?}");
    let headers = [("origin", "https://desk.example"), ("x-api-key", "wrong")];
    let refused = get(server.address, "/api/v1/live", &headers).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.headers["access-control-allow-origin"], "https://desk.example",
        "errors can be read too"
    );

    let mut open = settings();
    open.cors_origins = CorsOrigins::Any;
    let server = run_with(open);
    assert_eq!(preflight(&server, "https://evil.example").await.headers["access-control-allow-origin"], "*");

    let mut closed = settings();
    closed.cors_origins = CorsOrigins::None;
    let server = run_with(closed);
    let answer = preflight(&server, "https://desk.example").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
}

#[actix_web::test]
async fn every_answer_has_the_id_of_its_request() {
    let server = run();
    for path in ["/health", "/api/v1/live", "/nowhere", "/webhook/3cx"] {
        let answer = get(server.address, path, &[]).await;
        assert!(uuid::Uuid::try_parse(&answer.headers["x-request-id"]).is_ok(), "{path}: {answer:?}");
        let answer = get(server.address, path, &[("x-request-id", "desk:7.a_b-c")]).await;
        assert_eq!(answer.headers["x-request-id"], "desk:7.a_b-c", "{path}");
    }
    for given in ["", "a b", "a\"b", &"x".repeat(65)] {
        let answer = get(server.address, "/health", &[("x-request-id", given)]).await;
        assert!(uuid::Uuid::try_parse(&answer.headers["x-request-id"]).is_ok(), "{given}");
    }
}
