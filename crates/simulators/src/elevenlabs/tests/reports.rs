//! What reports say beside the transcript, as it was told.

use serde_json::{Value, json};

use super::{Options, Provider, Service, brief, dial_body};

fn told() -> Value {
    json!({"report": {
        "evaluation_criteria_results": {
            "polite": {"result": "success", "rationale": "It said please."},
            "solved": {"result": "failure"},
        },
        "data_collection_results": {"order": {"value": 4711, "rationale": "The caller said it."}},
        "transcript_summary": "A caller asked for the opening hours.",
        "call_summary_title": "Opening hours",
        "call_successful": "failure",
        "cost_fiat": 0.125,
        "call_result": "voicemail",
        "multivoice": true,
        "answering_machine_detection": {"result": "machine"},
    }})
}

#[actix_web::test]
async fn a_report_says_what_it_was_told() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    assert_eq!(provider.put("/sim/agent", &told()).await.status, 200);
    let id = provider.call("+4930111", json!({})).await;
    let posted = service.received(2).await;
    let machine = posted[0].json();
    assert_eq!(machine["type"], "answering_machine_detection");
    let data = json!({"agent_id": "agent_1", "conversation_id": id, "result": "machine"});
    assert_eq!(machine["data"], data);

    let report = posted[1].json();
    let shown = provider.get(&format!("/v1/convai/conversations/{id}")).await.json();
    for data in [&report["data"], &shown] {
        let analysis = &data["analysis"];
        assert_eq!(
            analysis["evaluation_criteria_results"],
            json!({
                "polite": {"criteria_id": "polite", "result": "success", "rationale": "It said please."},
                "solved": {"criteria_id": "solved", "result": "failure", "rationale": ""},
            })
        );
        assert_eq!(
            analysis["data_collection_results"]["order"],
            json!({"data_collection_id": "order", "value": 4711, "rationale": "The caller said it."})
        );
        assert_eq!(analysis["transcript_summary"], "A caller asked for the opening hours.");
        assert_eq!(analysis["call_summary_title"], "Opening hours");
        assert_eq!(analysis["call_successful"], "failure");
        assert_eq!(data["metadata"]["cost_fiat"], 0.125);
        assert_eq!(data["metadata"]["phone_call"]["call_result"], "voicemail");
        let first = &data["transcript"][0];
        assert_eq!((&first["role"], &first["message"]), (&json!("agent"), &Value::Null));
        assert_eq!(first["multivoice_message"]["parts"][0]["text"], "Hello, how can I help you?");
        assert!(data["transcript"][1]["message"].is_string(), "the caller has one voice");
    }
    let found = provider.get("/v1/convai/conversations?call_successful=failure").await.json();
    assert_eq!(found["conversations"][0]["conversation_id"], id.as_str());

    let twilio = provider.post("/v1/convai/twilio/outbound-call", &dial_body("+2", json!({}))).await.json();
    let done = provider.reaches(twilio["conversation_id"].as_str().unwrap(), "done").await;
    assert_eq!(done["metadata"]["phone_call"]["call_result"], "voicemail");
}

#[actix_web::test]
async fn a_report_that_cannot_be_is_refused() {
    let provider = Provider::default().await;
    for wrong in [
        json!({"report": {"evaluation_criteria_results": {"polite": "success"}}}),
        json!({"report": {"call_successful": "maybe"}}),
        json!({"report": {"call_result": "asleep"}}),
        json!({"report": {"summary": "x"}}),
        json!({"report": {"transcript_summary": "x".repeat(20_000)}}),
    ] {
        assert_eq!(provider.put("/sim/agent", &wrong).await.status, 400, "{wrong}");
    }
}
