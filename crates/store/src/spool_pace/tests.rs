//! The import gives way to slow live writes.

use super::*;

#[test]
fn the_import_pauses_only_after_a_slow_live_write() {
    let pace = Pace::default();
    pace.live_write(Duration::from_millis(199));
    assert_eq!(pace.pause(), Duration::ZERO);
    pace.live_write(Duration::from_millis(300));
    pace.live_write(Duration::from_millis(5));
    assert_eq!(pace.pause(), Duration::from_millis(600));
    assert_eq!(pace.pause(), Duration::ZERO, "once");
    pace.live_write(Duration::from_secs(60));
    assert_eq!(pace.pause(), PAUSE_MAX);
}
