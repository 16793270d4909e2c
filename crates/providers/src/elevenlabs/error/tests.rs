//! Error bodies in each shape that the provider has used.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use crate::elevenlabs::error::{Execution, ProviderError, ProviderErrorKind as Kind};
use crate::elevenlabs::settings::ApiKey;

fn refused(status: u16, body: &str) -> ProviderError {
    ProviderError::refused(status, body.as_bytes(), None, &ApiKey::new("sk_secret"))
}

#[test]
fn the_code_decides_before_the_status() {
    let table = [
        (
            400,
            r#"{"detail":{"status":"voice_limit_reached","message":"You have reached your maximum"}}"#,
            Kind::SlotsFull,
        ),
        (
            400,
            r#"{"detail":{"type":"payment_required","code":"paid_plan_required","message":"m",
                "status":"can_not_use_instant_voice_cloning","request_id":"7185"}}"#,
            Kind::Payment,
        ),
        (400, r#"{"detail":{"code":"invalid_api_key"}}"#, Kind::Unauthorised),
        (401, r#"{"detail":{"status":"quota_exceeded","message":"m"}}"#, Kind::Payment),
        (401, r#"{"detail":{"status":"missing_permissions","message":"m"}}"#, Kind::Forbidden),
        (401, r#"{"detail":{"code":"unauthorized"}}"#, Kind::Unauthorised),
        (401, "", Kind::Unauthorised),
        (402, r#"{"detail":{"code":"insufficient_credits"}}"#, Kind::Payment),
        (403, r#"{"detail":{"code":"brand_new_code"}}"#, Kind::Forbidden),
        (404, r#"{"detail":{"type":"not_found","code":"voice_not_found"}}"#, Kind::NotFound),
        (404, r#"{"detail":"Not Found"}"#, Kind::NotFound),
        (
            400,
            r#"{"detail":{"status":"invalid_content","message":"File upload is corrupted."}}"#,
            Kind::SampleRefused,
        ),
        (409, r#"{"detail":{"code":"voice_already_exists"}}"#, Kind::Conflict),
        (
            422,
            r#"{"detail":[{"type":"missing","loc":["body","name"],"msg":"Field required","input":null}]}"#,
            Kind::Invalid,
        ),
        (429, r#"{"detail":{"code":"concurrent_limit_exceeded"}}"#, Kind::ConcurrencyLimited),
        (429, r#"{"detail":{"status":"too_many_concurrent_requests"}}"#, Kind::ConcurrencyLimited),
        (429, r#"{"detail":{"code":"system_busy"}}"#, Kind::RateLimited),
        (429, "<html>", Kind::RateLimited),
        (302, "", Kind::Redirected),
        (100, "", Kind::Garbled),
    ];
    for (status, body, kind) in table {
        let error = refused(status, body);
        assert_eq!(error.kind, kind, "{status} {body}");
        let expected = if (400..500).contains(&status) { Execution::SurelyNot } else { Execution::Maybe };
        assert_eq!(error.execution, expected, "{status} {body}");
    }
    for (status, kind) in [(500, Kind::Server), (503, Kind::Server), (408, Kind::Timeout)] {
        assert_eq!((refused(status, "{}").kind, refused(status, "{}").execution), (kind, Execution::Maybe));
    }
}

#[test]
fn each_shape_gives_code_and_message() {
    let new = refused(400, r#"{"detail":{"type":"t","code":"c","message":"m","status":"s"}}"#);
    assert_eq!((new.code.as_deref(), new.message.as_str()), (Some("c"), "m"));
    let old = refused(400, r#"{"detail":{"status":"s","message":"m"}}"#);
    assert_eq!(old.code.as_deref(), Some("s"));
    let list = refused(
        422,
        r#"{"detail":[{"type":"missing","loc":["body",0,"name"],"msg":"Field required","input":"+4917112345678"}]}"#,
    );
    assert_eq!(list.message, "body.0.name: Field required");
    assert_eq!(refused(502, "<h1>Bad gateway</h1>").message, "<h1>Bad gateway</h1>");
    for odd in ["null", "[]", "{\"detail\":7}", "{\"detail\":{\"code\":7,\"message\":[]}}", "\u{0}"] {
        assert_eq!(refused(400, odd).kind, Kind::Invalid, "{odd}");
    }
}

#[test]
fn messages_are_short_and_without_key_or_number() {
    let said = format!(
        r#"{{"detail":{{"code":"sk_secret","message":"key sk_secret\ncannot ring +4917112345678 (conv 12345) {}"}}}}"#,
        "x".repeat(5000)
    );
    let error = refused(400, &said);
    assert!(error.message.starts_with("key *** cannot ring +*****678 (conv 12345) xxx"), "{}", error.message);
    assert_eq!(error.message.chars().count(), 300);
    assert_eq!(error.code.as_deref(), Some("***"));
}
