//! Every change by API has its audit row. The routes come from the OpenAPI document, so that a new one cannot be
//! forgotten.

use awc::http::Method;
use bytes::Bytes;
use precall_base::clock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::{order, with_keys};
use crate::support::{KEY, SECRET, World, caller, write_sample};

/// One accepted request of a route: its path and its body.
struct Change {
    path: String,
    body: Bytes,
}

async fn send(world: &World, method: &str, change: &Change) -> (u16, Value) {
    let url = format!("{}{}", world.app.url(), change.path);
    let request = world.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(KEY);
    let mut answer = request.send_body(change.body.clone()).await.unwrap();
    let bytes = answer.body().await.unwrap();
    world.documented((method, &change.path), answer.status().as_u16(), answer.headers(), &bytes)
}

async fn rows(world: &World) -> Vec<(String, String, Option<Uuid>, Option<Value>)> {
    let sql = "select who, action, subject, detail from audit_log order by id";
    let rows = world.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

/// Every route that is not a read, but the webhooks: `(method, path)`.
async fn changes_of(world: &World) -> Vec<(String, String)> {
    let (status, document) = world.get("/api/v1/openapi.json").await;
    assert_eq!(status, 200);
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_ascii_uppercase();
            let is_read = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
            // What a provider sends is in the inbox. These need a leg: `operator_actions` and `supervision` have their
            // rows.
            let needs_leg =
                ["/transfer", "/fallback", "/tell", "/say"].iter().any(|action| path.ends_with(action));
            if !is_read && !needs_leg && !path.starts_with("/webhook/") && path.starts_with('/') {
                found.push((method, path.clone()));
            }
        }
    }
    found
}

/// A quarantined webhook that can be read by now.
async fn quarantined(world: &World) -> Uuid {
    let (id, body) = (Uuid::now_v7(), br#"{"event_type":"CallEnded","call_id":"gone"}"#.to_vec());
    let sql = "insert into webhooks (id, kind, provider_id, event_timestamp, body_sha256, received_at, state,
        outcome, reason, body) values ($1, '3cx', '', now(), 'x', now(), 'quarantined', 'bad_json', 'x', $2)";
    world.execute(sql, &[&id, &body]).await;
    id
}

/// A call that waits for its operator.
async fn holding(world: &World, n: u32) -> Uuid {
    let call = world.ring(&format!("pbx-{n}"), &world.known_caller(n).await).await;
    world.in_state(call, "holding").await;
    // A clone that runs cannot be asked for once more.
    let has_voice = "select 1 from call_log where id = $1 and cloned_voice_id is not null";
    world.until_row("the voice of the call", has_voice, &[&call]).await;
    call
}

/// An accepted request of the route. A new route needs one here: without it the test fails and names the route.
async fn accepted(world: &World, method: &str, path: &str, n: u32) -> Change {
    let number = caller(n).replace('+', "%2B");
    let mapped = json!({ "voice_sample_url": format!("{n}.wav"), "voice_name": "Anna" }).to_string();
    let made = |path: String, body: String| Change { path, body: Bytes::from(body) };
    let speaker = || async {
        let (_, made) = world
            .post("/api/v1/speakers", &[("x-api-key", KEY)], json!({ "name": "Anna" }).to_string())
            .await;
        made["id"].as_str().unwrap().to_owned()
    };
    match (method, path) {
        (
            "POST",
            "/api/v1/calls/{id}/hangup"
            | "/api/v1/calls/{id}/handoff"
            | "/api/v1/calls/{id}/retry-clone"
            | "/api/v1/calls/{id}/fallback-voice",
        ) => made(path.replace("{id}", &holding(world, n).await.to_string()), String::new()),
        ("POST", "/api/v1/webhooks/{id}/replay") => {
            made(path.replace("{id}", &quarantined(world).await.to_string()), String::new())
        }
        ("PUT", "/api/v1/callers/{caller_id}") => {
            write_sample(&world.sample(n), n);
            made(path.replace("{caller_id}", &number), mapped)
        }
        ("PUT", "/api/v1/callers/{caller_id}/sample") => {
            world.known_caller(n).await;
            let file = Bytes::from(std::fs::read(world.sample(n)).unwrap());
            Change { path: path.replace("{caller_id}", &number), body: file }
        }
        ("DELETE", "/api/v1/callers/{caller_id}" | "/api/v1/cache/{caller_id}") => {
            world.known_caller(n).await;
            made(path.replace("{caller_id}", &number), String::new())
        }
        ("PUT", "/api/v1/bypass") => {
            made(path.to_owned(), json!({ "on": false, "reason": format!("test {n}") }).to_string())
        }
        ("POST", "/api/v1/canary") => made(path.to_owned(), String::new()),
        (_, path) if path.starts_with("/api/v1/lines/") => {
            let number = format!("%2B1202555{}", 9_000 + n);
            let line = format!("/api/v1/lines/{number}");
            let settings = |agent: &str| json!({ "settings": { "agent_id": agent } });
            for version in ["a", "b"] {
                let (status, _) = order(world, "PUT", &line, &settings(version)).await;
                assert_eq!(status, 200);
            }
            let body = match path {
                "/api/v1/lines/{number}/publish" => json!({ "version": 1 }),
                "/api/v1/lines/{number}/rollback" => json!({}),
                _ => settings("c"),
            };
            let body = if method == "DELETE" { String::new() } else { body.to_string() };
            made(path.replace("{number}", &number), body)
        }
        ("POST", "/api/v1/keys") => {
            made(path.to_owned(), json!({ "name": format!("key-{n}"), "scopes": ["read"] }).to_string())
        }
        ("DELETE", "/api/v1/keys/{id}") => {
            let order = json!({ "name": format!("ended-{n}"), "scopes": ["read"] });
            let (_, key) = world.post("/api/v1/keys", &[("x-api-key", KEY)], order.to_string()).await;
            made(path.replace("{id}", key["id"].as_str().unwrap()), String::new())
        }
        ("POST", "/api/v1/speakers") => made(path.to_owned(), json!({ "name": "Bert" }).to_string()),
        ("POST", "/api/v1/speakers/{id}/consents") => {
            let order = json!({ "evidence": "recorded", "sample_sha256": "0".repeat(64), "text": "I agree.",
                "text_version": "1" });
            made(path.replace("{id}", &speaker().await), order.to_string())
        }
        ("POST", "/api/v1/speakers/{id}/withdrawal") => {
            made(path.replace("{id}", &speaker().await), String::new())
        }
        (
            "POST",
            "/api/v1/voices/reconcile" | "/api/v1/voices/warm" | "/api/v1/config/reload" | "/api/v1/drain",
        ) => made(path.to_owned(), String::new()),
        _ => panic!("{method} {path} has no accepted request in this test: add one"),
    }
}

