//! Administrators manage callers with the API, and calls use their settings.

use precall::config::{ApiKeys, Scope};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{KEY, Plan, World, caller, consent, until, write_sample};

pub const READER: &str = "reader-key-0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "operator-key-0123456789abcdef0123456789abcd";

pub fn with_keys() -> Plan {
    let entry = |name, scope, key| ApiKeys::entry(name, scope, key).unwrap();
    let keys = [
        entry("anna", Scope::Admin, KEY),
        entry("reader", Scope::Read, READER),
        entry("operator", Scope::Operate, OPERATOR),
    ];
    Plan::default().env("API_KEYS", &keys.join(","))
}

/// Sends a request with the given API key.
pub async fn order_with(
    world: &World,
    key: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let url = format!("{}{path}", world.app.url());
    let request = world.http.request(method.parse().unwrap(), url).bearer_auth(key);
    let mut answer = match body {
        Some(body) => request.send_json(body).await.unwrap(),
        None => request.send().await.unwrap(),
    };
    let bytes = answer.body().await.unwrap();
    world.documented((method, path), answer.status().as_u16(), answer.headers(), &bytes)
}

pub async fn order(world: &World, method: &str, path: &str, body: &Value) -> (u16, Value) {
    order_with(world, KEY, method, path, Some(body)).await
}

pub fn path_of(caller: &str) -> String {
    format!("/api/v1/callers/{}", caller.replace('+', "%2B"))
}

async fn put(world: &World, caller: &str, body: &Value) -> (u16, Value) {
    order(world, "PUT", &path_of(caller), body).await
}

async fn delete(world: &World, caller: &str) -> (u16, Value) {
    order_with(world, KEY, "DELETE", &path_of(caller), None).await
}

/// Creates a speaker who consents to the cloning of sample `n`.
pub async fn speaker_of(world: &World, name: &str, n: u32) -> Uuid {
    let (status, made) = order(world, "POST", "/api/v1/speakers", &json!({ "name": name })).await;
    assert_eq!(status, 201, "{made}");
    let speaker: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    let given = json!({ "evidence": "recorded", "sample_sha256": hash_of(world, n), "text": "I agree.",
        "text_version": "1" });
    let (status, answer) =
        order(world, "POST", &format!("/api/v1/speakers/{speaker}/consents"), &given).await;
    assert_eq!(status, 201, "{answer}");
    speaker
}

/// SHA-256 of sample `n`, in hex.
pub fn hash_of(world: &World, n: u32) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(std::fs::read(world.sample(n)).unwrap()))
}

async fn missing(world: &World, pbx_id: &str, caller: &str) -> Option<String> {
    let call = world.ring(pbx_id, caller).await;
    world.completed(call).await.get("voice_missing")
}

