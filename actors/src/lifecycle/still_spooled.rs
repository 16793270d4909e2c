//! What the database does not know yet of earlier starts, because it waits in their spools.

use precall_call::At;
use precall_store::recovery::budget_use::Took;
use precall_store::recovery::recent_calls::StoredKey;
use precall_store::spool_recovery::index::CallOver;

/// What the database will know of earlier starts once the rest of their spools is imported.
#[derive(Debug, Default)]
pub(super) struct StillSpooled {
    /// Calls that are over, and that the database does not know.
    pub(super) calls: Vec<CallOver>,
    /// What conversations took.
    pub(super) conversations: Vec<Took>,
}

impl StillSpooled {
    /// How admission knows the calls that came in after `since`.
    pub(super) fn keys(&self, since: At) -> impl Iterator<Item = StoredKey> {
        let recent = self.calls.iter().filter(move |over| over.key.first_seen > since);
        recent.map(|over| over.key.clone())
    }

    /// Numbers of accepted calls back after `since`, with the times.
    pub(super) fn dialled(&self, since: At) -> impl Iterator<Item = (String, At)> {
        let accepted = self.accepted(since).filter(|over| over.is_callback);
        accepted.filter_map(|over| Some((over.key.caller.clone()?, over.key.first_seen)))
    }

    /// Accepted calls after `since`.
    pub(super) fn accepted(&self, since: At) -> impl Iterator<Item = &CallOver> {
        self.calls.iter().filter(move |over| over.is_accepted && over.key.first_seen > since)
    }
}
