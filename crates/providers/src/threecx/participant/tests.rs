//! Participants.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use precall_base::phone_number::CallerNumber;

use super::super::wire::participant;
use super::{Participant, ParticipantStatus};

fn from(name: &str, id: &str) -> Participant {
    let json = serde_json::json!({"id": 1, "status": "Connected", "dn": "900",
        "party_caller_name": name, "party_caller_id": id});
    participant(json.to_string().as_bytes(), &super::Dn::new("900")).unwrap()
}

fn caller(name: &str, id: &str) -> Option<String> {
    let leg = from(name, id);
    CallerNumber::parse(leg.caller_text(), "DE".parse().unwrap()).e164().map(|e| e.as_e164().to_owned())
}

#[test]
fn pitfall_15_an_anonymous_caller_has_no_number() {
    for word in ["", "Anonymous", "anonymous", "Restricted", "Unavailable", "unknown", "private"] {
        assert_eq!(caller("", word), None, "{word}");
        assert_eq!(caller(word, ""), None, "{word}");
        assert_eq!(caller(word, word), None, "{word}");
    }
    // A withheld number stays withheld, even if a directory adds a name.
    assert_eq!(caller("+49123456789", "anonymous"), None);
}

#[test]
fn pitfall_16_the_number_is_found_where_the_trunk_put_it() {
    for (name, id, expected) in [
        ("+49123456789", "0123456789", Some("+49123456789")),
        ("+49123456789", "", Some("+49123456789")),
        ("+43123456789", "0123456789", Some("+43123456789")),
        ("", "+4917112345678", Some("+4917112345678")),
        ("Anna", "017112345678", Some("+4917112345678")),
        ("Anna", "", None),
        ("Anna (+4917112345678)", "", Some("+4917112345678")),
        ("Anna (+4917112345678)", "0171 1234-5678", Some("+4917112345678")),
        // Two different numbers: the id is the caller's, the name is a text.
        ("+4930999888", "017112345678", Some("+4917112345678")),
        ("+4930999888", "+4917112345678", Some("+4917112345678")),
        // An extension is not the end of a public number.
        ("+4930999150", "150", None),
    ] {
        assert_eq!(caller(name, id).as_deref(), expected, "{name:?} {id:?}");
    }
    assert_eq!(from("+4930999150", "150").caller_text(), "150");
}

#[test]
fn debug_prints_no_number() {
    let shown = format!("{:?}", from("+49123456789", "0123456789"));
    assert!(!shown.contains("123456789"), "{shown}");
}

#[test]
fn an_unknown_status_is_kept() {
    assert_eq!(ParticipantStatus::read("connected"), ParticipantStatus::Connected);
    assert_eq!(ParticipantStatus::read("Held"), ParticipantStatus::Other("Held".to_owned()));
}