#[actix::test]
async fn a_caller_can_be_created_read_changed_and_deleted() {
    let world = World::with(with_keys()).await;
    let number = caller(1);
    assert_eq!(world.get(&path_of(&number)).await.0, 404);
    write_sample(&world.sample(1), 1);
    let mapped = json!({ "voice_sample_url": "1.wav", "voice_name": "Anna", "description": "the\nfirst" });
    let (status, made) = put(&world, &number, &mapped).await;
    assert_eq!(status, 201, "{made}");
    for (field, value) in [
        ("caller_id", json!(number)),
        ("voice_sample_url", json!("1.wav")),
        ("voice_name", json!("Anna")),
        ("description", json!("the\nfirst")),
        ("speaker", Value::Null),
        ("voice_policy", Value::Null),
        ("has_pin", json!(false)),
        ("sample_state", json!("usable")),
        ("sample_problem", Value::Null),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    // The number as dialled within precall's country.
    let national = format!("({}) {}-{}", &number[2..5], &number[5..8], &number[8..]).replace(' ', "%20");
    assert_eq!(world.get(&path_of(&national)).await, (200, made.clone()));
    world
        .execute(
            "update caller_voice_mapping set pin_hash = 'h', pin_failures = 2, pin_failed_at = now()",
            &[],
        )
        .await;
    let changed = json!({ "voice_sample_url": "1.wav", "voice_name": "Anne", "voice_policy": "proof" });
    let (status, shown) = put(&world, &number, &changed).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!((&shown["voice_name"], &shown["description"]), (&json!("Anne"), &Value::Null));
    assert_eq!((&shown["voice_policy"], &shown["has_pin"]), (&json!("proof"), &json!(true)), "the PIN stays");
    assert_eq!(shown["created_at"], made["created_at"]);
    assert_ne!(shown["updated_at"], made["updated_at"]);
    let failures = "select pin_failures from caller_voice_mapping";
    assert_eq!(
        world.client.query_one(failures, &[]).await.unwrap().get::<_, i32>(0),
        2,
        "the count of wrong PINs is kept"
    );
    let without = json!({ "voice_sample_url": "1.wav", "voice_name": "Anne", "pin": null });
    assert_eq!(put(&world, &number, &without).await.1["has_pin"], json!(false));
    assert_eq!(world.client.query_one(failures, &[]).await.unwrap().get::<_, i32>(0), 0);
    assert_eq!(delete(&world, &number).await.0, 204);
    assert_eq!(delete(&world, &number).await.1["code"], "caller_not_found");
    assert_eq!(world.get(&path_of(&number)).await.0, 404);
    assert_eq!(put(&world, &number, &mapped).await.0, 201, "anew");
    let (_, page) = world.get("/api/v1/audit").await;
    let actions: Vec<(&Value, &Value)> =
        page["items"].as_array().unwrap().iter().map(|row| (&row["action"], &row["who"])).collect();
    let anna = json!("anna");
    // The newest first. A look at the caller is a row as well.
    let changed = "caller_changed";
    let expected = ["caller_created", "caller_deleted", changed, changed, "caller_seen", "caller_created"];
    let expected = expected.map(|action| json!(action));
    assert_eq!(actions, expected.iter().map(|action| (action, &anna)).collect::<Vec<_>>());
    assert!(!page.to_string().contains(&number[1..]) && !page.to_string().contains("1.wav"), "{page}");
    world.stop().await;
}

#[actix::test]
async fn a_pin_is_stored_and_never_shown() {
    let world = World::new().await;
    let number = crate::support::caller(1);
    write_sample(&world.sample(1), 1);
    let with = |pin: &str| json!({ "voice_sample_url": "1.wav", "voice_name": "Anna", "pin": pin });
    let (status, shown) = put(&world, &number, &with("739154")).await;
    assert_eq!((status, &shown["has_pin"]), (201, &json!(true)), "{shown}");
    assert!(!shown.to_string().contains("739154"));
    let stored: String =
        world.client.query_one("select pin_hash from caller_voice_mapping", &[]).await.unwrap().get(0);
    assert!(stored.starts_with("$argon2id$") && !stored.contains("739154"), "{stored}");
    for guessed in ["1234", "7777", "98", "12a4"] {
        let (status, problem) = put(&world, &number, &with(guessed)).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_field")), "{guessed}: {problem}");
        assert!(!problem.to_string().contains(guessed), "{problem}");
    }
    let kept: String =
        world.client.query_one("select pin_hash from caller_voice_mapping", &[]).await.unwrap().get(0);
    assert_eq!(kept, stored, "a refused PIN changes nothing");
    world.stop().await;
}

#[actix::test]
async fn callers_are_listed_in_pages_and_found_by_prefix() {
    let world = World::with(with_keys()).await;
    let mut numbers: Vec<String> = (1..=5).map(caller).collect();
    write_sample(&world.samples().join("x.wav"), 1);
    numbers.extend(["+493012345678", "+493012345679", "101", "102"].map(str::to_owned));
    for number in &numbers {
        let mapped = json!({ "voice_sample_url": "x.wav", "voice_name": "X" });
        assert_eq!(put(&world, number, &mapped).await.0, 201, "{number}");
    }
    numbers.sort();
    assert_eq!(delete(&world, &caller(3)).await.0, 204);
    numbers.retain(|number| *number != caller(3));
    let listed = |prefix: &'static str| {
        let world = &world;
        async move {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/callers?limit=2&prefix={prefix}&cursor={cursor}");
                let (status, page) = world.get(&path).await;
                assert_eq!(status, 200, "{page}");
                let items = page["items"].as_array().unwrap();
                found.extend(items.iter().map(|item| item["caller_id"].as_str().unwrap().to_owned()));
                match page["next_cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => return found,
                }
            }
        }
    };
    assert_eq!(listed("").await, numbers);
    assert_eq!(listed("%2B49").await, ["+493012345678", "+493012345679"]);
    assert_eq!(listed("+493012345679").await, ["+493012345679"], "a plus sign is kept");
    assert_eq!(listed("10").await, ["101", "102"]);
    assert_eq!(listed("%2B33").await, [] as [String; 0]);
    for (query, code) in [
        ("prefix=abc", "bad_query"),
        ("limit=0", "bad_query"),
        ("cursor=!", "bad_cursor"),
        ("x=1", "bad_query"),
    ] {
        assert_eq!(world.get(&format!("/api/v1/callers?{query}")).await.1["code"], code, "{query}");
    }
    world.stop().await;
}

