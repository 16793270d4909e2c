//! `/webhook/elevenlabs/postcall`: requests and answers.

use precall_actors::api::{Busy, ReportOutcome};
use precall_call::Grade;
use precall_store::events::rows::RawBody;

use super::client::send_chunked;
use super::harness::{POSTCALL, SECRET, now_plus, run, run_with, settings};
use super::scripted::{Asked, CALL};
use crate::http::Settings;
use crate::signature::{Kind, sign};

const MIB: usize = 1024 * 1024;

fn transcription(message: &str) -> String {
    format!(
        r#"{{"type":"post_call_transcription","event_timestamp":1764425485,
         "data":{{"agent_id":"a","conversation_id":"conv_9",
        "status":"done","transcript":[{{"role":"agent","message":"{message}"}}],
         "metadata":{{"call_duration_secs":119}}}}}}"#
    )
}

#[actix_web::test]
async fn a_report_is_passed_on_with_its_body() {
    let server = run();
    let answer = server.post(POSTCALL, &transcription("Hallo.")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!((json["status"].as_str(), json["call_id"].as_str()), (Some("processed"), Some("conv_9")));
    let asked = server.engine.asked();
    let [Asked::Report(report, raw)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(report.grade, Grade::Completed);
    assert_eq!(*raw, transcription("Hallo."));
}

#[actix_web::test]
async fn every_outcome_is_answered_with_processed() {
    let server = run();
    for outcome in [ReportOutcome::Applied(CALL), ReportOutcome::Kept, ReportOutcome::NotOurs] {
        server.engine.change(|script| script.reported = Ok(outcome));
        let answer = server.post(POSTCALL, &transcription("x")).await;
        assert_eq!((answer.status, answer.json()["call_id"].as_str()), (200, Some("conv_9")));
    }
}

#[actix_web::test]
async fn failures_and_the_flat_form_are_reports() {
    let server = run();
    let failure = r#"{"type":"call_initiation_failure","event_timestamp":1,
        "data":{"agent_id":"a","conversation_id":"c1",
        "failure_reason":"busy"}}"#;
    let flat = r#"{"call_id":"c2","agent_id":"a","transcript":"hello","duration_seconds":"12","status":"completed"}"#;
    for (body, id) in [(failure, "c1"), (flat, "c2")] {
        let answer = server.post(POSTCALL, body).await;
        assert_eq!((answer.status, answer.json()["call_id"].as_str()), (200, Some(id)), "{answer:?}");
    }
    assert_eq!(server.engine.asked().len(), 2);
}

#[actix_web::test]
async fn json_that_jsonb_refuses_is_replaced() {
    let server = run();
    let answer = server.post(POSTCALL, &transcription("a\\u0000b\\ud83dc")).await;
    assert_eq!(answer.status, 200);
    let asked = server.engine.asked();
    let [Asked::Report(report, raw)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(raw.contains("a\\ufffdb\\ufffdc"), "{raw}");
    assert!(!format!("{report:?}").contains("\\0"));
}

#[actix_web::test]
async fn an_unknown_type_is_acknowledged() {
    let server = run();
    let answer = server.post(POSTCALL, r#"{"type":"answering_machine_detection","data":{}}"#).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("processed")));
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn an_unreadable_report_is_400() {
    let server = run();
    let tower =
        format!(r#"{{"type":"post_call_transcription","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for (body, code) in [
        ("{", "bad_json"),
        ("[]", "bad_json"),
        (tower.as_str(), "bad_json"),
        ("{}", "bad_field"),
        (r#"{"type":"post_call_transcription","data":{"agent_id":"a"}}"#, "bad_field"),
    ] {
        let answer = server.post(POSTCALL, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{}", &body[..body.len().min(80)]);
    }
}

#[actix_web::test]
async fn a_report_that_cannot_be_stored_is_503() {
    let server = run();
    server.engine.change(|script| script.reported = Err(Busy::CannotKeep));
    let answer = server.post(POSTCALL, &transcription("x")).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "cannot_keep"));
    assert_eq!(answer.headers["retry-after"], "5");
}

#[actix_web::test]
async fn a_large_recording_is_read_and_not_kept_in_memory() {
    let server = run();
    let head = r#"{"type":"post_call_audio","event_timestamp":1,"data":{"agent_id":"a","conversation_id":"c3",
        "full_audio":""#;
    let mut body = head.as_bytes().to_vec();
    body.resize(20 * MIB, b'A');
    body.extend_from_slice(b"\"}}");
    let (name, value) = sign(Kind::ElevenLabs, SECRET.as_bytes(), &body, now_plus(0));
    let chunks = || body.chunks(64 * 1024).map(<[u8]>::to_vec);
    let answer = send_chunked(server.address, POSTCALL, &[(name, &value)], chunks()).await;
    assert_eq!((answer.status, answer.json()["call_id"].as_str()), (200, Some("c3")), "{answer:?}");

    let (name, value) = sign(Kind::ElevenLabs, b"another", &body, now_plus(0));
    let answer = send_chunked(server.address, POSTCALL, &[(name, &value)], chunks()).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_wrong"));
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn a_transcript_above_its_limit_is_refused() {
    let server = run();
    let answer = server.post(POSTCALL, &transcription(&"x".repeat(3 * MIB))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = server.post(POSTCALL, &transcription(&"x".repeat(17 * MIB))).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let failure = format!(r#"{{"type":"call_initiation_failure","data":{{"x":"{}"}}}}"#, "x".repeat(2 * MIB));
    assert_eq!(server.post(POSTCALL, &failure).await.status, 413, "only transcripts may be long");
}

#[actix_web::test]
async fn the_inbox_keeps_raw_bodies_and_no_audio_of_recordings() {
    let server = run();
    let text = transcription("Hallo \\u0000 \u{df}");
    assert_eq!(server.post(POSTCALL, &text).await.status, 200);
    let short = r#"{"type":"post_call_audio","event_timestamp":1764425485,
        "data":{"agent_id":"a","conversation_id":"conv_8",
        "full_audio":"AAAA"}}"#;
    assert_eq!(server.post(POSTCALL, short).await.status, 200);
    assert_eq!(server.post(POSTCALL, r#"{"type":"something_else","data":{}}"#).await.status, 200);
    server.engine.change(|script| script.reported = Ok(ReportOutcome::NotOurs));
    assert_eq!(server.post(POSTCALL, &transcription("of others")).await.status, 200);
    let kept = server.engine.kept();
    let told: Vec<_> = kept.iter().map(|row| (&*row.kind, row.provider_id.as_str(), &*row.outcome)).collect();
    assert_eq!(
        told,
        [
            ("post_call_transcription", "conv_9", "applied"),
            ("post_call_audio", "conv_8", "recording"),
            ("other", "", "ignored"),
        ]
    );
    assert!(matches!(&kept[0].body, Some(RawBody::Text(body)) if *body == text), "{:?}", kept[0].body);
    assert!(kept[1..].iter().all(|row| row.body.is_none()), "{kept:?}");
}

#[actix_web::test]
async fn an_unstored_report_is_503_and_an_unreadable_one_stays_400() {
    let server = run();
    server.engine.change(|script| script.kept = Err(Busy::CannotKeep));
    assert_eq!(server.post(POSTCALL, &transcription("x")).await.status, 503);
    assert_eq!(server.post(POSTCALL, "{").await.status, 400);
    assert_eq!(server.engine.kept()[1].state, "quarantined");
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).unwrap();
    found.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn recording(agent: &str, id: &str, sound: &str) -> String {
    format!(
        r#"{{"type":"post_call_audio","event_timestamp":1764425485,
         "data":{{"agent_id":"{agent}","conversation_id":"{id}",
         "full_audio":"{sound}"}}}}"#
    )
}

#[actix_web::test]
async fn recordings_become_files_if_configured() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("recordings");
    let server = run_with(Settings { recordings: Some(folder.clone()), ..settings() });
    let long = "QUJD".repeat(200_000);
    assert_eq!(server.post(POSTCALL, &recording("a", "conv_long", &long)).await.status, 200);
    assert_eq!(server.post(POSTCALL, &recording("a", "conv_short", "QUJD")).await.status, 200);
    assert_eq!(std::fs::read(folder.join("conv_long.mp3")).unwrap(), b"ABC".repeat(200_000));
    assert_eq!(std::fs::read(folder.join("conv_short.mp3")).unwrap(), b"ABC");
    assert_eq!(server.post(POSTCALL, &recording("of others", "conv_x", &long)).await.status, 200);
    assert_eq!(server.post(POSTCALL, &recording("a", "../conv", &long)).await.status, 400);
    assert_eq!(server.post(POSTCALL, &recording("a", "conv_y", &"!".repeat(100_000))).await.status, 400);
    // An unsigned recording leaves no file.
    let (name, value) = sign(Kind::ElevenLabs, b"another secret", b"", now_plus(0));
    let unsigned = recording("a", "conv_z", &long);
    let answer =
        send_chunked(server.address, POSTCALL, &[(name, &value)], [unsigned.into_bytes()].into_iter()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let mut left = files(&folder);
    left.sort();
    assert_eq!(left, ["conv_long.mp3", "conv_short.mp3"]);
    assert!(server.engine.kept().iter().all(|row| row.body.is_none()), "never in rows");
}
