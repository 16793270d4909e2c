//! Parsing of PBX responses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A failed test is a failed test.

use super::{dn_states, participant, participants};
use crate::threecx::address::{Dn, ParticipantId};
use crate::threecx::participant::ParticipantStatus;

/// As it was captured from a PBX (3CX facts, section 1.2).
const CAPTURED: &str = r#"[{"dn":"900","type":"Wroutepoint",
    "devices":[{"dn":"900","device_id":"sip:900@127.0.0.1:5483","user_agent":"..."}],
    "participants":[{"id":8106,"status":"Ringing","dn":"150",
    "party_caller_name":"+49123456789","party_dn":"10007","party_caller_id":"0123456789","party_did":"",
    "device_id":"sip:150@127.0.0.1:5483;rinstance=c2a75fd2f1caea71","party_dn_type":"Wexternalline",
    "direct_control":false,
    "originated_by_dn":"ROUTER","originated_by_type":"Wroutepoint",
    "referred_by_dn":"","referred_by_type":"None","on_behalf_of_dn":"","on_behalf_of_type":"None",
    "callid":1264,"legid":4}]}]"#;

#[test]
fn the_captured_response_is_parsed() {
    let dns = dn_states(CAPTURED.as_bytes()).unwrap();
    assert_eq!((dns[0].dn.as_str(), dns[0].kind.as_str()), ("900", "Wroutepoint"));
    let leg = &dns[0].participants[0];
    assert_eq!((leg.leg.dn.as_str(), leg.leg.participant), ("150", ParticipantId(8106)));
    assert_eq!(leg.status, ParticipantStatus::Ringing);
    assert_eq!(
        (leg.call_id.as_deref(), leg.leg_id, leg.direct_control),
        (Some("1264"), Some(4), Some(false))
    );
    assert_eq!((leg.originated_by.dn.as_str(), leg.party.dn.as_str()), ("ROUTER", "10007"));
}

#[test]
fn numbers_as_text_nulls_and_unknown_fields_are_parsed() {
    let ours = Dn::new("Rcv2");
    let odd = br#"{"id":"17","status":"connected","dn":"rcv2","party_caller_id":null,"party_dn":10007,
        "callid":"9","legid":null,"direct_control":"True","new":{"a":[1]}}"#;
    let leg = participant(odd, &ours).unwrap();
    assert_eq!((leg.leg.participant, leg.call_id.as_deref()), (ParticipantId(17), Some("9")));
    assert_eq!(leg.leg_id, None);
    assert_eq!((leg.leg.dn.as_str(), leg.party.dn.as_str()), ("Rcv2", "10007"));
    assert_eq!((leg.party_caller_id.as_str(), leg.direct_control), ("", Some(true)));
    assert!(leg.is_connected());
    let bare = participant(br#"{"id":3}"#, &ours).unwrap();
    assert_eq!((bare.leg.dn, bare.status), (ours.clone(), ParticipantStatus::Other(String::new())));
    for nothing in ["", "null", "[]", "17", "{}", r#"{"id":null}"#, r#"{"id":-1}"#, "[1,2]", "{"] {
        assert!(participant(nothing.as_bytes(), &ours).is_none(), "{nothing}");
    }
    let list = participants(br#"[{"id":1},null,{"status":"Ringing"},[],{"id":"2"}]"#, &ours).unwrap();
    assert_eq!(list.len(), 2);
    assert!(participants(b"{}", &ours).is_none());
    assert!(dn_states(br#"[{"dn":900,"participants":null},{"dn":""},7]"#).unwrap().len() == 1);
}

#[test]
fn a_long_text_is_cut() {
    let json = format!(r#"{{"id":1,"party_caller_name":"{}"}}"#, "\u{e4}".repeat(5000));
    let leg = participant(json.as_bytes(), &Dn::new("900")).unwrap();
    assert_eq!(leg.party_caller_name.chars().count(), 256);
}

#[test]
fn the_id_of_a_call_keeps_all_its_digits() {
    let id = |json: &str| {
        let body = format!(r#"[{{"id":1,"callid":{json}}}]"#);
        participants(body.as_bytes(), &Dn::new("900")).unwrap().remove(0).call_id
    };
    let table = [
        ("1264", Some("1264")),
        ("1264.0", Some("1264")),
        ("1264.5", Some("1264.5")),
        ("18446744073709551617", Some("18446744073709551617")),
        ("18446744073709551618", Some("18446744073709551618")),
        ("-7", Some("-7")),
        ("\" 1264 \"", Some("1264")),
        ("\"01264\"", Some("01264")),
        ("\"{0198-ab}\"", Some("{0198-ab}")),
        ("1.8446744073709552e19", None),
        ("null", None),
        ("\"\"", None),
        ("true", None),
    ];
    for (json, expected) in table {
        assert_eq!(id(json).as_deref(), expected, "{json}");
    }
}

#[test]
fn a_fraction_is_the_id_of_no_leg() {
    let asked = Dn::new("900");
    assert_eq!(participant(br#"{"id":42.0}"#, &asked).unwrap().leg.participant, ParticipantId(42));
    assert!(participant(br#"{"id":42.5}"#, &asked).is_none());
    let large = participant(br#"{"id":18446744073709551615}"#, &asked).unwrap();
    assert_eq!(large.leg.participant, ParticipantId(u64::MAX));
}

#[test]
fn the_id_of_a_call_is_the_one_that_a_webhook_gives() {
    let id = |callid: &str| {
        let body = format!(r#"{{"id":1,"callid":{callid}}}"#);
        participant(body.as_bytes(), &Dn::new("900")).unwrap().call_id
    };
    // PostgreSQL stores no NUL in text, and without the character two ids could become one.
    assert_eq!(id(r#"" 12\u000034\u0007 ""#).as_deref(), Some("12\u{fffd}34"));
    assert_eq!(id("12345678901234567890123").as_deref(), Some("12345678901234567890123"));
}
