//! The spools that earlier starts left behind. What live calls need is imported before their logs are read; the rest
//! follows while calls are taken.

use std::collections::HashSet;
use std::time::Duration;

use precall_base::clock;
use precall_call::CallId;
use precall_store::StoreError;
use precall_store::events::rows::Stream;
use precall_store::leader::{engine_lock, generation};
use precall_store::recovery::{call_context, recent_calls};
use precall_store::spool_recovery::{Beside, LeftError, LeftSpools};
use slog::{error, info, warn};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::recovery::Recovery;
use super::still_spooled::StillSpooled;
use crate::durability::lease::Kept;

/// First and longest pause before an import that the database stopped goes on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

impl Recovery {
    /// The spools that earlier starts left behind; none if there are none. A disk error is logged and does not stop the
    /// start.
    pub(super) async fn left_spools(&self) -> Result<Option<LeftSpools>, StoreError> {
        let Some(root) = &self.spool_root else { return Ok(None) };
        let state = self.services.persistence_state.spool();
        let left = match LeftSpools::find(root, &self.services.pool, &self.services.log).await {
            Ok(left) => left,
            Err(LeftError::Store(error)) => return Err(error),
            Err(error @ LeftError::Disk(_)) => {
                self.stays_on_disk(&error);
                return Ok(None);
            }
        };
        // A standby looks twice a second, and must not read a large directory each time.
        if state.stay_anew(left.staying()) {
            let problems = left.problems().await;
            state.set_foreign(&problems);
            for problem in problems {
                warn!(self.services.log, "a spool directory stays as it is"; "problem" => problem);
            }
        }
        Ok(Some(left))
    }

    fn stays_on_disk(&self, error: &LeftError) {
        error!(self.services.log, "the spool of an earlier start stays on disk"; "error" => %error);
    }

    /// Imports them whole: a standby does that while it waits.
    pub(super) async fn import_spools(&self) -> Result<(), StoreError> {
        match self.left_spools().await? {
            Some(left) => self.import_rest(left).await,
            None => Ok(()),
        }
    }

    async fn import_rest(&self, left: LeftSpools) -> Result<(), StoreError> {
        let (pool, log, state) = (&self.services.pool, &self.services.log, &self.services.persistence_state);
        let beside = Beside { pace: state.pace(), positions: state.positions() };
        match left.import_rest(pool, beside, log).await {
            Ok(0) => Ok(()),
            Ok(entries) => {
                info!(log, "spooled events of an earlier start imported"; "entries" => entries);
                Ok(())
            }
            Err(LeftError::Store(error)) => Err(error),
            Err(error @ LeftError::Disk(_)) => {
                self.stays_on_disk(&error);
                Ok(())
            }
        }
    }

    /// Makes this start the active one, which takes the spools over. Returns the id of the database and the number of
    /// the start.
    pub(super) async fn claim(
        &self,
        left: Option<&mut LeftSpools>,
        client: &impl GenericClient,
        process: Uuid,
    ) -> Result<(Uuid, u64), StoreError> {
        let state = &self.services.persistence_state;
        let has_left = left.as_ref().is_some_and(|left| left.index().entries() > 0);
        let kept = if has_left { Kept::InSpool } else { Kept::InDatabase };
        if has_left {
            state.spool().import_begins(HashSet::new());
        }
        let generation = generation::next(client).await?;
        let (lease, sent) = (state.leadership().at_claim(kept), clock::moment());
        let database = match left {
            Some(left) => left.claim(client, generation, lease, process).await?,
            None => engine_lock::claim(client, generation, lease, process).await?,
        };
        state.leadership().claimed(sent, lease);
        Ok((database, generation))
    }

    /// Imports what is needed before a log is read or continued: the events of calls that are not over, and of all
    /// clones. Returns what the database does not know yet. Until it does, no log of those calls is read.
    pub(super) async fn import_first(
        &self,
        left: &mut LeftSpools,
        client: &impl GenericClient,
    ) -> Result<StillSpooled, StoreError> {
        let log = &self.services.log;
        if left.index().entries() == 0 {
            self.services.persistence_state.spool().import_ended();
            return Ok(StillSpooled::default());
        }
        let logs = || left.index().logs().iter();
        let unfinished = left.index().unfinished_calls();
        let clones = logs().filter(|(_, log)| log.stream == Stream::Voice).map(|(owner, _)| *owner);
        let mut first: HashSet<Uuid> = unfinished.chain(clones).collect();
        let unreleased = call_context::unreleased(client).await?;
        first.extend(unreleased.iter().map(|(call, _)| Uuid::from_u128(call.0)));
        let later = logs().filter(|(owner, _)| !first.contains(owner));
        let later = later.map(|(owner, _)| CallId(owner.as_u128())).collect();
        self.services.persistence_state.spool().import_begins(later);
        match left.import_first(&first, &self.services.pool, log).await {
            Ok(0) => {}
            Ok(entries) => info!(log, "spooled events of live calls imported"; "entries" => entries),
            Err(LeftError::Store(error)) => return Err(error),
            Err(error @ LeftError::Disk(_)) => self.stays_on_disk(&error),
        }
        let index = left.index();
        let known = recent_calls::known(client, index.calls_over().map(|over| over.key.call)).await?;
        Ok(StillSpooled {
            calls: index.calls_over().filter(|over| !known.contains(&over.key.call)).collect(),
            conversations: index.conversations().to_vec(),
        })
    }

    /// Imports what is left, while calls are taken. Goes on after each failure of the database.
    pub(super) async fn import_behind_calls(self, left: LeftSpools) {
        let (mut next, mut pause) = (Some(left), RETRY_FIRST);
        loop {
            let imported = match next.take() {
                Some(left) => self.import_rest(left).await,
                None => self.import_spools().await,
            };
            let Err(error) = imported else { break };
            warn!(self.services.log, "the import of spooled events stopped and goes on later"; "error" => %error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
        self.services.persistence_state.spool().import_ended();
        self.services.persistence_state.positions().import_ended();
    }
}
