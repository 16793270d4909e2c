//! Tests of the deadline on progress.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Whether a body is given up that brings these bytes, one number a second.
fn is_given_up(bytes: &[usize]) -> bool {
    let began = Instant::now();
    let mut progress = BodyProgress::new(began);
    for (second, bytes) in (1_u32..).zip(bytes) {
        let now = began + SECOND * second;
        if now > progress.deadline() {
            return true;
        }
        if *bytes > 0 {
            progress.received(*bytes, now);
        }
    }
    false
}

#[test]
fn a_body_that_stops_or_trickles_is_given_up_and_a_slow_one_is_not() {
    assert!(is_given_up(&[0; 6]));
    assert!(is_given_up(&[100_000, 0, 0, 0, 0, 0, 0]), "it stopped");
    assert!(is_given_up(&[900; 6]), "it trickles");
    assert!(!is_given_up(&[1_000; 600]), "it is slow");
    assert!(!is_given_up(&[0, 0, 0, 0, 5_000, 0, 0, 0, 0, 5_000]), "it comes in bursts");
}
