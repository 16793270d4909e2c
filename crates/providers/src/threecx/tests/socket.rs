//! The event socket against a PBX that sends events, goes silent, disconnects and sends garbage.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::test_peers::scripted_pbx::{Answer, ScriptedPbx, run, text_frame};
use crate::threecx::access_token::TokenPublisher;
use crate::threecx::client::ThreeCx;
use crate::threecx::error::ThreeCxErrorKind;
use crate::threecx::event::{LegChange, PbxEvent};
use crate::threecx::socket::{SocketEvent, SocketTiming};

const LONG: Duration = Duration::from_secs(20);
const QUICK: SocketTiming = SocketTiming {
    ping_every: Duration::from_millis(50),
    doubt_after: Duration::from_millis(200),
    silence_max: Duration::from_millis(400),
};

async fn client(pbx: &ScriptedPbx) -> (ThreeCx, TokenPublisher) {
    let (tokens, desk) = pbx.token_channel();
    (ThreeCx::new(pbx.settings(LONG), tokens), desk)
}

async fn next(events: &mut Pin<&mut impl Stream<Item = SocketEvent>>) -> SocketEvent {
    events.next().await.unwrap()
}

fn closed(events: SocketEvent) -> String {
    match events {
        SocketEvent::Closed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_arrive_in_order_and_the_close_is_last() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx).await;
        let open = client.open_socket(SocketTiming::default()).await.unwrap();
        assert_eq!(open.token_generation, 1);
        let upgrade = pbx.seen("GET /callcontrol/ws").pop().unwrap();
        assert_eq!(upgrade.header("authorization"), Some("Bearer token1"));
        let mut events = pin!(open.events);
        pbx.event(5, "/callcontrol/900/participants/42", &Value::Null);
        assert_eq!(next(&mut events).await, SocketEvent::Event(PbxEvent { sequence: Some(1), change: None }));
        // Garbage, a ping, and an event in three fragments with a ping between them.
        pbx.raw(text_frame(0x81, b"hello"));
        pbx.raw(text_frame(0x89, b"are you there"));
        let whole =
            json!({"sequence": 2, "event": {"event_type": 2, "entity": "/callcontrol/900/participants/42",
            "attached_data": {"dtmf_input": "1"}}})
            .to_string();
        let (first, rest) = whole.as_bytes().split_at(10);
        let (second, third) = rest.split_at(20);
        for (head, piece) in [(0x01, first), (0x89, b"".as_slice()), (0x00, second), (0x80, third)] {
            pbx.raw(text_frame(head, piece));
        }
        let SocketEvent::Event(PbxEvent { sequence: Some(2), change: Some(change) }) =
            next(&mut events).await
        else {
            panic!("no keys")
        };
        assert!(matches!(change, LegChange::Keys { .. }), "{change:?}");
        pbx.close_socket(1012);
        assert_eq!(closed(next(&mut events).await), "closed by the PBX (code 1012)");
        assert_eq!(events.next().await, None);
    });
}

#[test]
fn a_silent_socket_is_closed_unless_it_answers_pings() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx).await;
        pbx.script("GET /callcontrol/ws", Answer::Deaf);
        let mut events = pin!(client.open_socket(QUICK).await.unwrap().events);
        let began = Instant::now();
        assert_eq!(next(&mut events).await, SocketEvent::Doubtful { answers_pings: true });
        assert!(began.elapsed() >= Duration::from_millis(190));
        assert!(closed(next(&mut events).await).starts_with("open but silent for "));
        assert!(began.elapsed() >= Duration::from_millis(390));

        // Answered pings keep the socket open: no close within three times the allowed silence.
        let mut events = pin!(client.open_socket(QUICK).await.unwrap().events);
        let idle = tokio::time::timeout(QUICK.silence_max * 3, events.next()).await;
        assert!(idle.is_err(), "{idle:?}");
        pbx.upsert(42);
        assert!(matches!(next(&mut events).await, SocketEvent::Event(_)));
    });
}

