//! Open files: every connection of precall takes a file descriptor, and the system limits how many a process may have.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors of a precall without calls: listener, database pool, log, threads, spare connections to the PBX. About
/// 50 are open in an idle process; the rest is for senders of webhooks and for readers of the API.
const BASE: u64 = 200;
/// Descriptors of a live call. On the bridge three are open as long as the call: audio to and from the PBX, and the
/// agent's socket. When many calls begin at once, each needs nearly three more for requests to 3CX and ElevenLabs,
/// whose connections are closed within a minute: 50 calls at once were measured with 5.8 each.
const PER_CALL: u64 = 6;

/// The limits of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What counts now.
    pub soft: u64,
    /// Up to where the process itself may raise it.
    pub hard: u64,
}

/// The limits of this process.
///
/// # Errors
/// If the system does not say.
pub fn limits() -> io::Result<Limits> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(Limits { soft, hard })
}

/// Raises the soft limit to the hard one and returns the limits before and after.
///
/// # Errors
/// If the system refuses.
pub fn raise() -> io::Result<(Limits, Limits)> {
    let before = limits()?;
    if before.soft < before.hard {
        setrlimit(Resource::RLIMIT_NOFILE, before.hard, before.hard)?;
    }
    Ok((before, limits()?))
}

/// The descriptors that this process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// So many.
    Count(u64),
    /// As many as there may be, in this process or in the whole system: not even their list could be opened.
    UsedUp,
    /// The system does not list them.
    Unknown,
}

/// Counts the descriptors.
#[must_use]
pub fn open() -> Open {
    match fs::read_dir("/proc/self/fd") {
        // The list is one of them.
        Ok(list) => Open::Count(u64::try_from(list.count()).unwrap_or(u64::MAX).saturating_sub(1)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE) => Open::UsedUp,
            Some(_) | None => Open::Unknown,
        },
    }
}

/// How many descriptors so many live calls need.
#[must_use]
pub fn needed(live_calls: usize) -> u64 {
    let calls = u64::try_from(live_calls).unwrap_or(u64::MAX);
    BASE.saturating_add(calls.saturating_mul(PER_CALL))
}

/// What to set so that a process may have this many open files, in words.
#[must_use]
pub fn remedy(needed: u64) -> String {
    format!(
        "set LimitNOFILE={needed} in the systemd unit, `ulimits: nofile: {needed}` in compose.yaml, or \
         `docker run --ulimit nofile={needed}`"
    )
}

#[cfg(test)]
mod tests;
