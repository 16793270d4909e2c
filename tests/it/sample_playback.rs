//! Samples of callers are played: by whom, what is answered, and the audit row of each play.

use std::time::Duration;

use precall::config::{ApiKeys, Scope};
use precall_simulators::s3::{self, Fault, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::callers::READER;
use crate::page_session::Session;
use crate::support::{ApiDocument, KEY, PATIENCE, Plan, World, caller, until};

const VOICES: &str = "voices-key-0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "operator-key-0123456789abcdef0123456789abcd";
/// Rows of plays, with the key that played.
const PLAYS: &str = "select count(*) from audit_log where action = 'sample_played'";

fn plan(playback: &str) -> Plan {
    let entry = |name, scope, key| ApiKeys::entry(name, scope, key).unwrap();
    let keys = [
        entry("anna", Scope::Admin, KEY),
        entry("reader", Scope::Read, READER),
        entry("vera", Scope::Voice, VOICES),
        entry("otto", Scope::Operate, OPERATOR),
    ];
    Plan::default().env("API_KEYS", &keys.join(",")).env("SAMPLE_PLAYBACK", playback)
}

struct Played {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Played {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    fn code(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn path_of(who: &str) -> String {
    format!("/api/v1/callers/{}/sample", who.replace('+', "%2B"))
}

async fn play(world: &World, key: &str, who: &str, range: Option<&str>) -> Played {
    let path = path_of(who);
    let mut request = world.http.get(format!("{}{path}", world.app.url())).bearer_auth(key);
    if let Some(range) = range {
        request = request.insert_header(("range", range));
    }
    let mut answer = request.send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.body().limit(32 << 20).await.unwrap());
    // Compared with the document of the API.
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let objection = ApiDocument::shared().objection(("GET", &path), status, media_type, &body);
    assert_eq!(objection, None);
    let text = |value: &awc::http::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Played { status, headers, body: body.to_vec() }
}

async fn id_of(world: &World, number: &str) -> String {
    let statement = "select id::text from caller_voice_mapping where caller_id = $1";
    world.client.query_one(statement, &[&number]).await.unwrap().get(0)
}

#[actix::test]
async fn nobody_plays_a_sample_while_the_setting_is_off_or_without_the_scope() {
    let world = World::with(plan("false")).await;
    let number = world.known_caller(1).await;
    for key in [KEY, VOICES] {
        let answer = play(&world, key, &number, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "playback_off"));
    }
    let admin = Session::begin(&world, KEY).await;
    assert!(!admin.page(&world, "/callers").await.contains("<audio"));
    world.stop().await;
    let world = World::with(plan("true")).await;
    let number = world.known_caller(1).await;
    for key in [READER, OPERATOR] {
        let answer = play(&world, key, &number, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
        assert!(!Session::begin(&world, key).await.page(&world, "/callers").await.contains("<audio"));
    }
    let answer = play(&world, "no-key-no-key-no-key-no-key-no-key", &number, None).await;
    assert_eq!(answer.status, 401);
    assert_eq!(world.count(PLAYS, &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn a_sample_is_played_whole_and_in_parts_and_each_play_is_audited() {
    let world = World::with(plan("true")).await;
    let number = world.known_caller(1).await;
    let file = std::fs::read(world.sample(1)).unwrap();
    let whole = play(&world, VOICES, &number, None).await;
    assert_eq!((whole.status, whole.body == file), (200, true));
    for (name, value) in [
        ("content-type", "audio/wav"),
        ("content-length", file.len().to_string().as_str()),
        ("content-disposition", "attachment; filename=\"sample.wav\""),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }
    let id = id_of(&world, &number).await;
    let part = play(&world, KEY, &id, Some("bytes=4-11")).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &file[4..12]));
    assert_eq!(part.header("content-range"), format!("bytes 4-11/{}", file.len()));
    let behind = play(&world, VOICES, &id, Some("bytes=99000000-")).await;
    assert_eq!((behind.status, behind.code().as_str()), (416, "range_not_satisfiable"));
    assert_eq!(behind.header("content-range"), format!("bytes */{}", file.len()));
    let rows = "select who, subject::text, detail from audit_log where action = 'sample_played' order by at";
    let rows = world.client.query(rows, &[]).await.unwrap();
    let rows: Vec<(String, String, Value)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let masked = format!("{}*****{}", &number[..2], &number[number.len() - 3..]);
    let detail =
        |first: usize, bytes: usize| json!({ "caller": masked, "first_byte": first, "bytes": bytes });
    let expected = vec![
        ("vera".to_owned(), id.clone(), detail(0, file.len())),
        ("anna".to_owned(), id.clone(), detail(4, 8)),
    ];
    assert_eq!(rows, expected);
    world.stop().await;
}

#[actix::test]
async fn a_masked_page_has_players_without_numbers() {
    let world = World::with(plan("true")).await;
    let number = world.known_caller(1).await;
    let id = id_of(&world, &number).await;
    let session = Session::begin(&world, VOICES).await;
    let page = session.page(&world, "/callers").await;
    let source = format!("src=\"/api/v1/callers/{id}/sample\"");
    assert!(page.contains("<audio controls preload=\"none\"") && page.contains(&source), "{page}");
    assert!(!page.contains(&number[1..]), "{page}");
    assert_eq!(world.count(PLAYS, &[]).await, 0, "a page plays nothing by itself");
    let status = session.change(&world, "GET", &path_of(&id), &Value::Null).await.0;
    assert_eq!((status, world.count(PLAYS, &[]).await), (200, 1), "the cookie of the page is enough");
    world.stop().await;
}

#[actix::test]
async fn what_is_gone_is_not_played() {
    let world = World::with(plan("true")).await;
    let (gone, broken, erased) =
        (world.known_caller(1).await, world.known_caller(2).await, world.known_caller(3).await);
    std::fs::remove_file(world.sample(1)).unwrap();
    std::fs::write(world.sample(2), "<script>alert(1)</script>").unwrap();
    let id = id_of(&world, &erased).await;
    assert_eq!(play(&world, VOICES, &erased, None).await.status, 200);
    let path = format!("/api/v1/callers/{}?erase=true", erased.replace('+', "%2B"));
    let erasing = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(KEY);
    assert!(erasing.send().await.unwrap().status().is_success());
    let outside = world.known_caller(4).await;
    world
        .execute(
            "update caller_voice_mapping set voice_sample_url = '/etc/hostname' where caller_id = $1",
            &[&outside],
        )
        .await;
    for (who, status, code) in [
        (gone.as_str(), 404, "sample_not_found"),
        (&broken, 422, "sample_refused"),
        (&erased, 404, "caller_not_found"),
        (&id, 404, "caller_not_found"),
        (&caller(9), 404, "caller_not_found"),
        ("018f0000-0000-7000-8000-000000000000", 404, "caller_not_found"),
        ("anonymous", 400, "bad_number"),
        (&outside, 422, "sample_refused"),
    ] {
        let answer = play(&world, VOICES, who, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{who}");
    }
    assert_eq!(world.count(PLAYS, &[]).await, 1, "only the play before the erasure");
    world.stop().await;
}

#[actix::test]
async fn a_sample_in_a_bucket_is_played_and_a_bucket_that_fails_is_said_so() {
    let store = s3::start(Options::default()).await.unwrap();
    let plan = plan("true")
        .env("S3_BUCKET_NAME", "voices")
        .env("S3_REGION", "eu-central-1")
        .env("S3_ENDPOINT", &store.url())
        .env("AWS_ACCESS_KEY_ID", "simulated-key")
        .env("AWS_SECRET_ACCESS_KEY", "simulated-secret");
    let world = World::with(plan).await;
    let number = world.known_caller(1).await;
    let map =
        "update caller_voice_mapping set voice_sample_url = 's3://voices/anna.wav' where caller_id = $1";
    world.execute(map, &[&number]).await;
    let missing = play(&world, VOICES, &number, None).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "sample_not_found"));
    let file = std::fs::read(world.sample(1)).unwrap();
    store.put("anna.wav", file.clone());
    let whole = play(&world, VOICES, &number, None).await;
    assert_eq!((whole.status, whole.body == file), (200, true));
    store.set_faults(vec![Fault { method: None, status: Some(503), delay: Duration::ZERO, times: None }]);
    let failed = play(&world, VOICES, &number, None).await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "samples_unreachable"));
    assert_eq!(world.count(PLAYS, &[]).await, 1);
    world.stop().await;
    store.stop().await;
}

/// Begins a play, and reads its first bytes alone.
async fn begun(world: &World, number: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.app.address()).await.unwrap();
    let path = path_of(number);
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {VOICES}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    let reading = stream.read_exact(&mut status);
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    stream
}

#[actix::test]
async fn four_samples_are_in_memory_for_players_at_once() {
    let world = World::with(plan("true")).await;
    let number = world.known_caller(1).await;
    // More than the connection buffers.
    let mut file = std::fs::read(world.sample(1)).unwrap();
    file.resize(19 << 20, 0);
    std::fs::write(world.sample(1), file).unwrap();
    let mut players = Vec::new();
    for _ in 0..4 {
        players.push(begun(&world, &number).await);
    }
    let fifth = play(&world, VOICES, &number, None).await;
    assert_eq!((fifth.status, fifth.code().as_str()), (503, "too_many_at_once"));
    drop(players);
    until("a player that left gives its place back", || async {
        play(&world, VOICES, &number, None).await.status == 200
    })
    .await;
    world.stop().await;
}