#[actix::test]
async fn every_change_by_api_has_its_audit_row() {
    let world = World::with(with_keys().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let changes = changes_of(&world).await;
    assert!(changes.len() >= 12, "{changes:?}");
    for (n, (method, path)) in (1_u32..).zip(&changes) {
        let change = accepted(&world, method, path, n).await;
        let before = rows(&world).await.len();
        let (status, answer) = send(&world, method, &change).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        let rows = rows(&world).await;
        assert_eq!(rows.len(), before + 1, "{method} {path}: {rows:?}");
        let (who, action, subject, detail) = rows.last().unwrap();
        assert_eq!(who, "anna", "{method} {path}");
        // A row without words of its handler would be written too. These handlers all have words.
        assert!(!action.contains('/') && !action.is_empty(), "{method} {path}: {action}");
        let has_no_id = ["/voices/", "/bypass", "/lines/", "/config/", "/drain"];
        let has_subject = !has_no_id.iter().any(|part| path.contains(part));
        assert_eq!(subject.is_some(), has_subject, "{method} {path}: {action} {detail:?}");
        let number = caller(n);
        assert!(!format!("{detail:?}").contains(&number[2..]), "{method} {path}: {detail:?}");
        // Refused: nothing is changed, and no row is written.
        let nobody = Change { path: change.path.clone(), body: change.body.clone() };
        let refused = world
            .http
            .request(
                Method::from_bytes(method.as_bytes()).unwrap(),
                format!("{}{}", world.app.url(), nobody.path),
            )
            .send_body(nobody.body)
            .await
            .unwrap();
        assert_eq!(refused.status().as_u16(), 401, "{method} {path}");
        assert_eq!(self::rows(&world).await.len(), before + 1, "{method} {path}");
    }
    world.stop().await;
}

#[actix::test]
async fn the_events_of_a_call_name_the_operator() {
    let world = World::with(with_keys().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let call = holding(&world, 1).await;
    assert_eq!(world.operate(&format!("/api/v1/calls/{call}/hangup")).await.0, 202);
    world.released(call).await;
    let (_, page) = world.get(&format!("/api/v1/calls/{call}/events?limit=200")).await;
    let events = page["items"].as_array().unwrap();
    let asked = events.iter().find(|item| item["event"]["kind"] == "operator_asked").unwrap();
    assert_eq!(
        asked["event"],
        json!({ "v": 1, "kind": "operator_asked", "request": "hang_up", "by": "anna" })
    );
    world.stop().await;
}

#[actix::test]
async fn an_unreadable_body_is_never_a_default() {
    let world = World::with(with_keys()).await;
    for path in ["/api/v1/voices/warm", "/api/v1/voices/reconcile"] {
        for (body, code) in [
            ("not json", "bad_json"),
            ("{", "bad_json"),
            (" ", "bad_json"),
            ("[1]", "bad_field"),
            ("null", "bad_field"),
            ("{\"limit\":\"10\",\"yes\":1}", "bad_field"),
        ] {
            let (status, problem) = world.post(path, &[("x-api-key", KEY)], body.to_owned()).await;
            assert_eq!((status, &problem["code"]), (400, &json!(code)), "{path} {body}");
        }
    }
    assert!(rows(&world).await.is_empty(), "nothing was changed");
    assert_eq!(world.uploads(), 0);
    world.stop().await;
}

#[actix::test]
async fn one_number_is_found_in_every_spelling_by_every_route() {
    let world = World::with(with_keys()).await;
    let number = world.known_caller(1).await;
    let call = world.ring("pbx-1", &number).await;
    world.completed(call).await;
    let (area, rest) = (&number[2..5], &number[5..]);
    for spelling in [
        number.clone(),
        format!("00{}", &number[1..]),
        format!("+1 ({area}) {rest}"),
        format!("{area}.{}.{}", &rest[..3], &rest[3..]),
        format!("{area}\u{a0}{rest}"),
        format!("tel:+1-{area}-{rest}"),
        number.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect(),
    ] {
        let encoded: String = spelling.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, found) = world.get(&format!("/api/v1/callers/{encoded}")).await;
        assert_eq!((status, &found["caller_id"]), (200, &json!(number)), "{spelling}");
        let (status, page) = world.get(&format!("/api/v1/calls?caller_id={encoded}")).await;
        assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(1)), "{spelling} {page}");
        let (status, page) = world.get(&format!("/api/v1/callers?prefix={encoded}")).await;
        let is_national =
            !spelling.contains('+') && !spelling.starts_with("00") && !spelling.starts_with('\u{ff0b}');
        let expected = usize::from(!is_national);
        assert_eq!(
            (status, page["items"].as_array().map(Vec::len)),
            (200, Some(expected)),
            "{spelling} {page}"
        );
        let change = Change { path: format!("/api/v1/cache/{encoded}"), body: Bytes::new() };
        assert_eq!(send(&world, "DELETE", &change).await.0, 200, "{spelling}");
        let file = Bytes::from(std::fs::read(world.sample(1)).unwrap());
        let change = Change { path: format!("/api/v1/callers/{encoded}/sample"), body: file };
        let (status, stored) = send(&world, "PUT", &change).await;
        assert_eq!((status, &stored["caller_id"]), (200, &json!(number)), "{spelling}");
    }
    let change = Change {
        path: "/api/v1/callers/101".to_owned(),
        body: Bytes::from(json!({ "voice_sample_url": "1.wav", "voice_name": "Desk" }).to_string()),
    };
    assert_eq!(send(&world, "PUT", &change).await.0, 201);
    for (method, path) in [
        ("GET", "/api/v1/calls?caller_id=101"),
        ("DELETE", "/api/v1/cache/101"),
        ("DELETE", "/api/v1/callers/101"),
    ] {
        let change = Change { path: path.to_owned(), body: Bytes::new() };
        let status = send(&world, method, &change).await.0;
        assert!(matches!(status, 200 | 204), "{method} {path}: {status}");
    }
    world.stop().await;
}