#[actix::test]
async fn an_invalid_caller_is_refused_and_the_answer_does_not_repeat_it() {
    let world = World::with(with_keys()).await;
    write_sample(&world.sample(1), 1);
    let good = json!({ "voice_sample_url": "1.wav", "voice_name": "Anna" });
    for number in ["anonymous", "x", "%2B1", "%2B49301234567890123456"] {
        let (status, problem) = order(&world, "PUT", &format!("/api/v1/callers/{number}"), &good).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad_number")), "{number}");
    }
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let number = caller(1);
    for (body, code, status) in [
        (json!({ "voice_name": "Anna" }), "bad_field", 400),
        (json!([]), "bad_field", 400),
        (with("voice_name", json!("")), "bad_field", 400),
        (with("voice_name", json!("x".repeat(201))), "bad_field", 400),
        (with("voice_sample_url", json!("a\u{0}b")), "bad_field", 400),
        (with("voice_sample_url", json!("x".repeat(1_025))), "bad_field", 400),
        (with("description", json!("x".repeat(2_001))), "bad_field", 400),
        (with("description", json!("x".repeat(70_000))), "body_too_large", 413),
        (with("voice_policy", json!("maybe")), "bad_field", 400),
        (with("voice_policy", json!(5)), "bad_field", 400),
        (with("speaker", json!("anna")), "bad_field", 400),
        (with("speaker", json!(Uuid::now_v7())), "speaker_not_found", 404),
        (with("voice_nmae", json!("x")), "bad_field", 400),
        (with("pin", json!(8_271_934)), "bad_field", 400),
    ] {
        let (answered, problem) = put(&world, &number, &body).await;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{body}");
        assert!(!problem.to_string().contains("8271934"), "{problem}");
    }
    let url = format!("{}{}", world.app.url(), path_of(&number));
    let answer = world.http.put(url).bearer_auth(KEY).send_body("{").await.unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    assert_eq!(world.count("select count(*) from caller_voice_mapping", &[]).await, 0);
    assert_eq!(world.count("select count(*) from audit_log", &[]).await, 0);
    for key in [READER, OPERATOR] {
        let path = path_of(&number);
        assert_eq!(order_with(&world, key, "PUT", &path, Some(&good)).await.0, 403);
        assert_eq!(order_with(&world, key, "DELETE", &path, None).await.0, 403);
        assert_eq!(order_with(&world, key, "DELETE", &format!("{path}?erase=true"), None).await.0, 403);
        assert_eq!(order_with(&world, key, "GET", "/api/v1/audit", None).await.0, 403);
        assert_eq!(order_with(&world, key, "GET", "/api/v1/callers", None).await.0, 200);
    }
    world.stop().await;
}

