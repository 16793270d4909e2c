//! Who may do what with the API: keys of the database and of API_KEYS, scopes, addresses, expiry, and wrong keys.

use std::collections::BTreeMap;

use precall_base::clock;
use serde_json::{Value, json};

use crate::callers::{order_with, with_keys};
use crate::support::{KEY, World, caller, until};

/// What each path of the API needs. A path that is missing here fails the test.
const NEEDS: &[(&str, &str, &str)] = &[
    ("get", "/api/v1/audit", "admin"),
    ("get", "/api/v1/bypass", "read"),
    ("put", "/api/v1/bypass", "operate"),
    ("delete", "/api/v1/cache/{caller_id}", "operate"),
    ("get", "/api/v1/callers", "read"),
    ("delete", "/api/v1/callers/{caller_id}", "admin"),
    ("get", "/api/v1/callers/{caller_id}", "read"),
    ("put", "/api/v1/callers/{caller_id}", "admin"),
    ("get", "/api/v1/callers/{caller_id}/sample", "voice"),
    ("put", "/api/v1/callers/{caller_id}/sample", "voice"),
    ("get", "/api/v1/calls", "read"),
    ("get", "/api/v1/calls/{id}", "read"),
    ("get", "/api/v1/calls/{id}/events", "read"),
    ("post", "/api/v1/calls/{id}/fallback", "operate"),
    ("post", "/api/v1/calls/{id}/fallback-voice", "operate"),
    ("post", "/api/v1/calls/{id}/handoff", "operate"),
    ("post", "/api/v1/calls/{id}/hangup", "operate"),
    ("get", "/api/v1/calls/{id}/listen", "listen"),
    ("post", "/api/v1/calls/{id}/retry-clone", "operate"),
    ("post", "/api/v1/calls/{id}/say", "listen+operate"),
    ("get", "/api/v1/calls/{id}/supervision", "read"),
    ("post", "/api/v1/calls/{id}/tell", "listen+operate"),
    ("post", "/api/v1/calls/{id}/transfer", "operate"),
    ("get", "/api/v1/calls/{id}/wire", "operate"),
    ("get", "/api/v1/canary", "read"),
    ("post", "/api/v1/canary", "operate"),
    ("get", "/api/v1/config", "admin"),
    ("post", "/api/v1/config/reload", "admin"),
    ("post", "/api/v1/drain", "admin"),
    ("get", "/api/v1/events", "read"),
    ("get", "/api/v1/keys", "admin"),
    ("post", "/api/v1/keys", "admin"),
    ("delete", "/api/v1/keys/{id}", "admin"),
    ("get", "/api/v1/lines", "read"),
    ("delete", "/api/v1/lines/{number}", "admin"),
    ("get", "/api/v1/lines/{number}", "read"),
    ("put", "/api/v1/lines/{number}", "admin"),
    ("post", "/api/v1/lines/{number}/publish", "admin"),
    ("post", "/api/v1/lines/{number}/rollback", "admin"),
    ("get", "/api/v1/live", "read"),
    ("get", "/api/v1/live/stream", "read"),
    ("get", "/api/v1/openapi.json", "read"),
    ("get", "/api/v1/speakers", "voice"),
    ("post", "/api/v1/speakers", "voice"),
    ("get", "/api/v1/speakers/{id}", "voice"),
    ("post", "/api/v1/speakers/{id}/consents", "voice"),
    ("post", "/api/v1/speakers/{id}/withdrawal", "voice"),
    ("get", "/api/v1/statistics", "read"),
    ("get", "/api/v1/voices", "read"),
    ("post", "/api/v1/voices/reconcile", "voice"),
    ("post", "/api/v1/voices/warm", "voice"),
    ("get", "/api/v1/webhooks", "read"),
    ("post", "/api/v1/webhooks/{id}/replay", "operate"),
];
const SCOPES: [&str; 6] = ["read", "pii", "voice", "listen", "operate", "admin"];