#[actix::test]
async fn ids_with_a_fraction_or_many_digits_are_calls_of_their_own() {
    let world = World::with(with_keys()).await;
    let number = caller(1);
    let ids = ["18446744073709551616", "18446744073709551617", "1264.5", "\"01264\"", "\"1264\"", "-7"];
    for id in ids {
        let body = format!(
            "\u{feff}{{\"event_type\":\"IncomingCall\",\"call_id\":{id},\"caller_id\":\"{number}\",\
             \"called_number\":\"+12025550199\",\"direction\":\"Incoming\"}}"
        );
        let signed = precall::signature::sign(
            precall::signature::Kind::ThreeCx,
            SECRET.as_bytes(),
            body.as_bytes(),
            clock::now(),
        );
        let (status, answer) = world.post("/webhook/3cx", &[(signed.0, &signed.1)], body).await;
        assert_eq!(status, 200, "{id} {answer}");
        assert_ne!(answer["status"], "duplicate", "{id}");
    }
    let distinct = "select count(distinct threecx_call_id) from call_log";
    assert_eq!(world.count(distinct, &[]).await, i64::try_from(ids.len()).unwrap());
    world.stop().await;
}

#[actix::test]
async fn the_log_is_filtered_by_who_by_action_and_by_subject() {
    let world = World::with(with_keys()).await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    for (who, action, subject) in
        [("anna", "looked", one), ("anna", "changed", one), ("bert", "looked", other)]
    {
        let row = "insert into audit_log (id, at, who, action, subject) values ($1, now(), $2, $3, $4)";
        world.execute(row, &[&Uuid::now_v7(), &who, &action, &subject]).await;
    }
    for (query, rows) in [
        ("action=looked".to_owned(), 2),
        ("who=anna".to_owned(), 2),
        ("who=anna&action=looked".to_owned(), 1),
        (format!("subject={one}"), 2),
        (format!("subject={other}&who=anna"), 0),
        ("who=nobody".to_owned(), 0),
    ] {
        let (status, page) = world.get(&format!("/api/v1/audit?{query}")).await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, rows), "{query}: {page}");
    }
    let (status, page) = world.get("/api/v1/audit?who=anna&limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!((status, &page["items"][0]["action"]), (200, &json!("changed")));
    let (_, page) = world.get(&format!("/api/v1/audit?who=anna&limit=1&cursor={cursor}")).await;
    assert_eq!((&page["items"][0]["action"], &page["next_cursor"]), (&json!("looked"), &Value::Null));
    assert_eq!(world.get("/api/v1/audit?subject=x").await.0, 400);
    world.stop().await;
}
