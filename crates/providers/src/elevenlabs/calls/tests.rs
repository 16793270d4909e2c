//! Calls and conversations, against a scripted server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::time::Duration;

use precall_call::ConversationId;
use serde_json::{Value, json};

use crate::elevenlabs::error::ProviderErrorKind as Kind;
use crate::elevenlabs::report_parser::ConversationDetail;
use crate::elevenlabs::requests::{OutboundCall, Telephony};
use crate::elevenlabs::test_server::{LONG, call, client, header, provider, run};

#[test]
fn a_dial_has_key_body_and_our_ids_and_reuses_its_connection() {
    run(async {
        let ok = json!({"success": true, "message": "", "conversation_id": "conv_1", "sip_call_id": "sip_1"})
            .to_string();
        let twilio =
            json!({"success": true, "message": "", "conversation_id": null, "callSid": "CA1"}).to_string();
        let (base, mut requests) = provider(vec![
            ("POST /v1/convai/sip-trunk/outbound-call", "200 OK", ok),
            ("POST /v1/convai/twilio/outbound-call", "200 OK", twilio),
        ])
        .await;
        let client = client(&format!("{base}/v1"));
        let dialled = client.outbound_call(&call(), LONG).await.unwrap();
        assert_eq!(dialled.conversation, Some(ConversationId::new("conv_1")));
        assert_eq!(dialled.telephone_call.as_deref(), Some("sip_1"));
        let (connection, head, body) = requests.recv().await.unwrap();
        assert_eq!(header(&head, "xi-api-key").as_deref(), Some("sk_test"));
        assert_eq!(header(&head, "content-type").as_deref(), Some("application/json"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let ours = call().call.to_string();
        assert_eq!(
            body,
            json!({
                "agent_id": "agent_1", "agent_phone_number_id": "phnum_1", "to_number": "+4917112345678",
                "conversation_initiation_client_data": {
                    "conversation_config_override": {
                        "tts": {"voice_id": "voice_1"}, "agent": {"first_message": ""},
                        "conversation": {"max_duration_seconds": 91}},
                    "dynamic_variables": {"customer": "Anna", "call_id": ours, "precall_purpose": "agent"},
                    "user_id": ours},
                "telephony_call_config": {"ringing_timeout_secs": 45}})
        );
        let by_twilio = OutboundCall { telephony: Telephony::Twilio, ..call() };
        let dialled = client.outbound_call(&by_twilio, LONG).await.unwrap();
        assert_eq!((dialled.conversation, dialled.telephone_call.as_deref()), (None, Some("CA1")));
        assert_eq!(requests.recv().await.unwrap().0, connection, "the connection was used again");
    });
}

#[test]
fn conversations_are_found_by_our_call_and_parsed() {
    run(async {
        let ours = call().call;
        let list = json!({"conversations": [{"agent_id": "agent_1", "conversation_id": "conv_1",
            "start_time_unix_secs": 1_764_425_361, "call_duration_secs": 12, "message_count": 2, "status": "done",
            "call_successful": "success"}], "has_more": false, "next_cursor": null});
        let detail = json!({"agent_id": "agent_1", "conversation_id": "conv_1", "status": "in-progress"});
        let path: &'static str =
            format!("GET /v1/convai/conversations?user_id={ours}&page_size=100&agent_id=agent_1").leak();
        let (base, _requests) = provider(vec![
            (path, "200 OK", list.to_string()),
            ("GET /v1/convai/conversations/conv_1", "200 OK", detail.to_string()),
            ("GET /v1/convai/conversations/conv_2", "200 OK", "{}".to_owned()),
        ])
        .await;
        let client = client(&base);
        let found = client.conversations_of(ours, Some("agent_1"), LONG).await.unwrap();
        assert_eq!(found.conversations[0].conversation.as_str(), "conv_1");
        assert_eq!(found.conversations[0].duration, Some(Duration::from_secs(12)));
        assert!(found.complete);
        let detail = client.conversation(&ConversationId::new("conv_1"), LONG).await.unwrap();
        assert_eq!(detail, ConversationDetail::NotYet { status: "in-progress".to_owned() });
        let error = client.conversation(&ConversationId::new("conv_2"), LONG).await.unwrap_err();
        assert_eq!(error.kind, Kind::Garbled);
        let error = client.conversation(&ConversationId::new("conv_3"), LONG).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
    });
}
