//! Tests of the verdict about a silent peer.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Runs a peer that says something at these times, in milliseconds. Returns when it was asked, and when it died.
fn run(answers_pings: bool, heard: &[u32], until: u32) -> (Vec<u32>, Option<u32>) {
    let began = Instant::now();
    let mut peer = Liveness::new(began);
    if answers_pings {
        peer.answered_ping();
    }
    let mut asked = Vec::new();
    for ms in (0..=until).step_by(10) {
        let now = began + MS * ms;
        if heard.contains(&ms) {
            peer.heard(now);
        }
        match peer.verdict(now) {
            Verdict::WaitUntil(at) => assert!(at > now),
            Verdict::Ask => {
                asked.push(ms);
                peer.asked(now);
            }
            Verdict::Dead(_) => return (asked, Some(ms)),
        }
    }
    (asked, None)
}

#[test]
fn a_silent_peer_is_asked_from_two_seconds_on_and_dead_after_five() {
    assert_eq!(run(true, &[], 60_000), (vec![2_000, 3_000, 4_000], Some(5_000)));
    assert_eq!(run(true, &[1_500], 60_000), (vec![3_500, 4_500, 5_500], Some(6_500)));
}

#[test]
fn anything_that_is_received_keeps_a_peer_alive() {
    let each_four_seconds: Vec<u32> = (1..15).map(|n| n * 4_000).collect();
    let (asked, died) = run(true, &each_four_seconds, 56_000);
    assert_eq!((asked.len(), died), (28, None));
}

#[test]
fn a_peer_that_never_answered_a_ping_has_more_time() {
    let (asked, died) = run(false, &[], 60_000);
    assert_eq!((asked.len(), died), (18, Some(20_000)));
}

#[test]
fn a_peer_is_not_dead_before_it_was_asked_and_had_time_to_answer() {
    let began = Instant::now();
    let mut peer = Liveness::new(began);
    peer.answered_ping();
    // precall was suspended for a minute.
    let late = began + MS * 60_000;
    assert_eq!(peer.verdict(late), Verdict::Ask);
    peer.asked(late);
    assert_eq!(peer.verdict(late + MS * 10), Verdict::WaitUntil(late + ASK_EVERY));
    peer.heard(late + MS * 20);
    assert_eq!(peer.verdict(late + MS * 30), Verdict::WaitUntil(late + MS * 2_020));
    assert!(matches!(run(true, &[], 4_990), (_, None)));
}

#[test]
fn an_older_time_changes_nothing() {
    let began = Instant::now();
    let mut peer = Liveness::new(began);
    peer.asked(began + MS * 2_000);
    peer.heard(began);
    assert_eq!(peer.verdict(began + MS * 2_000), Verdict::WaitUntil(began + MS * 3_000));
}
