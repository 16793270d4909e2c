//! Tests of the sessions.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;

fn id(secret: &str) -> [u8; 32] {
    digest(secret)
}

#[test]
fn a_session_ends_after_idle_time_and_after_its_age() {
    let sessions = Sessions::default();
    let secret = sessions.begin([1; 32]);
    let session = sessions.used(id(&secret)).unwrap();
    let after = |seconds: u64| At(session.began.0 + i64::try_from(seconds).unwrap() * 1_000_000);
    let idle = Session { used: session.began, ..session.clone() };
    assert!(!idle.is_over(after(30 * 60)) && idle.is_over(after(30 * 60 + 1)));
    let busy = Session { used: after(12 * 3_600), ..session.clone() };
    assert!(!busy.is_over(after(12 * 3_600)) && busy.is_over(after(12 * 3_600 + 2)));
    sessions.end(session.id);
    assert!(sessions.used(session.id).is_none());
}

#[test]
fn one_key_does_not_end_the_sessions_of_another() {
    let sessions = Sessions::default();
    let other = sessions.begin([2; 32]);
    let first = sessions.begin([1; 32]);
    let later: Vec<String> = (0..OF_KEY_MAX).map(|_| sessions.begin([1; 32])).collect();
    assert!(sessions.used(id(&first)).is_none(), "the one that was unused for longest");
    assert!(sessions.used(id(&other)).is_some());
    assert!(later.iter().all(|secret| sessions.used(id(secret)).is_some()));
}

#[test]
fn a_token_is_of_one_session() {
    let sessions = Sessions::default();
    let [one, two] = [1, 2].map(|_| sessions.used(id(&sessions.begin([1; 32]))).unwrap());
    assert!(one.has_token(&one.csrf) && !one.has_token(&two.csrf) && !one.has_token(""));
}
