//! Delays between retries.

use super::{Backoff, Duration};

#[test]
fn delays_double_within_their_spread_up_to_the_limit() {
    for _ in 0..200 {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        for step in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let wait = backoff.wait();
            let (least, most) = (Duration::from_millis(step / 2), Duration::from_millis(step));
            assert!(wait >= least && wait <= most, "{wait:?} of {step} ms");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(500));
    }
    assert_eq!(Backoff::new(Duration::ZERO, Duration::ZERO).wait(), Duration::ZERO);
}