/// Sends a request from an address of a client behind the trusted proxy. Returns status and `code`.
async fn ask(world: &World, key: Option<&str>, from: &str, method: &str, path: &str) -> (u16, String) {
    let url = format!("{}{path}", world.app.url());
    let mut request = world
        .http
        .request(method.to_ascii_uppercase().parse().unwrap(), url)
        .insert_header(("x-forwarded-for", from));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let mut answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    // The event stream does not end.
    let body = if status == 200 { bytes::Bytes::new() } else { answer.body().await.unwrap() };
    let problem: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

async fn made(world: &World, order: Value) -> (String, String) {
    let (status, made) = order_with(world, KEY, "POST", "/api/v1/keys", Some(&order)).await;
    assert_eq!(status, 201, "{made}");
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn revoke(world: &World, id: &str) -> u16 {
    order_with(world, KEY, "DELETE", &format!("/api/v1/keys/{id}"), None).await.0
}

#[actix::test]
async fn every_path_takes_the_keys_that_it_should_and_no_other() {
    let plan = with_keys().env("TRUSTED_PROXIES", "127.0.0.1").env("SOURCE_LIMIT_PER_SECOND", "10000");
    let world = World::with(plan).await;
    let (_, document) = world.get("/api/v1/openapi.json").await;
    let mut paths = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|_| path.starts_with("/api/")) {
            paths.push((method.clone(), path.clone()));
        }
    }
    paths.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    let listed: Vec<_> =
        NEEDS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(listed, paths, "the table of this test and the document have the same paths");

    let mut keys = BTreeMap::new();
    for scope in SCOPES {
        keys.insert(scope, made(&world, json!({ "name": scope, "scopes": [scope] })).await.0);
    }
    let all = |name: &str| json!({ "name": name, "scopes": ["admin"] });
    let (revoked, id) = made(&world, all("revoked")).await;
    assert_eq!((revoke(&world, &id).await, revoke(&world, &id).await), (204, 204));
    let soon = clock::wall().plus(std::time::Duration::from_millis(1_500));
    let until_then = jiff::Timestamp::from_microsecond(soon.0).unwrap().to_string();
    let mut order = all("expired");
    order["expires_at"] = json!(until_then);
    let (expired, _) = made(&world, order).await;
    let mut order = all("elsewhere");
    order["addresses"] = json!(["192.0.2.0/24", "2001:db8::7"]);
    let (elsewhere, _) = made(&world, order).await;
    let is_over =
        || async { ask(&world, Some(&expired), "198.51.100.250", "get", "/api/v1/live").await.0 == 401 };
    until("the key has expired", is_over).await;

    for (place, (method, path, needs)) in (1_u8..).zip(NEEDS) {
        let path = path
            .replace("{id}", "01890000-0000-7000-8000-000000000000")
            .replace("{caller_id}", "+12025550111")
            .replace("{number}", "+12025550111");
        // Wrong keys of one address are throttled after ten.
        let from = format!("198.51.100.{place}");
        let refused = async |key: Option<&str>, from: &str| ask(&world, key, from, method, &path).await;
        let unknown = "unknown-key-0123456789abcdef0123456789abcdef";
        for key in [None, Some("short"), Some(unknown), Some(&*revoked), Some(&*expired)] {
            let expected = (401, "unauthenticated".to_owned());
            assert_eq!(refused(key, &from).await, expected, "{method} {path}");
        }
        let wrong_address = (403, "address_not_trusted".to_owned());
        assert_eq!(refused(Some(&*elsewhere), &from).await, wrong_address, "{method} {path}");
        // The proxy is trusted, what stands before its own entry is not.
        assert_eq!(refused(Some(&*elsewhere), &format!("192.0.2.9, {from}")).await, wrong_address, "{path}");
        for scope in SCOPES {
            let (status, code) = refused(Some(&keys[scope]), &from).await;
            let may = scope == "admin" || scope == *needs || *needs == "read";
            assert_eq!(status != 403, may, "{method} {path} with {scope}: {status} {code}");
            assert_ne!(status, 401, "{method} {path} with {scope}");
        }
        for from in ["192.0.2.9", "2001:db8::7"] {
            let (status, code) = refused(Some(&*elsewhere), from).await;
            assert!(!matches!(status, 401 | 403), "{method} {path} from {from}: {status} {code}");
        }
    }
    world.stop().await;
}