#[test]
fn a_doubtful_socket_is_sure_again_when_anything_is_received() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx).await;
        pbx.script("GET /callcontrol/ws", Answer::Deaf);
        let patient = SocketTiming { silence_max: LONG, ..QUICK };
        let mut events = pin!(client.open_socket(patient).await.unwrap().events);
        for what in [text_frame(0x8a, b"precall"), text_frame(0x81, b"hello"), text_frame(0x89, b"ping")] {
            assert_eq!(next(&mut events).await, SocketEvent::Doubtful { answers_pings: true });
            pbx.raw(what);
            assert_eq!(next(&mut events).await, SocketEvent::Sure);
        }
        assert_eq!(next(&mut events).await, SocketEvent::Doubtful { answers_pings: true });
        pbx.upsert(42);
        assert_eq!(next(&mut events).await, SocketEvent::Sure);
        assert!(matches!(next(&mut events).await, SocketEvent::Event(_)), "the event itself is not lost");
    });
}

#[test]
fn the_silence_of_a_pbx_that_sends_events_and_answers_no_ping_says_little() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx).await;
        pbx.script("GET /callcontrol/ws", Answer::Deaf);
        let mut events = pin!(client.open_socket(QUICK).await.unwrap().events);
        pbx.upsert(42);
        assert!(matches!(next(&mut events).await, SocketEvent::Event(_)));
        assert_eq!(next(&mut events).await, SocketEvent::Doubtful { answers_pings: false });
        let more = tokio::time::timeout(QUICK.silence_max * 3, events.next()).await;
        assert!(more.is_err(), "it stays open: {more:?}");
    });
}

#[test]
fn a_broken_connection_and_an_oversized_frame_close_the_socket() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx).await;
        let mut events = pin!(client.open_socket(SocketTiming::default()).await.unwrap().events);
        pbx.cut_socket();
        closed(next(&mut events).await);

        let mut events = pin!(client.open_socket(SocketTiming::default()).await.unwrap().events);
        pbx.raw(text_frame(0x81, &vec![b' '; 300 * 1024]));
        assert_eq!(closed(next(&mut events).await), "broken: a frame is too large");

        let mut events = pin!(client.open_socket(SocketTiming::default()).await.unwrap().events);
        pbx.raw(text_frame(0x01, &vec![b' '; 200 * 1024]));
        pbx.raw(text_frame(0x80, &vec![b' '; 200 * 1024]));
        assert_eq!(closed(next(&mut events).await), "a message is too large");

        let mut events = pin!(client.open_socket(SocketTiming::default()).await.unwrap().events);
        pbx.raw(vec![0xff; 64]);
        assert!(closed(next(&mut events).await).starts_with("broken: "));
    });
}

#[test]
fn a_socket_opens_with_a_current_token_or_says_why_not() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, mut desk) = client(&pbx).await;
        pbx.revoke();
        let renewing = async {
            desk.refusal().await.unwrap();
            desk.publish(&pbx.give_token());
        };
        let (opened, ()) = tokio::join!(client.open_socket(SocketTiming::default()), renewing);
        assert_eq!(opened.unwrap().token_generation, 2);
        for (status, kind) in [
            ("403 Forbidden", ThreeCxErrorKind::Forbidden),
            ("404 Not Found", ThreeCxErrorKind::NotFound),
            ("302 Found", ThreeCxErrorKind::Redirected),
            ("500 Oops", ThreeCxErrorKind::Server),
            ("200 OK", ThreeCxErrorKind::Garbled),
        ] {
            pbx.script("GET /callcontrol/ws", Answer::Reply(status, String::new()));
            let error = client.open_socket(SocketTiming::default()).await.err().unwrap();
            assert_eq!(error.kind, kind, "{status}");
        }
        pbx.script("GET /callcontrol/ws", Answer::Close);
        let error = client.open_socket(SocketTiming::default()).await.err().unwrap();
        assert_eq!(error.kind, ThreeCxErrorKind::Lost);
        let (tokens, _desk) = pbx.token_channel();
        let hasty = ThreeCx::new(pbx.settings(Duration::from_millis(200)), tokens);
        pbx.script("GET /callcontrol/ws", Answer::Hang);
        let error = hasty.open_socket(SocketTiming::default()).await.err().unwrap();
        assert_eq!(error.kind, ThreeCxErrorKind::Timeout);
    });
}
