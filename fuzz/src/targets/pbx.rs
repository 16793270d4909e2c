//! Bytes of the PBX: frames of its WebSocket, events in them, and its answers about participants.

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Item};
use bytes::{Bytes, BytesMut};
use precall_base::exact_numbers::exact_numbers;
use precall_providers::threecx::address::Dn;
use precall_providers::threecx::bounded_codec::BoundedCodec;
use precall_providers::threecx::event::{LegChange, read_event};
use precall_providers::threecx::participant::Participant;
use precall_providers::threecx::wire;
use serde::de::IgnoredAny;

use super::{choice, is_plain};

/// As the client's.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// A text has at most 256 characters of four bytes.
const TEXT_BYTES_MAX: usize = 4 * 256;

/// Keys are keys, a leg is the one of the event's path, and JSON whose numbers became text is still JSON.
pub(crate) fn event(input: &[u8]) {
    if let Some(change) = read_event(input).and_then(|event| event.change) {
        match &change {
            LegChange::Upsert { leg, now: Some(now) } => {
                assert_eq!(*leg, now.leg);
                check(now);
            }
            LegChange::Keys { keys, .. } => {
                assert!((1..=64).contains(&keys.len()));
                assert!(keys.chars().all(|key| key.is_ascii_digit() || "*#ABCDabcd".contains(key)), "{keys}");
            }
            LegChange::Upsert { now: None, .. } | LegChange::Remove { .. } => {}
        }
        assert!(change.leg().dn.as_str().len() <= input.len());
    }
    let exact = exact_numbers(input);
    assert!(!is_json(input) || is_json(&exact));
    assert_eq!(exact_numbers(&exact), exact, "a second pass changes nothing");
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Texts are bounded, and ids plain. One participant reads the same alone, in a list and below its DN.
pub(crate) fn participants(input: &[u8]) {
    let asked = Dn::new("900");
    let alone = wire::participant(input, &asked);
    alone.iter().for_each(check);
    if let Some(alone) = alone {
        // Not a list where that would be nested too deeply.
        let list = [b"[", input, b"]"].concat();
        let list = wire::participants(&list, &asked);
        assert!(list.is_none_or(|list| list == [alone.clone()]));
        let below = [br#"[{"dn":"900","participants":["#, input, b"]}]"].concat();
        let states = wire::dn_states(&below);
        assert!(states.is_none_or(|states| states[0].participants == [alone]));
    }
    wire::participants(input, &asked).iter().flatten().for_each(check);
    for state in wire::dn_states(input).iter().flatten() {
        assert!(!state.dn.as_str().is_empty());
        state.participants.iter().for_each(check);
    }
}

#[track_caller]
fn check(leg: &Participant) {
    let roles = [&leg.party, &leg.originated_by, &leg.referred_by, &leg.on_behalf_of];
    let texts = [&leg.party_caller_name, &leg.party_caller_id, &leg.party_did, &leg.device_id];
    let of_roles = roles.into_iter().flat_map(|role| [&role.dn, &role.kind]);
    assert!(texts.into_iter().chain(of_roles).all(|text| text.len() <= TEXT_BYTES_MAX));
    if let Some(id) = &leg.call_id {
        assert!(!id.is_empty());
        is_plain(id, 256);
    }
    let _number = leg.caller_text();
    assert!(!leg.has_other_party_than(leg));
}

/// Frames are within their limit, and the same however the network cuts them.
pub(crate) fn socket(input: &[u8]) {
    let Some((choice, stream)) = choice(input) else { return };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(choice).saturating_add(1));
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    for frame in whole {
        let payload = match frame {
            Frame::Text(payload) | Frame::Binary(payload) | Frame::Ping(payload) | Frame::Pong(payload) => {
                payload
            }
            Frame::Continuation(
                Item::FirstText(part) | Item::FirstBinary(part) | Item::Continue(part) | Item::Last(part),
            ) => part,
            Frame::Close(_) => Bytes::new(),
        };
        assert!(payload.len() <= stream.len());
        let _event = read_event(&payload);
    }
}

/// All frames of a stream that comes in pieces of this size.
fn frames(stream: &[u8], piece: usize) -> Vec<Frame> {
    let mut codec =
        BoundedCodec::new(Codec::new().client_mode().max_size(MESSAGE_BYTES_MAX), MESSAGE_BYTES_MAX);
    let (mut received, mut found) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(piece) {
        received.extend_from_slice(piece);
        loop {
            match codec.decode(&mut received) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}
