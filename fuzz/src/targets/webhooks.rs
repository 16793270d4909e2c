//! Bytes that anybody can send to `/webhook/`: the signature's header, and the bodies behind a good signature.

use precall::parsers::{self, PbxWebhook, ProviderWebhook};
use precall::signature::{Kind, SignatureError, Verifier, sign};
use precall_base::invisible::{is_utf16, without_mark};
use precall_call::At;
use precall_providers::elevenlabs::{ConversationDetail, VoiceEcho};
use precall_providers::elevenlabs::{ConversationReport, audio_head, audio_head_of, parse_conversation};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{choice, is_plain};

/// The current secret, and the one before it.
const SECRETS: [&[u8]; 2] = [b"a secret that no input knows", b"the secret before that one"];
const NOW_SECONDS: i64 = 1_764_425_485;
const NOW: At = At(NOW_SECONDS * 1_000_000);
const MARK: &[u8] = "\u{feff}".as_bytes();

/// No header verifies a body that was not signed; what is refused is outside the window; what was signed verifies.
pub(crate) fn signature_header(input: &[u8]) {
    let Some((choice, header)) = choice(input) else { return };
    let kind = if choice & 1 == 0 { Kind::ThreeCx } else { Kind::ElevenLabs };
    match Verifier::begin(kind, &SECRETS, Some(header), NOW) {
        Ok(mut verifier) => {
            assert!(header.len() <= 1_024);
            let times = header.split(|byte| *byte == b',').filter_map(|part| part.strip_prefix(b"t="));
            let times: Vec<&[u8]> = times.collect();
            let [time] = times[..] else { panic!("{} times", times.len()) };
            let time: i64 = std::str::from_utf8(time).unwrap().parse().unwrap();
            let window = NOW_SECONDS - kind.past_seconds()..=NOW_SECONDS + kind.future_seconds();
            assert!(window.contains(&time), "{time}");
            verifier.update(b"not signed");
            assert_eq!(verifier.finish(), Err(SignatureError::Wrong));
        }
        Err(SignatureError::TooOld { seconds }) => assert!(seconds > kind.past_seconds()),
        Err(SignatureError::TooNew { seconds }) => assert!(seconds > kind.future_seconds()),
        Err(SignatureError::Malformed) => {}
        Err(error @ (SignatureError::Missing | SignatureError::Wrong)) => panic!("{error}"),
    }
    let verify = |value: &[u8], body: &[u8]| {
        let mut verifier = Verifier::begin(kind, &SECRETS, Some(value), NOW)?;
        verifier.update(body);
        verifier.finish()
    };
    for (place, secret) in SECRETS.iter().enumerate() {
        let (_, good) = sign(kind, secret, header, NOW);
        assert_eq!(verify(good.as_bytes(), header), Ok(place));
        let other = [header, b"."].concat();
        assert_eq!(verify(good.as_bytes(), &other), Err(SignatureError::Wrong));
    }
}

/// Texts are bounded, not empty and plain; a second reading of what was read gives the same.
pub(crate) fn pbx_webhook(input: &[u8]) {
    let parsed = parsers::pbx_webhook(input);
    let at = parsers::pbx_webhook_time(input);
    if !is_utf16(input) {
        let marked = [MARK, input].concat();
        assert_eq!(format!("{parsed:?}"), format!("{:?}", parsers::pbx_webhook(&marked)));
        assert_eq!(at, parsers::pbx_webhook_time(&marked));
    }
    let Ok(PbxWebhook::Incoming(call)) = parsed else { return };
    let texts = [&call.threecx_call_id, &call.caller, &call.called];
    for text in texts.into_iter().flatten() {
        assert!(!text.is_empty());
        has_letters(text, 255);
    }
    call.recording_url.iter().for_each(|url| has_letters(url, 8_192));
    let again = serde_json::json!({
        "event_type": "IncomingCall", "call_id": call.threecx_call_id, "caller_id": call.caller,
        "called_number": call.called, "recording_url": call.recording_url,
    });
    let again = parsers::pbx_webhook(again.to_string().as_bytes());
    assert_eq!(format!("{again:?}"), format!("Ok({:?})", PbxWebhook::Incoming(call)));
}

/// Its bound is in characters, as the document of the API says it.
#[track_caller]
fn has_letters(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "more than {most} characters: {text:?}");
    is_plain(text, most * 4);
}

/// Reports are bounded and plain, what is stored of them can be stored, and says the same when it is read again.
pub(crate) fn provider_webhook(input: &[u8]) {
    if let Ok(parsed) = parsers::provider_webhook(input) {
        match parsed {
            ProviderWebhook::Report(report, json) => {
                check_report(&report);
                let Ok(ProviderWebhook::Report(again, _)) = parsers::provider_webhook(json.as_bytes()) else {
                    panic!("the stored report cannot be read")
                };
                assert_eq!(report, again);
            }
            ProviderWebhook::Recording(head) => {
                head.conversation.iter().for_each(|id| is_plain(id.as_str(), 256));
            }
            ProviderWebhook::Other => {}
        }
    }
    if let Ok(ConversationDetail::Reported(report)) = parse_conversation(input) {
        check_report(&report);
    }
    let json = without_mark(input);
    if let Ok(whole) = audio_head_of(json) {
        assert_eq!(whole, audio_head(json));
    }
    let Some(safe) = parsers::jsonb_safe(input) else { return };
    assert_eq!(parsers::jsonb_safe(&safe).as_deref(), Some(&*safe), "a second pass changes nothing");
    let is_json =
        std::str::from_utf8(input).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    if is_json {
        match serde_json::from_slice::<Value>(&safe) {
            Ok(value) => assert!(!has_nul(&value), "a NUL for PostgreSQL"),
            // PostgreSQL's numbers are longer than a double.
            Err(error) => assert!(error.to_string().starts_with("number out of range"), "{error}"),
        }
    }
}

#[track_caller]
fn check_report(report: &ConversationReport) {
    is_plain(report.conversation.as_str(), 256);
    report.agent_id.iter().for_each(|agent| is_plain(agent, 256));
    report.termination_reason.iter().for_each(|reason| is_plain(reason, 4 * 500));
    if let Some(transcript) = &report.transcript {
        transcript.as_str().split('\n').for_each(|line| is_plain(line, usize::MAX));
    }
    if let VoiceEcho::Voice(voice) = &report.voice_echo {
        is_plain(voice.as_str(), 256);
    }
    for kept in [&report.analysis, &report.machine_detection].into_iter().flatten() {
        assert!(!has_nul(kept.value()));
    }
    let _fact = report.fact();
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The id that is stored is bounded and plain.
pub(crate) fn initiation_webhook(input: &[u8]) {
    let Ok(asked) = parsers::initiation(input) else { return };
    asked.call_sid.iter().for_each(|sid| is_plain(sid, 256));
    let marked = parsers::initiation(&[MARK, input].concat());
    assert_eq!(format!("{marked:?}"), format!("Ok({asked:?})"));
}
