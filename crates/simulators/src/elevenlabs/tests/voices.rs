//! Clones: what is accepted, what is refused, slots, search.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::CloneDelay;
use super::{Form, Options, Provider, Reply, brief, client, eventually, wav};

fn code(reply: &Reply) -> Value {
    reply.json()["detail"]["status"].clone()
}

#[actix_web::test]
async fn a_voice_lives_from_add_to_delete() {
    let provider = Provider::default().await;
    let form = Form::new()
        .text("name", "precall-x-1")
        .text("description", "a caller")
        .text("labels", "{\"language\":\"en\"}")
        .text("remove_background_noise", "false")
        .file("a.wav", &wav("a"))
        .file("b.wav", &wav("b"));
    let added = provider.upload(form).await;
    assert_eq!(added.status, 200);
    assert_eq!(added.json()["requires_verification"], false);
    let id = added.json()["voice_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 20);

    let voice = provider.get(&format!("/v1/voices/{id}")).await.json();
    assert_eq!(voice["name"], "precall-x-1");
    assert_eq!(voice["category"], "cloned");
    assert_eq!(voice["labels"]["language"], "en");
    assert_eq!(voice["samples"].as_array().unwrap().len(), 2);
    assert_eq!(voice["samples"][0]["file_name"], "a.wav");
    let shown = provider.get("/sim/voices").await.json();
    assert_eq!(shown[0]["voice_id"], id.as_str());
    assert_eq!(shown, provider.simulator.voices());

    let deleted = provider.delete(&format!("/v1/voices/{id}")).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"status": "ok"})));
    assert_eq!(provider.get(&format!("/v1/voices/{id}")).await.status, 404);
    let again = provider.delete(&format!("/v1/voices/{id}")).await;
    assert_eq!((again.status, code(&again)), (404, json!("voice_not_found")));
    assert_eq!(provider.get("/sim/voices").await.json(), json!([]));
}

#[actix_web::test]
async fn a_voice_that_was_not_made_here_exists_until_it_is_deleted() {
    let provider = Provider::default().await;
    assert_eq!(provider.get("/v1/voices/library1").await.json()["category"], "premade");
    assert_eq!(provider.delete("/v1/voices/library1").await.status, 200);
    assert_eq!(provider.get("/v1/voices/library1").await.status, 404);
}

#[actix_web::test]
async fn labels_may_be_null_empty_or_an_object_of_strings() {
    let provider = Provider::default().await;
    let with =
        |labels: &str| Form::new().text("name", labels).text("labels", labels).file("a.wav", &wav(labels));
    assert_eq!(provider.upload(with("null")).await.status, 200);
    assert_eq!(provider.upload(with("{}")).await.status, 200);
    assert_eq!(provider.upload(with("{\"a\":1}")).await.status, 422);
    assert_eq!(provider.upload(with("nonsense")).await.status, 422);
}

#[actix_web::test]
async fn what_is_missing_is_listed() {
    let provider = Provider::default().await;
    let nothing = provider.upload(Form::new()).await;
    assert_eq!(nothing.status, 422);
    let locs: Vec<Value> =
        nothing.json()["detail"].as_array().unwrap().iter().map(|one| one["loc"].clone()).collect();
    assert_eq!(locs, [json!(["body", "name"]), json!(["body", "files"])]);
    let json_body = provider.post("/v1/voices/add", &json!({"name": "n"})).await;
    assert_eq!(json_body.status, 422);
    let not_a_file = provider.upload(Form::new().text("name", "n").text("files", "hello")).await;
    assert_eq!(not_a_file.json()["detail"][0]["loc"], json!(["body", "files", 0]));
    let flag =
        Form::new().text("name", "n").text("remove_background_noise", "perhaps").file("a.wav", &wav("a"));
    assert_eq!(provider.upload(flag).await.status, 422);
}

#[actix_web::test]
async fn a_broken_upload_is_refused() {
    let provider = Provider::default().await;
    let (content_type, mut body) = Form::new().text("name", "n").file("a.wav", &wav("a")).finish();
    body.truncate(body.len() - 40);
    let request = provider.client.post(provider.url("/v1/voices/add"));
    let broken =
        super::reply(request.insert_header(("content-type", content_type)).send_body(body).await.unwrap());
    assert_eq!(broken.await.status, 400);
}

