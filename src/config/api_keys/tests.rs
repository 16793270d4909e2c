//! API keys: entries, scopes, who is recognised.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use super::{ApiKeys, Scopes};
use crate::config::Scope;
use crate::config::value::FromText as _;

fn parse(text: &str) -> Result<ApiKeys, String> {
    ApiKeys::from_text(text).map_err(|complaint| complaint.wrong)
}

const READER: &str = "reader-key-reader-key-reader-key-1";
const OPERATOR: &str = "operator-key-operator-key-operator";

fn keys() -> ApiKeys {
    let reader = ApiKeys::entry("board", Scope::Read, READER).unwrap();
    let operator = ApiKeys::entry("desk", Scope::Operate, OPERATOR).unwrap();
    parse(&format!("{reader}, {operator}")).unwrap()
}

#[test]
fn a_key_is_known_by_its_hash() {
    let keys = keys();
    let found = keys.authenticate(READER).unwrap();
    assert_eq!((&*found.name, found.scopes), ("board", Scope::Read.into()));
    let found = keys.authenticate(OPERATOR).unwrap();
    assert_eq!((&*found.name, found.scopes), ("desk", Scope::Operate.into()));
}

#[test]
fn an_unknown_key_is_refused() {
    let keys = keys();
    let flipped = READER.replace('1', "2");
    for presented in ["", "short", &flipped, &READER[..33], &format!("{READER} "), &"x".repeat(513)] {
        assert_eq!(keys.authenticate(presented), None, "{presented}");
    }
    assert_eq!(ApiKeys::default().authenticate(READER), None);
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(READER));
    assert_eq!(keys.authenticate(&hash), None, "the hash is not the key");
}

#[test]
fn a_short_key_is_refused_even_when_its_hash_is_listed() {
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("short"));
    let keys = parse(&format!("a:read:{hash}")).unwrap();
    assert_eq!(keys.authenticate("short"), None);
}

#[test]
fn admin_includes_every_scope_and_every_scope_includes_read() {
    let hash = "0".repeat(64);
    for (scopes, allowed) in [
        ("read", "read"),
        ("pii", "read pii"),
        ("voice", "read voice"),
        ("listen", "read listen"),
        ("operate", "read operate"),
        ("operate+pii", "read pii operate"),
        ("read+admin", "read pii voice listen operate admin"),
    ] {
        let keys = parse(&format!("a:{scopes}:{hash}")).unwrap();
        let principal = keys.principals().next().unwrap();
        let all = Scope::ALL.into_iter().filter(|scope| principal.scopes.allow(*scope));
        assert_eq!(all.map(Scope::name).collect::<Vec<_>>().join(" "), allowed, "{scopes}");
        assert!(!format!("{keys:?}").contains(&hash));
    }
    assert!(Scope::ALL.into_iter().all(|scope| !Scopes::default().allow(scope)));
}

#[test]
fn malformed_entries_are_refused() {
    let hash = "a".repeat(64);
    for entry in [
        "a".to_owned(),
        format!("a:{hash}"),
        format!("a:read:{hash}:x"),
        format!(":read:{hash}"),
        format!("a b:read:{hash}"),
        format!("a::{hash}"),
        format!("a:write:{hash}"),
        format!("a:read:{}", "A".repeat(64)),
        format!("a:read:{}", "a".repeat(63)),
        format!("a:read:{hash},a:read:{}", "b".repeat(64)),
        format!("a:read:{hash},b:read:{hash}"),
    ] {
        assert!(parse(&entry).is_err(), "{entry}");
    }
}

#[test]
fn an_entry_can_be_made_and_read_back() {
    let entry = ApiKeys::entry("ops@site", Scope::Admin, OPERATOR).unwrap();
    let keys = parse(&entry).unwrap();
    assert_eq!(keys.authenticate(OPERATOR).unwrap().scopes, Scope::Admin.into());
    assert_eq!(ApiKeys::entry("bad name", Scope::Read, OPERATOR), None);
    assert_eq!(ApiKeys::entry("a", Scope::Read, "too short"), None);
}
