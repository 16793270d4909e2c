//! Voices of the account, against a scripted server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use precall_call::VoiceId;
use serde_json::json;

use super::{VoiceDeleted, VoiceUse};
use crate::elevenlabs::error::{Execution, ProviderErrorKind as Kind};
use crate::elevenlabs::test_server::{LONG, answer, answering, check, client, header, provider, run, voice};

#[test]
fn a_voice_is_uploaded_completely_and_needs_verification_if_protected() {
    run(async {
        let body = r#"{"voice_id":"v1","requires_verification":false,"library_voice_match":null}"#;
        let (base, mut requests) = provider(vec![("POST /v1/voices/add", "200 OK", body.to_owned())]).await;
        let added = client(&base).add_voice(&voice(200_000), LONG).await.unwrap();
        assert_eq!((added.voice, added.usable), (VoiceId::new("v1"), VoiceUse::Ready));
        let (_, head, body) = requests.recv().await.unwrap();
        let kind = header(&head, "content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert_eq!(header(&head, "transfer-encoding"), None);
        let expected_head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nprecall-inst-job\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nmade by precall\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"sample.wav\"\r\n\
             Content-Type: audio/wav\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        assert_eq!(body.len(), expected_head.len() + 200_000 + tail.len());
        assert!(body.starts_with(expected_head.as_bytes()) && body.ends_with(tail.as_bytes()));

        for body in [
            r#"{"voice_id":"v1","requires_verification":true}"#,
            r#"{"voice_id":"v1","requires_verification":false,"library_voice_match":{"library_voice_id":"l"}}"#,
        ] {
            let added =
                client(&answering(answer("200 OK", body)).await).add_voice(&voice(10), LONG).await.unwrap();
            assert_eq!(added.usable, VoiceUse::NeedsVerification);
        }
        for body in [r#"{"requires_verification":false}"#, r#"{"voice_id":""}"#] {
            let error = client(&answering(answer("200 OK", body)).await).add_voice(&voice(10), LONG).await;
            check(&error.unwrap_err(), Kind::Garbled, Execution::Maybe);
        }
    });
}

#[test]
fn voices_are_found_over_pages_and_deleted_once() {
    run(async {
        let first = json!({"voices": [{"voice_id": "v1", "name": "a b", "created_at_unix": 5}], "has_more": true,
            "total_count": 2, "next_page_token": "t&1"});
        let second = json!({"voices": [{"voice_id": "v2", "created_at_unix": null}], "has_more": false,
            "total_count": 2});
        let (base, _requests) = provider(vec![
            ("GET /v2/voices?search=a+b&page_size=100", "200 OK", first.to_string()),
            ("GET /v2/voices?search=a+b&page_size=100&next_page_token=t%261", "200 OK", second.to_string()),
            ("DELETE /v1/voices/v1", "200 OK", r#"{"status":"ok"}"#.to_owned()),
            ("DELETE /v1/voices/v3", "500 Oops", String::new()),
        ])
        .await;
        let client = client(&base);
        let list = client.voices_named("a b", LONG).await.unwrap();
        let seen: Vec<_> =
            list.voices.iter().map(|v| (v.voice.as_str(), v.name.as_str(), v.created_at_unix)).collect();
        assert_eq!((seen, list.complete), (vec![("v1", "a b", Some(5)), ("v2", "", None)], true));
        assert_eq!(client.delete_voice(&VoiceId::new("v1"), LONG).await, Ok(VoiceDeleted::Now));
        assert_eq!(client.delete_voice(&VoiceId::new("v2"), LONG).await, Ok(VoiceDeleted::Earlier));
        assert_eq!(client.delete_voice(&VoiceId::new("v3"), LONG).await.unwrap_err().kind, Kind::Server);
    });
}