#[actix::test]
async fn a_caller_with_consent_gets_the_cloned_voice_until_deleted() {
    let world = World::with(with_keys()).await;
    let number = caller(1);
    write_sample(&world.sample(1), 1);
    let speaker = speaker_of(&world, "Anna", 1).await;
    assert_eq!(missing(&world, "pbx-0", &number).await.as_deref(), Some("no_mapping"));
    let mapped = json!({ "voice_sample_url": "1.wav", "voice_name": "Anna", "speaker": speaker });
    assert_eq!(put(&world, &number, &mapped).await.0, 201);
    assert_eq!(missing(&world, "pbx-1", &number).await, None);
    assert_eq!(world.uploads(), 1);
    let policy = json!({ "voice_sample_url": "1.wav", "voice_name": "Anna", "speaker": speaker,
        "voice_policy": "never" });
    assert_eq!(put(&world, &number, &policy).await.0, 200);
    assert!(missing(&world, "pbx-2", &number).await.is_some());
    assert_eq!(delete(&world, &number).await.0, 204);
    assert_eq!(missing(&world, "pbx-3", &number).await.as_deref(), Some("no_mapping"));
    until("the voice is gone from the provider", || async {
        world.simulator.voices().as_array().unwrap().is_empty()
    })
    .await;
    assert!(world.sample(1).exists(), "precall deletes only uploaded samples");
    world.stop().await;
}

#[actix::test]
async fn a_new_sample_is_cloned_and_an_unused_uploaded_sample_is_deleted() {
    let world = World::with(with_keys()).await;
    std::fs::create_dir_all(world.samples().join("uploads")).unwrap();
    let upload = world.samples().join("uploads/a.wav");
    write_sample(&upload, 1);
    write_sample(&world.sample(2), 2);
    let number = caller(1);
    let mapped = |sample: &str, speaker: Option<Uuid>| {
        let name = "Anna";
        json!({ "voice_sample_url": sample, "voice_name": name, "speaker": speaker })
    };
    for other in [caller(1), caller(2)] {
        assert_eq!(put(&world, &other, &mapped("uploads/a.wav", None)).await.0, 201);
    }
    let speaker = consent(&world.url, &number, &upload).await;
    assert_eq!(missing(&world, "pbx-1", &number).await, None);
    assert_eq!(put(&world, &number, &mapped("2.wav", Some(speaker))).await.0, 200);
    let covers_another = missing(&world, "pbx-2", &number).await;
    assert_eq!(covers_another.as_deref(), Some("no_consent"), "the consent is for the previous sample");
    assert_eq!(
        world.count("select count(*) from deletions", &[]).await,
        0,
        "another caller still uses the upload"
    );
    assert_eq!(put(&world, &caller(2), &mapped("2.wav", None)).await.0, 200);
    until("the upload is deleted", || async { !upload.exists() }).await;
    write_sample(&world.samples().join("x.wav"), 1);
    for other in [caller(1), caller(2)] {
        assert_eq!(put(&world, &other, &mapped("x.wav", None)).await.0, 200);
    }
    assert_eq!(world.count("select count(*) from deletions", &[]).await, 1, "only the upload is deleted");
    world.stop().await;
}

#[actix::test]
async fn a_sample_is_looked_at_when_a_caller_is_mapped_to_it() {
    let world = World::with(with_keys()).await;
    let number = caller(1);
    std::fs::write(world.samples().join("letter.wav"), "Dear Anna, ".repeat(100)).unwrap();
    let mapped = |sample: &str| json!({ "voice_sample_url": sample, "voice_name": "Anna" });
    for (sample, why) in [
        ("nothing.wav", "does not exist"),
        ("letter.wav", "is not a recording"),
        ("../../etc/hostname", "outside"),
        ("ftp://example.com/a.wav", "ftp://"),
        ("s3://voices/a.wav", "not configured"),
    ] {
        let (status, problem) = put(&world, &number, &mapped(sample)).await;
        assert_eq!((status, &problem["code"]), (422, &json!("sample_refused")), "{sample} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{sample} {problem}");
    }
    assert_eq!(world.count("select count(*) from caller_voice_mapping", &[]).await, 0);
    let (status, awaited) = put(&world, &number, &mapped("uploads/first.wav")).await;
    assert_eq!(
        (status, &awaited["sample_state"]),
        (201, &json!("unchecked")),
        "an upload follows: {awaited}"
    );
    write_sample(&world.sample(1), 1);
    let (_, usable) = put(&world, &number, &mapped("1.wav")).await;
    assert_eq!((&usable["sample_state"], &usable["sample_problem"]), (&json!("usable"), &Value::Null));
    assert!(usable["sample_checked_at"].is_string(), "{usable}");
    std::fs::remove_file(world.sample(1)).unwrap();
    let never = json!({ "voice_sample_url": "1.wav", "voice_name": "Anna", "voice_policy": "never" });
    let (status, refused) = put(&world, &number, &never).await;
    assert_eq!(
        (status, &refused["sample_state"], &refused["voice_policy"]),
        (200, &json!("refused"), &json!("never"))
    );
    assert!(refused["sample_problem"].as_str().unwrap().contains("does not exist"), "{refused}");
    world.execute("update caller_voice_mapping set voice_sample_url = 'other.wav'", &[]).await;
    let (_, other) = world.get(&path_of(&number)).await;
    assert_eq!((&other["sample_state"], &other["sample_problem"]), (&json!("unchecked"), &Value::Null));
    assert_eq!(other["sample_checked_at"], Value::Null);
    world.stop().await;
}

