//! Pure: whether another program uses the same API client: then its tokens and ours revoke each other.
//!
//! 3CX revokes the older token when it issues a new one. A token that is refused once was revoked by a restart of the
//! PBX, or by an administrator. Tokens that are refused again and again are taken by another program. Asking for the
//! next one at once would cut that program's audio, and it would cut ours: so the keeper waits longer each time.

use std::collections::VecDeque;
use std::time::Duration;

/// So many revocations within [`WITHIN`] are no accident. It is longer than several of the longest pauses.
const TIMES: usize = 3;
const WITHIN: Duration = Duration::from_secs(3600);
/// First and longest pause before the next token.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The revocations of the last hour.
#[derive(Debug, Default)]
pub struct Rivalry {
    revoked_at: VecDeque<Duration>,
}

impl Rivalry {
    /// A valid token was refused at this time, counted from any start. Returns how long to wait before the next one is
    /// requested, if another program takes the tokens.
    pub fn revoked(&mut self, now: Duration) -> Option<Duration> {
        self.revoked_at.retain(|at| now.saturating_sub(*at) < WITHIN);
        self.revoked_at.push_back(now);
        let beyond = self.revoked_at.len().checked_sub(TIMES)?;
        let doublings = u32::try_from(beyond).unwrap_or(u32::MAX).min(16);
        Some(PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX))
    }

    /// How often a token was revoked in the last hour.
    #[must_use]
    pub fn times(&self) -> usize {
        self.revoked_at.len()
    }
}

#[cfg(test)]
mod tests;
