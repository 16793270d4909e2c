//! Voice samples in S3 and uploaded samples, in the service with a simulated store.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use precall_actors::voices::samples::{SampleDeleted, SampleError, SampleStore, UploadPlace};
use precall_providers::s3::S3Settings;
use precall_simulators::s3::{self, Fault, Options, Simulator, Versioning};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{ADD, KEY, PATIENCE, Plan, World, caller, write_sample};

/// A name with every special character of a URL.
const NAME: &str = "people/Anna & Bert+(1)?=#%20.wav";

async fn bucket(options: Options) -> Simulator {
    s3::start(options).await.unwrap()
}

fn plan(store: &Simulator) -> Plan {
    Plan::default()
        .env("S3_BUCKET_NAME", "voices")
        .env("S3_REGION", "eu-central-1")
        .env("S3_ENDPOINT", &store.url())
        .env("AWS_ACCESS_KEY_ID", "simulated-key")
        .env("AWS_SECRET_ACCESS_KEY", "simulated-secret")
}

fn direct(store: &Simulator, folder: &tempfile::TempDir) -> SampleStore {
    let endpoint = Some(store.url().parse().unwrap());
    let settings = S3Settings::new(endpoint, "eu-central-1", "voices", "simulated-key", "simulated-secret");
    SampleStore::new(folder.path(), Some(settings.unwrap()), UploadPlace::Bucket)
}

