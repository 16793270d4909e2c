//! Speakers give and withdraw consents over the API.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::{hash_of, order, order_with, path_of, speaker_of, with_keys};
use crate::support::{KEY, World, caller, until, write_sample};

fn of(speaker: Uuid, what: &str) -> String {
    format!("/api/v1/speakers/{speaker}{what}")
}

/// Creates a caller of this speaker, with sample `n`.
async fn mapped(world: &World, number: &str, n: u32, speaker: Uuid) {
    let body = json!({ "voice_sample_url": format!("{n}.wav"), "voice_name": "Anna", "speaker": speaker });
    let (status, answer) = order(world, "PUT", &path_of(number), &body).await;
    assert_eq!(status, 201, "{answer}");
}

#[actix::test]
async fn speakers_are_listed_and_shown_with_their_consents() {
    let world = World::with(with_keys()).await;
    write_sample(&world.sample(1), 1);
    let mut made = Vec::new();
    for name in ["Anna", "Berta", "Clara"] {
        made.push(speaker_of(&world, name, 1).await);
    }
    let (_, first) = world.get("/api/v1/speakers?limit=2").await;
    let rest = format!("/api/v1/speakers?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let (_, last) = world.get(&rest).await;
    let names = |page: &Value| -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect()
    };
    assert_eq!((names(&first), names(&last)), (vec![json!("Anna"), json!("Berta")], vec![json!("Clara")]));
    assert_eq!(last["next_cursor"], Value::Null);
    let signed = json!({ "evidence": "signed", "sample_sha256": hash_of(&world, 1), "document_sha256": "ab".repeat(32),
        "reference": "folder 7", "text": "I agree\nagain.", "text_version": "2", "given_at": "2026-01-02T03:04:05Z",
        "expires_at": "2999-01-01T00:00:00Z" });
    let (status, given) = order(&world, "POST", &of(made[0], "/consents"), &signed).await;
    assert_eq!(status, 201, "{given}");
    let (_, shown) = world.get(&of(made[0], "")).await;
    assert_eq!((&shown["name"], shown["consents"].as_array().unwrap().len()), (&json!("Anna"), 2));
    let newest = &shown["consents"][0];
    for (field, value) in [
        ("id", given["id"].clone()),
        ("evidence", json!("signed")),
        ("sample_sha256", json!(hash_of(&world, 1))),
        ("given_at", json!("2026-01-02T03:04:05Z")),
        ("expires_at", json!("2999-01-01T00:00:00Z")),
        ("ended_at", Value::Null),
        ("given", json!(4)),
        ("reference", json!("folder 7")),
        ("text", json!("I agree\nagain.")),
    ] {
        assert_eq!(newest[field], value, "{field}");
    }
    world.stop().await;
}