#[actix::test]
async fn wrong_keys_of_one_address_are_answered_429_and_right_ones_are_not() {
    let world = World::with(with_keys().env("TRUSTED_PROXIES", "127.0.0.1")).await;
    let wrong = "wrong-key-0123456789abcdef0123456789abcdef";
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(ask(&world, Some(wrong), "198.51.100.7", "get", "/api/v1/live").await.0);
    }
    assert_eq!(answers[..10], [401; 10]);
    assert!(answers[12..].iter().all(|status| *status == 429), "{answers:?}");
    assert_eq!(ask(&world, Some(KEY), "198.51.100.7", "get", "/api/v1/live").await.0, 200);
    assert_eq!(ask(&world, Some(wrong), "198.51.100.8", "get", "/api/v1/live").await.0, 401);
    world.stop().await;
}

#[actix::test]
async fn keys_are_made_listed_and_used_over_a_restart() {
    let world = World::with(with_keys()).await;
    let order = json!({ "name": "desk", "scopes": ["operate", "pii"], "owner": "Anna" });
    let (key, id) = made(&world, order.clone()).await;
    let (status, problem) = order_with(&world, KEY, "POST", "/api/v1/keys", Some(&order)).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("name_taken")));
    for (wrong, says) in [
        (json!({ "name": "a b", "scopes": ["read"] }), "name"),
        (json!({ "name": "anna", "scopes": ["read"] }), "API_KEYS"),
        (json!({ "name": "x", "scopes": [] }), "scopes"),
        (json!({ "name": "x", "scopes": ["write"] }), "read, pii, voice, listen, operate, admin"),
        (json!({ "name": "x", "scopes": ["read"], "addresses": ["10.0.0.0/99"] }), "addresses"),
        (json!({ "name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" }), "future"),
    ] {
        let (status, problem) = order_with(&world, KEY, "POST", "/api/v1/keys", Some(&wrong)).await;
        assert!(matches!(status, 400 | 409), "{wrong}: {status}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{wrong}: {problem}");
    }
    let (_, list) = order_with(&world, KEY, "GET", "/api/v1/keys", None).await;
    let item = &list["items"][0];
    assert_eq!(
        (&item["name"], &item["owner"], &item["state"]),
        (&json!("desk"), &json!("Anna"), &json!("usable"))
    );
    assert_eq!(item["created_by"], "anna");
    assert!(!list.to_string().contains(&key));
    let names: Vec<_> =
        list["configured"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["anna", "reader", "operator"]);
    assert_eq!(revoke(&world, "01890000-0000-7000-8000-000000000000").await, 404);

    let world = world.restart().await;
    let is_known = || async { order_with(&world, &key, "GET", "/api/v1/live", None).await.0 == 200 };
    until("the key is known after the restart", is_known).await;
    assert_eq!(order_with(&world, &key, "GET", "/api/v1/audit", None).await.0, 403);
    assert_eq!(revoke(&world, &id).await, 204);
    assert_eq!(order_with(&world, &key, "GET", "/api/v1/live", None).await.0, 401);
    let rows =
        world.client.query("select who, action, detail from audit_log order by id", &[]).await.unwrap();
    let rows: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for action in ["key_created", "key_revoked"] {
        assert!(rows.contains(&("anna".to_owned(), action.to_owned())), "{action} in {rows:?}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_new_key_is_in_no_kept_answer() {
    let world = World::with(with_keys()).await;
    let send = async || {
        let url = format!("{}/api/v1/keys", world.app.url());
        let request = world.http.post(url).bearer_auth(KEY).insert_header(("idempotency-key", "once"));
        let mut answer = request.send_json(&json!({ "name": "desk", "scopes": ["read"] })).await.unwrap();
        (answer.status().as_u16(), answer.body().await.unwrap())
    };
    let (status, _) = send().await;
    assert_eq!(status, 201);
    assert_eq!(world.count("select count(*) from idempotency_keys where answer is not null", &[]).await, 0);
    assert_eq!(send().await.0, 409, "the name is taken");
    world.stop().await;
}

#[actix::test]
async fn without_the_scope_pii_numbers_are_masked_and_words_are_missing_and_looks_are_in_the_audit_log() {
    let world = World::with(with_keys()).await;
    let number = world.known_caller(1).await;
    let call = world.ring("pbx-1", &number).await;
    world.completed(call).await;
    world
        .until_row("the report", "select 1 from call_log where id = $1 and transcript is not null", &[&call])
        .await;
    let (reader, _) = made(&world, json!({ "name": "r", "scopes": ["read"] })).await;
    let (desk, _) = made(&world, json!({ "name": "d", "scopes": ["pii"] })).await;
    let paths = [
        ("/api/v1/calls".to_owned(), "calls_seen"),
        (format!("/api/v1/calls/{call}"), "call_seen"),
        (format!("/api/v1/calls/{call}/events"), ""),
        ("/api/v1/callers".to_owned(), "callers_seen"),
        (format!("/api/v1/callers/{}", number.replace('+', "%2B")), "caller_seen"),
        ("/api/v1/voices".to_owned(), "voices_seen"),
        ("/api/v1/webhooks".to_owned(), ""),
        ("/api/v1/live".to_owned(), ""),
        ("/api/v1/statistics".to_owned(), ""),
    ];
    for (path, action) in &paths {
        let (status, masked) = order_with(&world, &reader, "GET", path, None).await;
        assert_eq!(status, 200, "{path}");
        assert!(!masked.to_string().contains(&number[1..]), "{path}: {masked}");
        for name in ["transcript", "metadata", "voice_sample_url", "analysis", "summary_title"] {
            assert!(is_missing(&masked, name), "{name} of {path}: {masked}");
        }
        let url = format!("{}{path}", world.app.url());
        let asked = world.http.get(url).bearer_auth(&desk).insert_header(("x-masked", "true"));
        let by_choice = asked.send().await.unwrap().body().await.unwrap();
        let by_choice = String::from_utf8_lossy(&by_choice).into_owned();
        assert!(!by_choice.contains(&number[1..]), "{path}: {by_choice}");
        let (_, whole) = order_with(&world, &desk, "GET", path, None).await;
        let sql = "select count(*) from audit_log where who = $1 and action = $2";
        let seen = async |who: &str| world.count(sql, &[&who, action]).await;
        assert_eq!((seen("r").await, seen("d").await), (0, i64::from(!action.is_empty())), "{path}");
        if !action.is_empty() {
            assert!(whole.to_string().contains(&number), "{path}: {whole}");
        }
    }
    let (_, whole) = order_with(&world, &desk, "GET", &format!("/api/v1/calls/{call}"), None).await;
    assert!(whole["transcript"].is_string(), "{whole}");
    // A prefix would show the number digit by digit.
    assert_eq!(order_with(&world, &reader, "GET", "/api/v1/callers?prefix=%2B1", None).await.0, 403);
    assert_eq!(order_with(&world, &desk, "GET", "/api/v1/callers?prefix=%2B1", None).await.0, 200);
    let url = format!("{}/api/v1/callers?prefix=%2B1", world.app.url());
    let asked = world.http.get(url).bearer_auth(&desk).insert_header(("x-masked", "true"));
    assert_eq!(asked.send().await.unwrap().status(), 403, "a prefix would show it without an audit row");
    world.stop().await;
}

/// Whether no object in this value has a field of this name that is not null.
fn is_missing(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get(name).is_none_or(Value::is_null)
                && fields.values().all(|value| is_missing(value, name))
        }
        Value::Array(items) => items.iter().all(|item| is_missing(item, name)),
        _ => true,
    }
}

#[actix::test]
async fn the_cursor_of_callers_shows_no_number() {
    let world = World::with(with_keys()).await;
    for n in 1..=3 {
        world.mapped_caller(n).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/callers?limit=1&cursor={cursor}");
        let (status, page) = order_with(&world, KEY, "GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        seen.push(page["items"][0]["caller_id"].as_str().unwrap().to_owned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
        assert!(uuid::Uuid::try_parse(&cursor).is_ok(), "{cursor}");
    }
    assert_eq!(seen, [caller(1), caller(2), caller(3)]);
    for wrong in ["!", "01890000-0000-7000-8000-000000000000"] {
        let (status, problem) =
            order_with(&world, KEY, "GET", &format!("/api/v1/callers?cursor={wrong}"), None).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("bad_cursor")), "{wrong}");
    }
    world.stop().await;
}