/// Four seconds of audio, different for each number.
fn recording(n: u32) -> Bytes {
    let file = tempfile::NamedTempFile::new().unwrap();
    write_sample(file.path(), n);
    Bytes::from(std::fs::read(file.path()).unwrap())
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

async fn map(world: &World, n: u32, reference: &str) -> String {
    let caller = world.known_caller(n).await;
    let map = "update caller_voice_mapping set voice_sample_url = $2 where caller_id = $1";
    world.execute(map, &[&caller, &reference]).await;
    caller
}

async fn mapped_to(world: &World, caller: &str) -> String {
    let statement = "select voice_sample_url from caller_voice_mapping where caller_id = $1";
    world.client.query_one(statement, &[&caller]).await.unwrap().get(0)
}

/// Makes a call and waits for the row of its clone job.
async fn clone_of(world: &World, id: &str, caller: &str) -> (String, Option<String>, Option<String>) {
    let call = world.ring(id, caller).await;
    world.released(call).await;
    let statement = "select status, reason, error_message from voice_clone_log where caller_id = $1
        order by clone_created_at desc limit 1";
    let row = world.until_row("the clone's row", statement, &[&caller]).await;
    (row.get(0), row.get(1), row.get(2))
}

/// The last upload that the provider received.
fn uploaded_bytes(world: &World) -> u64 {
    let last = world.requests(ADD).pop().unwrap();
    let parts = last["body"]["parts"].as_array().unwrap_or_else(|| panic!("{last}")).clone();
    parts.iter().find(|part| part["name"] == "files").unwrap()["size"].as_u64().unwrap()
}

async fn upload(world: &World, caller: &str, kind: &str, body: Bytes) -> (u16, Value) {
    let path = format!("/api/v1/callers/{caller}/sample");
    let address = format!("{}{path}", world.app.url());
    let request =
        world.http.request(Method::PUT, address).bearer_auth(KEY).insert_header(("content-type", kind));
    let mut answer = request.send_body(body).await.expect("the service answers");
    let bytes = answer.body().await.unwrap();
    world.documented(("PUT", &path), answer.status().as_u16(), answer.headers(), &bytes)
}

#[actix::test]
async fn a_sample_in_a_bucket_is_cloned() {
    let store = bucket(Options::default()).await;
    let world = World::with(plan(&store)).await;
    store.put(NAME, recording(1));
    let by_s3 = map(&world, 1, &format!("s3://voices/{NAME}")).await;
    store.put("bert.wav", recording(2));
    let by_address = map(&world, 2, &format!("{}/voices/bert.wav", store.url())).await;
    for (id, caller) in [("pbx-1", &by_s3), ("pbx-2", &by_address)] {
        assert_eq!(clone_of(&world, id, caller).await, ("success".to_owned(), None, None));
    }
    let hashes = "select count(*) from voice_clone_cache where sample_sha256 in ($1, $2)";
    let hashes = world.count(hashes, &[&sha256(&recording(1)), &sha256(&recording(2))]).await;
    assert_eq!((world.uploads(), hashes), (2, 2));
    world.stop().await;
    store.stop().await;
}

#[actix::test]
async fn when_a_bucket_refuses_the_sample_the_reason_is_stored() {
    let store = bucket(Options::default()).await;
    let world = World::with(plan(&store)).await;
    store.put("huge.wav", vec![1; 21 * 1024 * 1024]);
    let cases = [
        ("s3://voices/nobody.wav", "sample_refused", "the sample does not exist in the bucket: "),
        (
            "s3://others/anna.wav",
            "sample_refused",
            "voice_sample_url leads to another place than the bucket ",
        ),
        ("s3://voices/huge.wav", "sample_refused", "the sample is larger than "),
    ];
    for (n, (reference, reason, message)) in (1..).zip(cases) {
        let caller = map(&world, n, reference).await;
        let (status, why, said) = clone_of(&world, &format!("pbx-{n}"), &caller).await;
        assert_eq!((status.as_str(), why.as_deref()), ("failed", Some(reason)), "{reference}");
        assert!(said.as_deref().unwrap_or_default().starts_with(message), "{reference}: {said:?}");
    }
    store.put("anna.wav", recording(9));
    store.set_faults(vec![Fault { method: None, status: Some(503), delay: Duration::ZERO, times: None }]);
    let caller = map(&world, 9, "s3://voices/anna.wav").await;
    let (_, why, said) = clone_of(&world, "pbx-9", &caller).await;
    assert_eq!(why.as_deref(), Some("clone_failed"), "a failing store says nothing about the sample");
    assert_eq!(
        said.as_deref(),
        Some("the bucket of the samples: the store answers with status 503 (InternalError)")
    );
    assert_eq!(world.uploads(), 0);
    world.stop().await;
    store.stop().await;
}

#[actix::test]
async fn wrong_s3_keys_are_reported_and_never_shown() {
    let store = bucket(Options::default()).await;
    store.put("anna.wav", recording(1));
    let plans = [
        (plan(&store).env("AWS_SECRET_ACCESS_KEY", "another-secret"), "SignatureDoesNotMatch"),
        (plan(&store).env("AWS_ACCESS_KEY_ID", "another-key"), "InvalidAccessKeyId"),
    ];
    for (plan, code) in plans {
        let world = World::with(plan).await;
        let caller = map(&world, 1, "s3://voices/anna.wav").await;
        let (_, _, said) = clone_of(&world, "pbx-1", &caller).await;
        let said = said.unwrap();
        assert!(said.contains(code) && said.contains("check AWS_ACCESS_KEY_ID"), "{said}");
        assert!(!said.contains("another") && !said.contains("anna"), "{said}");
        world.stop().await;
    }
    store.stop().await;
}

#[actix::test]
async fn a_changed_object_is_noticed_without_a_download() {
    let (store, folder) = (bucket(Options::default()).await, tempfile::tempdir().unwrap());
    let samples = direct(&store, &folder);
    let reference = format!("s3://voices/{NAME}");
    assert_eq!(samples.mark(&reference).await, Err(SampleError::MissingObject));
    store.put(NAME, recording(1));
    let first = samples.mark(&reference).await.unwrap();
    assert_eq!(samples.mark(&reference).await.unwrap(), first);
    store.put(NAME, recording(2));
    assert_ne!(samples.mark(&reference).await.unwrap(), first);
    assert!(store.requests().iter().all(|request| request.starts_with("HEAD ")), "{:?}", store.requests());
    assert!(!first.as_str().contains("Anna"), "{first:?}");
    store.stop().await;
}

#[actix::test]
async fn a_bucket_that_does_not_answer_times_out() {
    let (store, folder) = (bucket(Options::default()).await, tempfile::tempdir().unwrap());
    let samples = direct(&store, &folder);
    store.put("anna.wav", recording(1));
    let never = Duration::from_secs(600);
    store.set_faults(vec![Fault { method: Some("HEAD"), status: None, delay: never, times: None }]);
    assert_eq!(samples.mark("s3://voices/anna.wav").await, Err(SampleError::TooSlow));
    assert!(samples.read("s3://voices/anna.wav").await.is_ok(), "other requests are served");
    store.stop().await;
}

/// Two versions per page, so that an object's versions span pages, among objects with the same name prefix.
#[actix::test]
async fn every_version_of_a_deleted_object_is_deleted() {
    for versioning in [Versioning::Kept, Versioning::Off] {
        let store = bucket(Options { versioning, page: 2, ..Options::default() }).await;
        let folder = tempfile::tempdir().unwrap();
        let samples = direct(&store, &folder);
        for n in 1..=5 {
            store.put(NAME, recording(n));
        }
        store.put(&format!("{NAME}.old"), recording(6));
        store.put("people/Ann", recording(7));
        let reference = format!("s3://voices/{NAME}");
        // The store fails once in the middle; the retry deletes the rest.
        store.set_faults(vec![Fault {
            method: Some("DELETE"),
            status: Some(500),
            delay: Duration::ZERO,
            times: Some(1),
        }]);
        let trouble = samples.delete(&reference).await.unwrap_err();
        assert!(trouble.is_passing(), "{trouble}");
        assert_eq!(samples.delete(&reference).await, Ok(SampleDeleted::Now));
        let left = store.versions();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.iter().all(|version| !version.starts_with(&format!("{NAME} "))), "{left:?}");
        assert_eq!(samples.delete(&reference).await, Ok(SampleDeleted::WasGone));
        for outside in ["s3://others/a.wav", "s3://voices/../others/a.wav"] {
            assert_eq!(samples.delete(outside).await, Err(SampleError::OtherBucket), "{outside}");
        }
        store.stop().await;
    }
}

