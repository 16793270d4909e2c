//! Tests of the retry rules.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// The times, in milliseconds, of the attempts when all of them end with this error; and the final failure.
fn attempts(retry: &mut StreamRetry, began: Instant, error: AttemptError) -> (Vec<u128>, StreamFailure) {
    let mut now = began;
    let mut at = Vec::new();
    loop {
        match retry.after(error, now) {
            RetryDecision::RetryAfter(wait) => now += wait,
            RetryDecision::RetryWithNewToken => {}
            RetryDecision::GiveUp(failure) => return (at, failure),
        }
        at.push((now - began).as_millis());
    }
}

#[test]
fn not_ready_is_retried_for_ten_seconds() {
    let now = Instant::now();
    let (at, failure) = attempts(&mut StreamRetry::opening(now + 10_000 * MS), now, AttemptError::NotReady);
    assert_eq!(at.iter().take(6).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250, 1750]);
    assert_eq!(at.last(), Some(&10_000));
    assert_eq!(failure, StreamFailure::NotReady);
}

#[test]
fn a_cut_stream_is_retried_at_once_and_then_for_five_seconds() {
    let now = Instant::now();
    let mut retry = StreamRetry::opening(now);
    assert_eq!(retry.after(AttemptError::Cut(90_000 * MS), now), RetryDecision::RetryAfter(Duration::ZERO));
    let (at, failure) = attempts(&mut retry, now, AttemptError::NotReady);
    assert_eq!(at.iter().take(5).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250]);
    assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
}

#[test]
fn a_pbx_that_cuts_every_stream_at_once_is_retried_with_growing_waits() {
    let now = Instant::now();
    let (at, failure) =
        attempts(&mut StreamRetry::opening(now + 10_000 * MS), now, AttemptError::Cut(10 * MS));
    assert_eq!(at.iter().take(4).copied().collect::<Vec<_>>(), [0, 50, 150, 350]);
    assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
}

#[test]
fn a_stream_that_was_open_for_a_second_restarts_the_retry() {
    let now = Instant::now();
    let mut retry = StreamRetry::opening(now);
    for minute in 1..9 {
        let later = now + 60_000 * MS * minute;
        assert_eq!(
            retry.after(AttemptError::Cut(LIVED_WELL), later),
            RetryDecision::RetryAfter(Duration::ZERO)
        );
    }
}

#[test]
fn a_refused_token_is_replaced_once_and_403_is_final() {
    let now = Instant::now();
    let mut retry = StreamRetry::opening(now + 10_000 * MS);
    assert_eq!(retry.after(AttemptError::Unauthorized, now), RetryDecision::RetryWithNewToken);
    assert_eq!(retry.after(AttemptError::NotReady, now), RetryDecision::RetryAfter(WAIT_MIN));
    assert_eq!(retry.after(AttemptError::Unauthorized, now), RetryDecision::RetryWithNewToken);
    let refused = RetryDecision::GiveUp(StreamFailure::Unauthorized);
    assert_eq!(retry.after(AttemptError::Unauthorized, now), refused);
    assert_eq!(retry.after(AttemptError::Forbidden, now), RetryDecision::GiveUp(StreamFailure::Forbidden));
}

#[test]
fn a_dead_warm_connection_is_replaced_at_once_one_time() {
    let now = Instant::now();
    let mut retry = StreamRetry::opening(now + 10_000 * MS);
    assert_eq!(retry.after(AttemptError::Unreachable, now), RetryDecision::RetryAfter(Duration::ZERO));
    assert_eq!(retry.after(AttemptError::Unreachable, now), RetryDecision::RetryAfter(WAIT_MIN * 2));
}

#[test]
fn each_status_has_one_meaning() {
    assert_eq!([200, 202, 204].map(AttemptError::of_status), [None; 3]);
    assert_eq!([404, 424].map(AttemptError::of_status), [Some(AttemptError::NotReady); 2]);
    assert_eq!(AttemptError::of_status(401), Some(AttemptError::Unauthorized));
    assert_eq!(AttemptError::of_status(403), Some(AttemptError::Forbidden));
    assert_eq!(AttemptError::of_status(503), Some(AttemptError::Refused(503)));
}

#[test]
fn a_stalled_stream_is_reopened_once_and_a_second_stall_soon_after_is_the_end() {
    let now = Instant::now();
    let again = RetryDecision::RetryAfter(Duration::ZERO);
    let gone = RetryDecision::GiveUp(StreamFailure::CutForGood);
    for (second_lived, decision) in [(6_000, gone), (29_999, gone), (30_000, again)] {
        let mut retry = StreamRetry::opening(now);
        assert_eq!(retry.after(AttemptError::Stalled(90_000 * MS), now), again);
        let later = now + second_lived * MS;
        assert_eq!(retry.after(AttemptError::Stalled(second_lived * MS), later), decision, "{second_lived}");
    }
    // A cut in between does not make a stalled PBX a well one.
    let mut retry = StreamRetry::opening(now);
    assert_eq!(retry.after(AttemptError::Stalled(90_000 * MS), now), again);
    assert_eq!(retry.after(AttemptError::Cut(5_000 * MS), now + 5_000 * MS), again);
    assert_eq!(retry.after(AttemptError::Stalled(5_000 * MS), now + 10_000 * MS), gone);
}

#[test]
fn a_silent_stream_never_ends_the_audio_unless_the_pbx_refuses_it_for_good() {
    let now = Instant::now();
    let mut retry = StreamRetry::opening(now);
    assert_eq!(retry.after(AttemptError::Silent, now), RetryDecision::RetryAfter(Duration::ZERO));
    let mut later = now;
    for _ in 0..100 {
        match retry.after(AttemptError::Unreachable, later) {
            RetryDecision::RetryAfter(wait) => later += wait.max(100 * MS),
            other => panic!("{other:?}"),
        }
    }
    assert!(later > now + 3 * REOPENING_WITHIN);
    assert_eq!(retry.after(AttemptError::Silent, later), RetryDecision::RetryAfter(Duration::ZERO));
    assert_eq!(retry.after(AttemptError::Forbidden, later), RetryDecision::GiveUp(StreamFailure::Forbidden));
    // A stream that spoke again and was cut counts as any other.
    let mut retry = StreamRetry::opening(now);
    retry.after(AttemptError::Silent, now);
    retry.after(AttemptError::Cut(2_000 * MS), now);
    let (_, failure) = attempts(&mut retry, now, AttemptError::NotReady);
    assert_eq!(failure, StreamFailure::CutForGood);
}