#[actix::test]
async fn a_store_that_does_not_answer_keeps_no_request_waiting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let plan = with_keys()
        .env("S3_BUCKET_NAME", "voices")
        .env("S3_REGION", "eu-central-1")
        .env("S3_ENDPOINT", &endpoint)
        .env("AWS_ACCESS_KEY_ID", "simulated-key")
        .env("AWS_SECRET_ACCESS_KEY", "simulated-secret");
    let world = World::with(plan).await;
    let begun = std::time::Instant::now();
    let mapped = json!({ "voice_sample_url": "s3://voices/anna.wav", "voice_name": "Anna" });
    let (status, made) = put(&world, &caller(1), &mapped).await;
    assert_eq!((status, &made["sample_state"]), (201, &json!("unchecked")), "{made}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    world.stop().await;
}

/// A PUT with these headers: its status, its tag and its answer.
async fn put_if(world: &World, caller: &str, name: &str, headers: &[(&str, &str)]) -> (u16, String, Value) {
    let mut request = world.http.put(format!("{}{}", world.app.url(), path_of(caller))).bearer_auth(KEY);
    for (header, value) in headers {
        request = request.insert_header((*header, *value));
    }
    let body = json!({ "voice_sample_url": "1.wav", "voice_name": name });
    let mut answer = request.send_json(&body).await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let bytes = answer.body().await.unwrap();
    let path = path_of(caller);
    let (status, body) = world.documented(("PUT", &path), answer.status().as_u16(), answer.headers(), &bytes);
    (status, tag.unwrap_or_default(), body)
}

#[actix::test]
async fn of_two_administrators_who_change_a_caller_the_second_is_told() {
    let world = World::with(with_keys()).await;
    write_sample(&world.sample(1), 1);
    let number = caller(1);
    let (status, first, _) = put_if(&world, &number, "Anna", &[("if-none-match", "*")]).await;
    assert_eq!(status, 201);
    let url = format!("{}{}", world.app.url(), path_of(&number));
    let read = world.http.get(&url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(read.headers().get("etag").unwrap().to_str().unwrap(), first, "both show the same");

    let (status, second, _) = put_if(&world, &number, "Berta", &[("if-match", &first)]).await;
    assert!(status == 200 && second != first);
    for headers in [[("if-match", first.as_str())], [("if-none-match", "*")]] {
        let (status, _, answer) = put_if(&world, &number, "Clara", &headers).await;
        assert_eq!((status, &answer["code"]), (412, &json!("changed_meanwhile")), "{headers:?}");
    }
    let (_, shown) = order_with(&world, KEY, "GET", &path_of(&number), None).await;
    assert_eq!(shown["voice_name"], "Berta");
    assert_eq!(put_if(&world, &number, "Clara", &[("if-match", &second)]).await.0, 200);
    assert_eq!(
        put_if(&world, &caller(2), "Dora", &[("if-match", "*")]).await.0,
        412,
        "nobody has this number"
    );
    world.stop().await;
}