#[actix::test]
async fn an_uploaded_sample_is_checked_stored_and_cloned() {
    let store = bucket(Options::default()).await;
    for (place, reference) in [("local", "uploads/default/"), ("s3", "s3://voices/uploads/default/")] {
        // No consent exists for the new upload.
        let plan = plan(&store).env("VOICE_SAMPLE_STORAGE", place).env("CONSENT_REQUIRED", "false");
        let world = World::with(plan).await;
        let caller = world.known_caller(1).await;
        let content = recording(40);
        let (status, answer) = upload(&world, &caller, "audio/wav", content.clone()).await;
        let hash = sha256(&content);
        let expected = json!({ "caller_id": caller, "sample_sha256": hash, "bytes": content.len(),
                               "duration_ms": 4_000, "format": "wav" });
        assert_eq!((status, answer), (200, expected), "{place}");
        let first = mapped_to(&world, &caller).await;
        assert_eq!(first, format!("{reference}{hash}.wav"));
        assert_eq!(clone_of(&world, "pbx-1", &caller).await.0, "success", "{place}");
        assert_eq!(uploaded_bytes(&world), content.len() as u64, "{place}");
        // The next upload replaces it; nothing remains of the first.
        let form = [
            b"--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n".as_slice(),
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n",
            &recording(41),
            b"\r\n--x--\r\n",
        ];
        let (status, answer) =
            upload(&world, &caller, "multipart/form-data; boundary=x", Bytes::from(form.concat())).await;
        assert_eq!((status, &answer["sample_sha256"]), (200, &json!(sha256(&recording(41)))), "{answer}");
        assert!(mapped_to(&world, &caller).await.contains(&sha256(&recording(41))));
        let file = world.sample(1).with_file_name(&first);
        assert!(!file.exists() && !store.versions().iter().any(|name| name.contains(&hash)), "{place}");
        assert!(world.sample(1).exists(), "precall must not delete an administrator's file");
        world.stop().await;
    }
    store.stop().await;
}

#[actix::test]
async fn a_sample_shared_by_two_callers_stays_while_one_uses_it() {
    let world = World::new().await;
    let (one, two) = (world.mapped_caller(1).await, world.mapped_caller(2).await);
    for caller in [&one, &two] {
        assert_eq!(upload(&world, caller, "audio/wav", recording(50)).await.0, 200);
    }
    let shared = mapped_to(&world, &one).await;
    assert_eq!(upload(&world, &one, "audio/wav", recording(51)).await.0, 200);
    assert_eq!(mapped_to(&world, &two).await, shared);
    assert!(world.sample(1).with_file_name(&shared).exists());
    assert_eq!(upload(&world, &two, "audio/wav", recording(51)).await.0, 200);
    assert!(!world.sample(1).with_file_name(&shared).exists());
    world.stop().await;
}

