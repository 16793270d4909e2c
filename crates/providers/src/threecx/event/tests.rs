//! Events of the PBX.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{Dn, LegAddress, LegChange, ParticipantId, PbxEvent, read_event};

fn leg(dn: &str, id: u64) -> LegAddress {
    LegAddress { dn: Dn::new(dn), participant: ParticipantId(id) }
}

fn change(frame: &str) -> Option<LegChange> {
    read_event(frame.as_bytes()).unwrap().change
}

#[test]
fn captured_events_are_parsed() {
    let upsert = r#"{"sequence":15,"event":{"event_type":0,"entity":"/callcontrol/150/participants/8106",
        "attached_data":null}}"#;
    let expected = LegChange::Upsert { leg: leg("150", 8106), now: None };
    assert_eq!(read_event(upsert.as_bytes()), Some(PbxEvent { sequence: Some(15), change: Some(expected) }));
    let remove = r#"{"sequence":16,"event":{"event_type":1,"entity":"/callcontrol/150/participants/8106",
        "attached_data":null}}"#;
    assert_eq!(change(remove), Some(LegChange::Remove { leg: leg("150", 8106) }));
    let response = r#"{"sequence":18,"event":{"event_type":4,"entity":"/callcontrol",
        "attached_data":{"RequestID":"1","StatusCode":200,"Response":[]}}}"#;
    assert_eq!(read_event(response.as_bytes()), Some(PbxEvent { sequence: Some(18), change: None }));
}

#[test]
fn pitfall_17_keys_come_as_text_of_one_or_several() {
    let keys = |data: &str| {
        let frame = format!(
            r#"{{"sequence":1,"event":{{"event_type":2,"entity":"/callcontrol/900/participants/42",
                "attached_data":{data}}}}}"#
        );
        match change(&frame) {
            Some(LegChange::Keys { leg: of, keys }) if of == leg("900", 42) => Some(keys),
            _ => None,
        }
    };
    assert_eq!(keys(r#"{"dtmf_input":"1"}"#).as_deref(), Some("1"));
    assert_eq!(keys(r#"{"dtmf_input":"12*#0"}"#).as_deref(), Some("12*#0"));
    assert_eq!(keys(r#"{"dtmf_input":7}"#).as_deref(), Some("7"));
    for nothing in ["null", "{}", r#"{"dtmf_input":""}"#, r#"{"dtmf_input":null}"#, "[]", "7"] {
        assert_eq!(keys(nothing), None, "{nothing}");
    }
    assert_eq!(keys(&format!(r#"{{"dtmf_input":"{}"}}"#, "5".repeat(9999))).unwrap().len(), 64);
}

#[test]
fn entities_are_the_last_three_segments_and_others_are_ignored() {
    let of = |entity: &str, kind: &str| {
        change(&format!(r#"{{"event":{{"event_type":{kind},"entity":"{entity}"}}}}"#)).is_some()
    };
    assert!(of("/pbx/callcontrol/900/participants/42", "0"));
    assert!(of("/callcontrol/900/participants/42/", r#""1""#));
    for entity in [
        "/callcontrol",
        "/callcontrol/900",
        "/callcontrol/900/devices/sip:900%40127.0.0.1",
        "/callcontrol/900/participants",
        "/callcontrol/900/participants/x",
        "participants/1",
        "",
    ] {
        assert!(!of(entity, "0"), "{entity}");
    }
    for kind in ["3", "4", "5", "-1", "null", r#""x""#] {
        assert!(!of("/callcontrol/900/participants/42", kind), "{kind}");
    }
    let escaped = r#"{"event":{"event_type":1,"entity":"/callcontrol/front%20desk/participants/1"}}"#;
    assert_eq!(change(escaped), Some(LegChange::Remove { leg: leg("front desk", 1) }));
}

#[test]
fn attached_data_with_a_status_is_the_leg() {
    let frame = r#"{"event":{"event_type":0,"entity":"/callcontrol/900/participants/42",
        "attached_data":{"status":"Ringing","callid":"7"}}}"#;
    let Some(LegChange::Upsert { now: Some(now), .. }) = change(frame) else { panic!("no participant") };
    assert_eq!((now.leg, now.call_id.as_deref()), (leg("900", 42), Some("7")));
    let bare = r#"{"event":{"event_type":0,"entity":"/callcontrol/900/participants/42","attached_data":{"callid":7}}}"#;
    assert_eq!(change(bare), Some(LegChange::Upsert { leg: leg("900", 42), now: None }));
}

#[test]
fn no_frame_panics() {
    for frame in ["", "null", "[]", "{", "7", "\"x\"", "{}", r#"{"event":7}"#, r#"{"event":[0,"a",null]}"#] {
        assert!(read_event(frame.as_bytes()).is_none_or(|event| event.change.is_none()), "{frame}");
    }
}
