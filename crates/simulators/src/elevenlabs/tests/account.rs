//! Keys, unknown paths, the subscription, the agent, the log of requests.

use serde_json::json;

use super::super::Fault;
use super::{Form, Options, Provider, brief, client, reply, wav};

#[actix_web::test]
async fn keys_are_refused_as_documented() {
    let key = "sk_0123456789abcdef0123456789abcdef01234567";
    let provider = Provider::with(Options { api_key: Some(key.parse().unwrap()), ..brief() }).await;
    let url = provider.url("/v1/user/subscription");
    let with = |key: &'static str| client().get(&url).insert_header(("xi-api-key", key)).send();

    let missing = provider.get("/v1/user/subscription").await;
    assert_eq!((missing.status, missing.json()["detail"]["code"].clone()), (401, json!("missing_api_key")));
    let hex = reply(with("ffffffffffffffffffffffffffffffff").await.unwrap()).await;
    assert_eq!((hex.status, hex.json()["detail"]["code"].clone()), (400, json!("invalid_api_key")));
    let other = reply(with("not a key").await.unwrap()).await;
    assert_eq!((other.status, other.json()["detail"]["code"].clone()), (401, json!("unauthorized")));
    assert!(other.json()["detail"]["request_id"].is_string());
    let right = reply(with("sk_0123456789abcdef0123456789abcdef01234567").await.unwrap()).await;
    assert_eq!(right.status, 200);
    assert!(right.header("request-id").is_some());
    // The control API asks for none.
    assert_eq!(provider.get("/sim/voices").await.status, 200);
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_answered_as_the_framework_does() {
    let provider = Provider::default().await;
    let unknown = provider.get("/v1/nothing").await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({"detail": "Not Found"})));
    assert_eq!(provider.get("/v1/voices/").await.status, 404);
    let wrong = provider.get("/v1/convai/sip-trunk/outbound-call").await;
    assert_eq!((wrong.status, wrong.json()), (405, json!({"detail": "Method Not Allowed"})));
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert_eq!(provider.get("/sim/nothing").await.status, 404);
    assert_eq!(provider.post("/sim/voices", &json!({})).await.status, 405);
}

#[actix_web::test]
async fn subscription_counts_slots_and_edits() {
    let provider = Provider::with(Options { voice_slots: 7, ..brief() }).await;
    let first = provider.clone_voice("a").await;
    provider.clone_voice("b").await;
    provider.delete(&format!("/v1/voices/{first}")).await;
    let subscription = provider.get("/v1/user/subscription").await.json();
    assert_eq!(subscription["voice_limit"], 7);
    assert_eq!(subscription["voice_slots_used"], 1);
    assert_eq!(subscription["voice_add_edit_counter"], 2);
    assert_eq!(subscription["can_use_instant_voice_cloning"], true);
}

#[actix_web::test]
async fn any_agent_exists_and_shows_which_overrides_it_allows() {
    let provider = Provider::default().await;
    let agent = provider.get("/v1/convai/agents/agent_77").await.json();
    assert_eq!(agent["agent_id"], "agent_77");
    let overrides = &agent["platform_settings"]["overrides"]["conversation_config_override"];
    assert_eq!(overrides["tts"]["voice_id"], true);
    assert_eq!(overrides["agent"]["first_message"], true);
    assert_eq!(overrides["agent"]["prompt"]["llm"], false);
}

