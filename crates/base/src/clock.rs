//! Current time and new ids. Only actors call this; code below them takes the time as an argument.
//!
//! There are two clocks, because a host's clock may be set while calls are live (NTP, an administrator, a resumed
//! virtual machine):
//!
//! - [`now`] is precall's own clock. It is set from the host's clock once, when the process starts, and then counts the
//!   time that passes. It never jumps and never goes back. Everything that precall measures uses it: events, deadlines,
//!   budgets, tombstones, retries, ages. So a step of the host's clock neither ends nor prolongs anything.
//! - [`wall`] is the host's clock at this moment. It is for times that others made or judge: signatures of webhooks and
//!   of requests to S3, consents with an end, due times in tables that other processes write, the clock of PostgreSQL.
//!
//! After a step the two differ. precall's clock approaches the host's by at most 1 % of the time that passes: a
//! conversation of ten minutes is measured wrong by six seconds at most, and an error of ten seconds is gone after 17
//! minutes. It is never set at once while the process lives: with a call in progress that would be the very step that
//! it protects from, and without one it would still forget or revive what budgets and the call registry remember. A
//! restart sets it. Health names the difference ([`ahead_of_now`]).
//!
//! Time goes on while the host is suspended (`CLOCK_BOOTTIME`, not `CLOCK_MONOTONIC`): PBX, provider and caller do not
//! wait either. Timers of the runtime stand still meanwhile, so a long wait has to look at this clock again and again,
//! as the call's deadline does.

mod host;
mod own;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use precall_call::{At, CallId, CloneJobId};
use uuid::{ContextV7, Timestamp, Uuid};

use self::own::OwnClock;
use crate::moment::Moment;
#[cfg(feature = "injected-clock")]
pub use host::injected::STEP_FILE;

static OWN: Mutex<Option<OwnClock>> = Mutex::new(None);
static IDS: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// The current time by precall's own clock, in microseconds since 1970 UTC.
#[must_use]
pub fn now() -> At {
    read().0
}

/// The current time by the host's clock. It may jump.
#[must_use]
pub fn wall() -> At {
    host::read().wall
}

/// By how many microseconds the host's clock is ahead of precall's own. Negative if it is behind.
#[must_use]
pub fn ahead_of_now() -> i64 {
    let (now, wall) = read();
    wall.0.saturating_sub(now.0)
}

/// The time of an event of this process as the host's clock shows it now, for a comparison with somebody else's clock.
#[must_use]
pub fn on_the_wall(at: At) -> At {
    At(at.0.saturating_add(ahead_of_now()))
}

/// The current time on two clocks, to measure a time that must not seem shorter than it was.
#[must_use]
pub fn moment() -> Moment {
    let seen = host::read();
    let uptime = Duration::from_nanos(u64::try_from(seen.passed).unwrap_or(0));
    Moment { uptime, wall: seen.wall }
}

/// A new call id. Ids are ordered by time, because the event log is partitioned by them.
#[must_use]
pub fn new_call() -> CallId {
    CallId(new_id().as_u128())
}

/// A new clone job id.
#[must_use]
pub fn new_job() -> CloneJobId {
    CloneJobId(new_id().as_u128())
}

/// Ids have the time of the events that they begin with, so by the same clock.
fn new_id() -> Uuid {
    let micros = u64::try_from(now().0).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(&IDS, micros / 1_000_000, nanos))
}

/// Both clocks at one moment.
fn read() -> (At, At) {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    // Within the lock, so that no thread brings an older reading.
    let seen = host::read();
    let now = own.get_or_insert_with(|| OwnClock::set(seen)).now(seen);
    (now, seen.wall)
}
