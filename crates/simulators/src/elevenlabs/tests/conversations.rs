//! Conversations: search, pages, audio, deletion, the scripted dialogue.

use serde_json::{Value, json};

use super::{Provider, endless};

#[actix_web::test]
async fn search_finds_by_user_id_and_pages() {
    let provider = Provider::default().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(provider.call(&format!("+{n}"), json!({"user_id": "call-1"})).await);
    }
    provider.call("+9", json!({"user_id": "call-2"})).await;
    for id in &ids {
        provider.reaches(id, "done").await;
    }
    let page =
        provider.get("/v1/convai/conversations?user_id=call-1&agent_id=agent_1&page_size=3").await.json();
    assert_eq!(page["has_more"], true);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = provider
        .get(&format!("/v1/convai/conversations?user_id=call-1&page_size=3&cursor={cursor}"))
        .await
        .json();
    assert_eq!((&rest["has_more"], &rest["next_cursor"]), (&json!(false), &Value::Null));
    let found: Vec<String> = [&page, &rest]
        .iter()
        .flat_map(|page| page["conversations"].as_array().unwrap())
        .map(|one| one["conversation_id"].as_str().unwrap().to_owned())
        .collect();
    ids.reverse();
    assert_eq!(found, ids);
    assert_eq!(page["conversations"][0]["status"], "done");
    assert_eq!(page["conversations"][0]["message_count"], 4);

    let count = async |query: &str| {
        let found = provider.get(&format!("/v1/convai/conversations?{query}")).await.json();
        found["conversations"].as_array().unwrap().len()
    };
    assert_eq!(count("user_id=nobody").await, 0);
    assert_eq!(count("agent_id=other").await, 0);
    assert_eq!(count("user_id=call-1&exclude_statuses=done").await, 0);
    assert_eq!(count("user_id=call-1&conversation_initiation_source=twilio").await, 0);
    assert_eq!(count("user_id=call-1&call_start_after_unix=4000000000").await, 0);
    assert_eq!(count("user_id=call-1&call_successful=success").await, 5);
}

#[actix_web::test]
async fn a_filter_that_is_not_served_is_said() {
    let provider = Provider::default().await;
    assert_eq!(provider.get("/v1/convai/conversations?tag_ids=a").await.status, 501);
    assert_eq!(provider.get("/v1/convai/conversations?page_size=0").await.status, 422);
    assert_eq!(provider.get("/v1/convai/conversations?sort_direction=up").await.status, 422);
}

#[actix_web::test]
async fn a_deleted_conversation_is_gone() {
    let provider = Provider::default().await;
    let id = provider.call("+1", Value::Null).await;
    provider.reaches(&id, "done").await;
    let path = format!("/v1/convai/conversations/{id}");
    let audio = provider.get(&format!("{path}/audio")).await;
    assert_eq!((audio.status, audio.header("content-type")), (200, Some("audio/mpeg")));
    assert!(!audio.body.is_empty());
    assert_eq!(provider.delete(&path).await.status, 200);
    let gone = provider.get(&path).await;
    assert_eq!((gone.status, gone.json()["detail"]["code"].clone()), (404, json!("conversation_not_found")));
    assert_eq!(provider.get(&format!("{path}/audio")).await.status, 404);
    assert_eq!(provider.delete(&path).await.status, 404);
}

#[actix_web::test]
async fn there_is_no_audio_before_the_end() {
    let provider = Provider::with(endless()).await;
    let id = provider.call("+1", Value::Null).await;
    let going_on = provider.reaches(&id, "in-progress").await;
    assert_eq!(going_on["has_audio"], false);
    assert_eq!(provider.get(&format!("/v1/convai/conversations/{id}/audio")).await.status, 404);
}

#[actix_web::test]
async fn the_script_and_the_first_message_are_what_is_said() {
    let provider = Provider::default().await;
    let script = json!([
        {"role": "agent", "message": "Hi {{name}}."},
        {"role": "user", "message": "Hi {{name}}."},
    ]);
    assert_eq!(provider.put("/sim/agent", &script).await.status, 200);
    assert_eq!(provider.get("/sim/agent").await.json()["script"], script);
    let said = async |data: Value| -> Vec<String> {
        let id = provider.call("+1", data).await;
        let done = provider.reaches(&id, "done").await;
        let turns = done["transcript"].as_array().unwrap().clone();
        turns
            .iter()
            .map(|turn| format!("{}: {}", turn["role"].as_str().unwrap(), turn["message"].as_str().unwrap()))
            .collect()
    };
    let with_first =
        |first: &str| json!({"conversation_config_override": {"agent": {"first_message": first}}});
    assert_eq!(
        said(json!({"dynamic_variables": {"name": "Ann"}})).await,
        ["agent: Hi Ann.", "user: Hi {{name}}."]
    );
    assert_eq!(said(with_first("Welcome.")).await, ["agent: Welcome.", "user: Hi {{name}}."]);
    assert_eq!(said(with_first("")).await, ["user: Hi {{name}}."], "the agent waits for the user");

    assert_eq!(provider.put("/sim/agent", &json!([{"role": "robot", "message": ""}])).await.status, 400);
    let endless_talk = vec![json!({"role": "user", "message": "x"}); 201];
    assert_eq!(provider.put("/sim/agent", &json!(endless_talk)).await.status, 400);
}

#[actix_web::test]
async fn control_shows_conversations() {
    let provider = Provider::with(endless()).await;
    let id = provider.call("+1", json!({"user_id": "u"})).await;
    provider.reaches(&id, "in-progress").await;
    let shown = provider.get("/sim/conversations").await.json();
    assert_eq!(
        shown,
        json!([{
            "conversation_id": id, "agent_id": "agent_1", "user_id": "u", "to_number": "+1", "status": "in-progress",
            "voice_id": null,
        }])
    );
    assert_eq!(shown, provider.simulator.conversations());
}
