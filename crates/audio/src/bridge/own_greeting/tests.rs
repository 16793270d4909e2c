//! When a greeting that is not played is over.

use super::*;

#[test]
fn it_is_over_after_a_pause_or_when_it_never_comes() {
    let began = Instant::now();
    let mut greeting = OwnGreeting::new(began);
    assert!(!greeting.is_over(began + Duration::from_millis(2_900)));
    assert!(greeting.is_over(began + Duration::from_secs(3)), "the agent has no greeting");
    let later = began + Duration::from_millis(2_500);
    greeting.on_audio(later);
    assert!(!greeting.is_over(later + Duration::from_millis(1_400)));
    greeting.on_audio(later + Duration::from_millis(1_400));
    assert!(!greeting.is_over(later + Duration::from_millis(2_800)), "it goes on");
    assert!(greeting.is_over(later + Duration::from_millis(2_900)));
}
