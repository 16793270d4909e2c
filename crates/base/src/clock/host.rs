//! The clocks of the host: the one that people set, and the one that counts the time that passes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use precall_call::At;

use super::own::Seen;

/// It goes on while the host is suspended.
#[cfg(target_os = "linux")]
const PASSED: ClockId = ClockId::CLOCK_BOOTTIME;
/// Outside Linux this one does.
#[cfg(not(target_os = "linux"))]
const PASSED: ClockId = ClockId::CLOCK_MONOTONIC;

pub(super) fn read() -> Seen {
    // Every kernel has these clocks; an error would mean that time stands still.
    let passed = clock_gettime(PASSED).map(Duration::from).unwrap_or_default();
    Seen { passed: i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX), wall: wall() }
}

fn wall() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall = At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    #[cfg(feature = "injected-clock")]
    let wall = At(wall.0.saturating_add(injected::step()));
    wall
}

/// Steps of the host's clock for tests of the whole program. Containers and packages are built without it.
#[cfg(feature = "injected-clock")]
pub(super) mod injected {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Environment variable: a file with the seconds by which the host's clock is off, such as `3600` or `-3600`. It is
    /// read with each look at the clock, so a test steps the clock by writing the file.
    pub const STEP_FILE: &str = "INJECTED_CLOCK_STEP_FILE";

    /// Microseconds. While the file cannot be read, as when it is being written, the last step stands.
    pub(in crate::clock) fn step() -> i64 {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
        let file = FILE.get_or_init(|| std::env::var_os(STEP_FILE).map(PathBuf::from));
        let Some(file) = file else { return 0 };
        static SECONDS: AtomicI64 = AtomicI64::new(0);
        if let Some(seconds) = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
            SECONDS.store(seconds, Ordering::Relaxed);
        }
        SECONDS.load(Ordering::Relaxed).saturating_mul(1_000_000)
    }
}