#[actix_web::test]
async fn samples_that_cannot_be_played_are_refused() {
    let provider = Provider::default().await;
    let upload = |body: &[u8]| provider.upload(Form::new().text("name", "n").file("a.wav", body));
    for bad in [b"".as_slice(), b"/data/voices/a.wav", &wav("a")[..44]] {
        let refused = upload(bad).await;
        assert_eq!((refused.status, code(&refused)), (400, json!("invalid_content")), "{bad:?}");
    }
    for good in
        [b"ID3\x04rest".as_slice(), b"\xFF\xFB\x90\x64", b"OggSxxxx", b"fLaCxxxx", b"\0\0\0\x20ftypM4A "]
    {
        assert_eq!(upload(good).await.status, 200, "{good:?}");
    }
    let twice = Form::new().text("name", "n").file("a.wav", &wav("a")).file("b.wav", &wav("a"));
    let refused = provider.upload(twice).await;
    assert_eq!((refused.status, code(&refused)), (400, json!("duplicate_files")));
}

#[actix_web::test]
async fn slots_are_an_account_s_limit_and_deleting_frees_one() {
    let provider = Provider::with(Options { voice_slots: 2, ..brief() }).await;
    let first = provider.clone_voice("a").await;
    provider.clone_voice("b").await;
    let full = provider.upload(Form::new().text("name", "c").file("a.wav", &wav("c"))).await;
    assert_eq!(full.status, 400);
    assert_eq!(
        full.json(),
        json!({"detail": {
            "status": "voice_limit_reached",
            "message": "You have reached your maximum amount of custom voices (2 / 2). You can upgrade your \
                        subscription to increase your custom voice limit.",
        }})
    );
    provider.delete(&format!("/v1/voices/{first}")).await;
    provider.clone_voice("c").await;
}

#[actix_web::test]
async fn clones_that_are_being_made_hold_their_slots() {
    let options = Options { voice_slots: 1, clone_delay: CloneDelay::between(150, 150).unwrap(), ..brief() };
    let provider = Provider::with(options).await;
    let form = |name: &str| Form::new().text("name", name).file("a.wav", &wav(name));
    let (left, right) = tokio::join!(provider.upload(form("a")), provider.upload(form("b")));
    let mut statuses = [left.status, right.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[actix_web::test]
async fn a_clone_takes_its_time_and_is_finished_without_its_client() {
    let options = Options { clone_delay: CloneDelay::between(200, 250).unwrap(), ..brief() };
    let provider = Provider::with(options).await;
    let begun = Instant::now();
    provider.clone_voice("patient").await;
    assert!(begun.elapsed() >= Duration::from_millis(200));

    let (content_type, body) = Form::new().text("name", "hasty").file("a.wav", &wav("h")).finish();
    let hasty = client()
        .post(provider.url("/v1/voices/add"))
        .timeout(Duration::from_millis(50))
        .insert_header(("content-type", content_type))
        .send_body(body);
    assert!(hasty.await.is_err());
    let found = eventually("the orphan", || async {
        let found = provider.get("/v2/voices?search=HASTY").await.json();
        (found["total_count"] == 1).then_some(found)
    });
    assert_eq!(found.await["voices"][0]["name"], "hasty");
}

#[actix_web::test]
async fn search_pages_through_everything_once() {
    let provider = Provider::default().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(provider.clone_voice(&format!("precall-{n}")).await);
    }
    provider.clone_voice("other").await;
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = provider.get(&format!("/v2/voices?search=precall&page_size=3{token}")).await.json();
        assert_eq!(page["total_count"], 7);
        seen.extend(page["voices"].as_array().unwrap().iter().map(|voice| voice["voice_id"].clone()));
        if page["has_more"] == false {
            assert_eq!(page["next_page_token"], Value::Null);
            break;
        }
        token = format!("&next_page_token={}", page["next_page_token"].as_str().unwrap());
    }
    ids.reverse();
    assert_eq!(seen, ids.iter().map(|id| json!(id)).collect::<Vec<_>>(), "newest first");

    let by_ids = provider.get(&format!("/v2/voices?voice_ids={}&voice_ids={}", ids[0], ids[1])).await.json();
    assert_eq!(by_ids["total_count"], 2);
    let named = provider.get("/v2/voices?sort=name&sort_direction=asc&page_size=1").await.json();
    assert_eq!(named["voices"][0]["name"], "other");
    assert_eq!(provider.get("/v2/voices?category=premade").await.json()["total_count"], 0);
    assert_eq!(provider.get("/v2/voices?page_size=101").await.status, 422);
    assert_eq!(
        provider.get("/v2/voices?page_size=x").await.json()["detail"][0]["loc"],
        json!(["query", "page_size"])
    );
}
