//! Tests of the closed sets: real paths have their names, and nothing makes a new one.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use awc::http::Method;

use super::{Endpoint, RequestEnd, RequestWatch, Service};

#[test]
fn each_request_has_its_endpoint() {
    use Service::{ElevenLabs, ThreeCx};
    for (service, method, path, name) in [
        (ElevenLabs, Method::POST, "/v1/voices/add", "add_voice"),
        (ElevenLabs, Method::GET, "/v2/voices?search=x", "voices"),
        (ElevenLabs, Method::DELETE, "/v1/voices/abc", "delete_voice"),
        (ElevenLabs, Method::POST, "/v1/convai/sip-trunk/outbound-call", "outbound_call"),
        (ElevenLabs, Method::POST, "/eu/v1/convai/twilio/outbound-call", "outbound_call"),
        (ElevenLabs, Method::GET, "/v1/convai/conversation/get-signed-url?agent_id=a", "signed_url"),
        (ElevenLabs, Method::GET, "/v1/convai/conversations/conv_1", "conversation"),
        (ElevenLabs, Method::GET, "/v1/convai/conversations", "conversations"),
        (ElevenLabs, Method::POST, "/v1/text-to-speech/v1", "speech"),
        (ElevenLabs, Method::GET, "/v1/user/subscription", "account"),
        (ElevenLabs, Method::GET, "/v1/convai/agents/agent_1", "agent"),
        (ElevenLabs, Method::GET, "/v1/voices/abc", "other"),
        (ThreeCx, Method::POST, "/connect/token", "token"),
        (ThreeCx, Method::GET, "/callcontrol", "call_control"),
        (ThreeCx, Method::GET, "/callcontrol/900/participants", "participants"),
        (ThreeCx, Method::GET, "/pbx/callcontrol/900/participants/17", "participants"),
        (ThreeCx, Method::POST, "/callcontrol/900/participants/17/routeto", "route_to"),
        (ThreeCx, Method::POST, "/callcontrol/900/participants/17/drop", "drop"),
        (ThreeCx, Method::POST, "/callcontrol/900/participants/17/answer", "answer"),
        (ThreeCx, Method::POST, "/callcontrol/900/participants/17/attach_participant_data", "attach_data"),
        (ThreeCx, Method::GET, "/callcontrol/900/participants/17/drop", "other"),
    ] {
        let url = format!("https://example.com{path}").parse().unwrap();
        assert_eq!(Endpoint::of(service, &method, &url).name(), name, "{method} {path}");
    }
}

#[test]
fn hostile_paths_and_statuses_make_no_new_names() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let to = Arc::clone(&seen);
    let observer = move |endpoint: Endpoint, end: RequestEnd, _| {
        to.lock().unwrap().insert((endpoint.service(), endpoint.name(), end.name()));
    };
    let watch = RequestWatch::new(Service::ElevenLabs, Arc::new(observer));
    for number in 0..2_000 {
        let url = format!("https://example.com/{number}/v1/voices/+4930{number}/x{number}").parse().unwrap();
        drop(watch.begin(&Method::GET, &url));
    }
    assert_eq!(*seen.lock().unwrap(), HashSet::from([("elevenlabs", "other", "unanswered")]));
    let names: HashSet<_> = (0..=u16::MAX).map(|status| RequestEnd::Status(status).name()).collect();
    assert!(names.len() <= 12, "{names:?}");
}