#[actix::test]
async fn an_invalid_consent_is_refused() {
    let world = World::with(with_keys()).await;
    write_sample(&world.sample(1), 1);
    let speaker = speaker_of(&world, "Anna", 1).await;
    let good = json!({ "evidence": "signed", "sample_sha256": "ab".repeat(32), "document_sha256": "cd".repeat(32),
        "reference": "folder 7", "text": "I agree.", "text_version": "1" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for body in [
        with("evidence", json!("heard")),
        with("evidence", Value::Null),
        with("sample_sha256", json!("AB".repeat(32))),
        with("sample_sha256", json!("ab")),
        with("document_sha256", Value::Null),
        with("document_sha256", json!("x".repeat(64))),
        with("reference", Value::Null),
        with("reference", json!("a\u{0}")),
        with("text", json!(" ")),
        with("text", json!("x".repeat(20_001))),
        with("text_version", json!("")),
        with("given_at", json!("2999-01-01T00:00:00Z")),
        with("given_at", json!("yesterday")),
        with("expires_at", json!("2026-01-01T00:00:00Z")),
        with("withdrawn", json!(true)),
    ] {
        let (status, problem) = order(&world, "POST", &of(speaker, "/consents"), &body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_field")), "{body}");
    }
    let nobody = Uuid::now_v7();
    for (method, path, body) in [
        ("POST", of(nobody, "/consents"), Some(&good)),
        ("POST", of(nobody, "/withdrawal"), None),
        ("GET", of(nobody, ""), None),
        ("GET", "/api/v1/speakers/7".to_owned(), None),
    ] {
        let (status, problem) = order_with(&world, KEY, method, &path, body).await;
        assert_eq!((status, &problem["code"]), (404, &json!("speaker_not_found")), "{path}");
    }
    assert_eq!(order(&world, "POST", "/api/v1/speakers", &json!({ "name": "" })).await.0, 400);
    for key in ["reader-key-0123456789abcdef0123456789abcdef", "operator-key-0123456789abcdef0123456789abcd"]
    {
        for (method, path, body) in [
            ("GET", "/api/v1/speakers".to_owned(), None),
            ("GET", of(speaker, ""), None),
            ("POST", "/api/v1/speakers".to_owned(), Some(&good)),
            ("POST", of(speaker, "/consents"), Some(&good)),
            ("POST", of(speaker, "/withdrawal"), None),
        ] {
            assert_eq!(order_with(&world, key, method, &path, body).await.0, 403, "{method} {path}");
        }
    }
    assert_eq!(world.count("select count(*) from consents", &[]).await, 1, "only the first");
    assert_eq!(world.count("select count(*) from audit_log", &[]).await, 2);
    world.stop().await;
}

#[actix::test]
async fn withdrawing_a_consent_reaches_every_mapping_the_provider_and_the_sample() {
    let world = World::with(with_keys()).await;
    let (first, second, other) = (caller(1), caller(2), caller(3));
    for n in [1, 2] {
        write_sample(&world.sample(n), n);
    }
    let (anna, berta) = (speaker_of(&world, "Anna", 1).await, speaker_of(&world, "Berta", 2).await);
    mapped(&world, &first, 1, anna).await;
    mapped(&world, &second, 1, anna).await;
    mapped(&world, &other, 2, berta).await;
    for (id, number) in [("pbx-1", &first), ("pbx-2", &second), ("pbx-3", &other)] {
        let call = world.ring(id, number).await;
        assert!(world.completed(call).await.get::<_, Option<String>>("cloned_voice_id").is_some(), "{id}");
    }
    let (status, answer) = order_with(&world, KEY, "POST", &of(anna, "/withdrawal"), None).await;
    assert_eq!((status, &answer), (200, &json!({ "consents_ended": 1, "callers": 2, "samples": 1 })));
    for (id, number) in [("pbx-4", &first), ("pbx-5", &second)] {
        let call = world.ring(id, number).await;
        let why: Option<String> = world.completed(call).await.get("voice_missing");
        assert_eq!(why.as_deref(), Some("no_consent"), "{id}");
    }
    until("only these two voices are deleted at the provider", || async {
        world.simulator.voices().as_array().unwrap().len() == 1
    })
    .await;
    until("the sample is gone", || async { !world.sample(1).exists() }).await;
    assert!(world.sample(2).exists(), "another speaker's sample");
    let call = world.ring("pbx-6", &other).await;
    assert!(world.completed(call).await.get::<_, Option<String>>("cloned_voice_id").is_some());
    let (_, page) = world.get("/api/v1/audit?limit=1").await;
    let row = &page["items"][0];
    assert_eq!((&row["action"], &row["who"]), (&json!("consent_withdrawn"), &json!("anna")));
    assert_eq!(row["subject"], json!(anna.to_string()));
    assert_eq!(row["detail"], json!({ "consents": 1, "callers": 2, "samples": 1 }));
    let before = format!("/api/v1/audit?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&before).await.1["items"][0]["action"], "caller_created");
    let (_, shown) = world.get(&of(anna, "")).await;
    assert!(shown["consents"][0]["ended_at"].is_string(), "{shown}");
    let (status, again) = order_with(&world, KEY, "POST", &of(anna, "/withdrawal"), None).await;
    assert_eq!((status, &again["consents_ended"]), (200, &json!(0)));
    world.stop().await;
}
