//! Tests of what one machine has no real database for: an old version and a wrong clock.

use super::*;

fn server() -> Server {
    Server {
        version: "15.9".to_owned(),
        version_number: 150_009,
        encoding: "UTF8".to_owned(),
        date_style: "ISO, MDY".to_owned(),
        is_standby: false,
        is_read_only: false,
        replication_role: "origin".to_owned(),
        connections: 97,
        database_limit: -1,
        role_limit: -1,
        is_superuser: false,
        in_use: 5,
        now: At(1_764_000_000_000_000),
        database: "precall".to_owned(),
        role: "precall".to_owned(),
    }
}

#[test]
fn an_old_version_is_wrong() {
    assert_eq!(server().version().state, State::Ok);
    let old = Server { version: "14.19".to_owned(), version_number: 140_019, ..server() };
    let found = old.version();
    assert_eq!(found.state, State::Wrong);
    assert_eq!(found.words, "PostgreSQL 14.19 is too old: precall needs 15 or newer");
}

#[test]
fn a_clock_that_is_a_minute_off_is_said_with_its_direction() {
    let server = server();
    let at = |seconds: i64| At(server.now.0 + seconds * 1_000_000);
    assert_eq!(server.clock(at(59)).state, State::Ok);
    for (seconds, words) in [(90, "90 s behind"), (-3_600, "3600 s ahead of")] {
        let found = server.clock(at(seconds));
        assert!(found.state == State::Warning && found.words.contains(words), "{found:?}");
    }
}

#[test]
fn connections_that_others_use_are_a_warning() {
    assert_eq!(server().connections(12).state, State::Ok);
    let full = Server { in_use: 90, ..server() };
    let found = full.connections(12);
    assert!(found.state == State::Warning && found.words.contains("90 of 97"), "{found:?}");
    let limited = Server { role_limit: 5, is_superuser: true, ..server() };
    assert_eq!(limited.connections(12).state, State::Ok, "limits of roles do not bind superusers");
}