#[actix_web::test]
async fn requests_are_recorded_in_order_with_every_form_of_body() {
    let provider = Provider::default().await;
    provider.get("/v2/voices?search=precall&page_size=5").await;
    provider.upload(Form::new().text("name", "n").text("labels", "null").file("s.wav", &wav("n"))).await;
    provider.dial("+4930111", json!({"user_id": "u"})).await;
    let raw = client().post(provider.url("/v1/convai/sip-trunk/outbound-call"));
    let broken =
        reply(raw.insert_header(("content-type", "application/json")).send_body("{\"a\":").await.unwrap());
    assert_eq!(broken.await.status, 422);
    provider.get("/sim/requests").await;

    let log = provider.get("/sim/requests").await.json();
    let log = log.as_array().unwrap();
    assert_eq!(log.len(), 4, "control requests are not recorded");
    assert_eq!(log[0]["method"], "GET");
    assert_eq!(log[0]["path"], "/v2/voices");
    assert_eq!(log[0]["query"], "search=precall&page_size=5");
    assert_eq!(log[0]["body"], json!(null));
    assert_eq!(log[0]["status"], 200);
    let at = log[0]["at"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok());
    assert_eq!(at.split('.').nth(1).map(str::len), Some(7), "six digits and Z: {at}");
    assert!(log[1]["content_type"].as_str().unwrap().starts_with("multipart/form-data; boundary="));
    assert_eq!(
        log[1]["body"]["parts"][0],
        json!({
            "name": "name", "filename": null, "content_type": null, "size": 1, "value": "n",
        })
    );
    assert_eq!(log[1]["body"]["parts"][1]["value"], "null");
    assert_eq!(
        log[1]["body"]["parts"][2],
        json!({
            "name": "files", "filename": "s.wav", "content_type": "audio/x-wav", "size": wav("n").len(),
        })
    );
    assert_eq!(log[2]["body"]["conversation_initiation_client_data"]["user_id"], "u");
    assert_eq!(log[3]["body"], "{\"a\":");
    assert_eq!(log[3]["status"], 422);
    assert_eq!(provider.simulator.requests().len(), 4);

    provider.delete("/sim/requests").await;
    assert_eq!(provider.get("/sim/requests").await.json(), json!([]));
    provider.get("/v2/voices").await;
    assert_eq!(provider.get("/sim/requests").await.json().as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn the_log_keeps_the_last_ten_thousand() {
    let mut log = crate::shared::requests::RequestLog::default();
    for n in 0..10_020 {
        let number = log.begin(crate::shared::requests::Head {
            at: jiff::Timestamp::UNIX_EPOCH,
            method: "GET".to_owned(),
            path: format!("/{n}"),
            query: String::new(),
            content_type: None,
            traceparent: None,
        });
        log.body(number, json!("x".repeat(if n == 10_000 { 300_000 } else { 10 })));
        log.answered(number, 200);
    }
    let shown = log.shown();
    assert_eq!(shown.len(), 10_000);
    assert_eq!(shown[0]["path"], "/20");
    assert_eq!(shown[9_980]["body"], "(300002 bytes, not kept)");
    assert_eq!(shown[9_999]["status"], 200);
}

#[actix_web::test]
async fn too_large_a_body_is_413() {
    let provider = Provider::default().await;
    let body = json!({"agent_id": "x".repeat(2 * 1024 * 1024)});
    assert_eq!(provider.post("/v1/convai/sip-trunk/outbound-call", &body).await.status, 413);
}

#[actix_web::test]
async fn one_request_has_one_id() {
    let provider = Provider::with(Options { api_key: Some("right".parse().unwrap()), ..brief() }).await;
    provider.simulator.set_faults(vec![
        Fault { status: Some(429), ..Fault::on("/v2/voices") },
        Fault { status: Some(503), ..Fault::on("/v1/convai/conversation?") },
        Fault {
            status: Some(400),
            body: Some(json!({"detail": {"code": "invalid_content", "request_id": "told"}})),
            ..Fault::on("/v1/voices/add")
        },
    ]);
    let mut seen = std::collections::BTreeSet::new();
    for path in
        ["/v1/user/subscription", "/v1/voices/v", "/v2/voices", "/v1/voices/add", "/v1/convai/conversation?x"]
    {
        let refused = provider.get(path).await;
        let id = refused.json()["detail"]["request_id"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.header("request-id"), Some(id.as_str()), "{path}: {refused:?}");
        assert_eq!(refused.header("x-trace-id"), Some(id.as_str()), "{path}");
        assert!(seen.insert(id), "{path}: another request has another id");
    }
    assert!(seen.contains("told"), "{seen:?}");
}
