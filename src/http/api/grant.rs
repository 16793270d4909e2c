//! What a request is allowed by. An answer without an end looks at it again: a key may be revoked meanwhile.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Scope;
use crate::http::app_state::AppState;

/// How often a stream looks whether it is still allowed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a request is allowed by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// SHA-256 of the key.
    pub(super) key: [u8; 32],
    pub(super) session: Option<[u8; 32]>,
    pub(super) address: Option<IpAddr>,
    pub(super) scope: Scope,
}

impl Grant {
    /// Whether key and session still allow the request. This counts as a use of both: a page with an open stream is in
    /// use.
    pub(crate) fn holds(&self, app: &AppState) -> bool {
        let has_session = self.session.is_none_or(|id| app.sessions.used(id).is_some());
        let owner = app.keys.owner(&self.key, self.address);
        has_session && owner.is_ok_and(|principal| principal.scopes.allow(self.scope))
    }

    /// To ask often, and look every five seconds.
    pub(crate) fn watched(self) -> GrantWatch {
        GrantWatch { grant: self, looked: Instant::now() }
    }
}

/// A grant that a stream looks at again and again.
#[derive(Debug)]
pub(crate) struct GrantWatch {
    grant: Grant,
    looked: Instant,
}

impl GrantWatch {
    /// Whether the grant held when it was last looked at, at most five seconds ago.
    pub(crate) fn holds(&mut self, app: &AppState) -> bool {
        if self.looked.elapsed() < LOOK_EVERY {
            return true;
        }
        self.looked = Instant::now();
        self.grant.holds(app)
    }
}
