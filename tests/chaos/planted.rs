//! Breaches that the test itself plants after a run, so that no law can fall asleep.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::book::Law;
use crate::run::Attack;
use crate::service::Usage;
use crate::support::{connect_to, lasting, until};
use crate::table::ProcessFault;

/// Longer than a caller may hear nothing, with what is on its way.
const SILENT: Duration = Duration::from_millis(3_500);
const STAYS: Duration = Duration::from_secs(60);
const LOST: &str = "delete from webhooks; delete from call_events where seq = 3";

impl Attack {
    /// Plants a breach of each law that is seen at once, and fails unless each is seen. The database is useless then.
    pub async fn sees_planted_breaches(&mut self) {
        let real = std::mem::take(&mut self.book);
        self.prints_broken_laws = false;
        self.callers.ring(&self.site.pbx, self.callers.placed(), STAYS);
        until("a caller hears something", || async {
            self.callers.live.borrow().keys().all(|id| self.site.pbx.call(id).unwrap().heard_ms > 0)
        })
        .await;
        // No fault of the book: the caller is silent without a cause, and the PBX ends the call.
        self.site.service.begin(ProcessFault::Frozen).await;
        lasting(SILENT).await;
        self.site.service.end(ProcessFault::Frozen).await;
        self.site.pbx.restart();
        until("the call is over", || async { self.callers.live.borrow().is_empty() }).await;
        self.site.service.begin(ProcessFault::Killed).await;
        self.recover().await;
        connect_to(&self.site.postgres.url()).await.batch_execute(LOST).await.unwrap();
        self.witness.plant_second_dial();
        let used = self.site.service.usage();
        self.usages.insert(used.pid, Usage { pid: used.pid, ..Usage::default() });
        self.judge().await;

        let seen: BTreeSet<Law> = self.book.violations().iter().map(|broken| broken.law).collect();
        let mut expected = BTreeSet::from(Law::ALL);
        // These two are seen only after many seconds.
        expected.remove(&Law::Recovers);
        expected.remove(&Law::LeavesNobody);
        assert_eq!(seen, expected, "{:?}", self.book.violations());
        self.prints_broken_laws = true;
        self.book = real;
    }
}
