//! Names that are nearly right.
#![allow(clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]
use super::warnings;

#[test]
fn a_misspelt_name_is_reported_with_the_right_one() {
    let found = warnings(["GREETING_MAX_SECOND", "ELEVENLAB_API_KEY", "WEBHOOK_SERCET"].into_iter());
    let expected = ["GREETING_MAX_SECONDS", "ELEVENLABS_API_KEY", "WEBHOOK_SECRET"];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (warning, right) in found.iter().zip(expected) {
        assert!(warning.ends_with(&format!("did you mean {right}?")), "{warning}");
    }
}

#[test]
fn names_of_other_programs_are_not_reported() {
    let others = [
        "PATH",
        "HOME",
        "HTTP_PROXY",
        "AWS_REGION",
        "HOSTNAME",
        "LOGNAME",
        "PGDATA",
        "RUST_LOG",
        "MAX_JOBS",
        "SOURCE_DATE_EPOCH",
        "AWS_ACCESS_KEY_PATH",
    ];
    assert_eq!(warnings(others.into_iter()), Vec::<String>::new());
}

#[test]
fn our_prefix_alone_is_reported_and_known_names_are_not() {
    let found = warnings(
        ["THREECX_COLOUR", "threecx_base_url", "WEBHOOK_SECRET_FILE", "PORT_FILE", "PORT"].into_iter(),
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("THREECX_COLOUR is not"));
    assert!(found[1].contains("did you mean THREECX_BASE_URL?"));
}

#[test]
fn names_that_begin_as_ours_are_reported() {
    let prefixes = [
        "AGENT_",
        "API_KEY",
        "APOLOGY_",
        "AUTO_TRANSITION",
        "BUDGET_",
        "CALLBACK_",
        "CALL_",
        "CLONE_",
        "CONSENT_",
        "CONVERSATION_",
        "CORS_",
        "DATABASE_",
        "DRAIN_",
        "ELEVENLABS_",
        "EMBEDDED_",
        "FALLBACK_",
        "GREETING_",
        "HANDOFF_",
        "INITIATION_",
        "LOCAL_VOICE_",
        "LOG_",
        "MAX_HOLD_",
        "MAX_LIVE_",
        "METRICS_",
        "NOTICE_",
        "OWN_NUMBER",
        "POSTCALL_",
        "PRECALL_",
        "PROMPT_",
        "RETENTION_",
        "S3_",
        "SPOOL_",
        "STORE_RECORDING",
        "THREECX_",
        "TRUSTED_",
        "VOICE_",
        "WEBHOOK_",
    ];
    for prefix in prefixes {
        let name = format!("{prefix}_SOMETHING_ELSE");
        assert_eq!(warnings([name.as_str()].into_iter()).len(), 1, "{name}");
    }
}