#[actix::test]
async fn an_unusable_upload_changes_nothing() {
    let world = World::new().await;
    let mapped = world.mapped_caller(1).await;
    let before = mapped_to(&world, &mapped).await;
    let text = Bytes::from_static(b"this is a letter, not a voice");
    let large = Bytes::from(vec![1; 21 * 1024 * 1024]);
    let nobody = caller(2);
    let cases = [
        (mapped.as_str(), "audio/wav", text.clone(), 422, "sample_refused"),
        (&mapped, "audio/wav", Bytes::new(), 422, "sample_refused"),
        (&mapped, "audio/wav", large, 413, "body_too_large"),
        (&mapped, "multipart/form-data; boundary=x", text.clone(), 400, "body_broken"),
        (&mapped, "multipart/form-data; boundary=x", Bytes::from_static(b"--x--\r\n"), 400, "bad_field"),
        (&nobody, "audio/wav", recording(1), 404, "caller_not_found"),
        ("anonymous", "audio/wav", recording(1), 400, "bad_number"),
    ];
    for (number, kind, body, status, code) in cases {
        let (answered, problem) = upload(&world, number, kind, body).await;
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{kind}: {problem}");
    }
    assert_eq!(answer_to_an_endless_upload(&world, &mapped).await, "HTTP/1.1 413");
    let (_, problem) = upload(&world, &mapped, "audio/wav", text).await;
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("the sample cannot be used: it is not a recording in WAV, MP3"), "{detail}");
    // Forms of other programs: the recording is there, under another name, and may be larger than other fields.
    let voice = recording(1).repeat(3);
    for (fields, said) in [
        (vec![("audio", voice.clone())], "the form has `audio`: send the recording in the field `file`"),
        (
            vec![("name", b"Anna".to_vec()), ("sample[]", voice), ("File", Vec::new())],
            "the form has `name`, `sample[]`, `File`: send the recording in the field `file`",
        ),
        (vec![], "the form has no field: send the recording in the field `file`"),
    ] {
        let parts = fields.iter().flat_map(|(name, content)| {
            let head =
                format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n");
            [head.as_bytes(), content, b"\r\n"].concat()
        });
        let form: Vec<u8> = parts.chain(b"--x--\r\n".iter().copied()).collect();
        let (status, problem) = upload(&world, &mapped, "multipart/form-data; boundary=x", form.into()).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("bad_field")), "{problem}");
        assert_eq!(problem["detail"], said);
    }
    assert_eq!(mapped_to(&world, &mapped).await, before);
    assert!(!world.sample(1).with_file_name("uploads").exists());
    world.stop().await;
}

/// Without a length, only the limit while reading stops this upload.
async fn answer_to_an_endless_upload(world: &World, caller: &str) -> String {
    let connected = TcpStream::connect(world.app.address()).await.unwrap();
    let (mut from, mut to) = connected.into_split();
    let head = format!(
        "PUT /api/v1/callers/{caller}/sample HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let chunk = [b"100000\r\n".as_slice(), &[1; 0x10_0000], b"\r\n"].concat();
    let writing = async {
        to.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..21 {
            // The server may stop reading.
            let _cut_short = to.write_all(&chunk).await;
        }
    };
    let mut status = [0; 12];
    let reading = async { from.read_exact(&mut status).await };
    let (_, read) = tokio::time::timeout(PATIENCE, async { tokio::join!(writing, reading) }).await.unwrap();
    read.unwrap();
    String::from_utf8_lossy(&status).into_owned()
}

#[actix::test]
async fn when_the_bucket_refuses_an_upload_the_client_gets_a_server_error() {
    let store = bucket(Options::default()).await;
    let world = World::with(plan(&store).env("VOICE_SAMPLE_STORAGE", "s3")).await;
    let caller = world.mapped_caller(1).await;
    let before = mapped_to(&world, &caller).await;
    store.set_faults(vec![Fault {
        method: Some("PUT"),
        status: Some(500),
        delay: Duration::ZERO,
        times: None,
    }]);
    let (status, problem) = upload(&world, &caller, "audio/wav", recording(1)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("samples_unreachable")), "{problem}");
    assert_eq!(mapped_to(&world, &caller).await, before);
    world.stop().await;
    store.stop().await;
}
