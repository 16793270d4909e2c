//! Pure: the rules of the lease, for the leader and for a process that waits to take over.
//!
//! The leader may act for a time after the *request* of its last renewal, by its own clock. Another process waits
//! longer than that after it has *seen* the renewal, by its own clock. So it does not matter what the two clocks show,
//! how long an answer is on its way, or which of the two reaches the database.
//!
//! The row says how long the lease is, and only the leader writes it. With a standby in sight the lease is short.
//! Alone, the leader may act for long while the database is away, and whoever comes meanwhile waits as long. It keeps
//! the long lease until the database has all that it did: until then another process would do it again. The leader
//! takes a shorter lease before it writes it, and a longer one after it is written.

use std::time::Duration;

use precall_base::moment::Moment;
use precall_store::leader::lease::{LastLeader, LeaseRow, Renewal};
use precall_store::leader::standby_seat::Sight;

/// The lease of a leader with a standby. The leader renews every second and needs an answer within a second.
pub const SHORT: Duration = Duration::from_secs(4);
/// What was sent just before the end of a lease may still be on its way for this time.
const IN_FLIGHT: Duration = Duration::from_millis(1_500);
/// Two clocks may differ by one part in this many.
const DRIFT_PART: u32 = 20;

/// How long another process waits, after it has seen the last renewal of a leader with this lease.
#[must_use]
pub fn wait_for(lease: Duration) -> Duration {
    lease.saturating_add(lease / DRIFT_PART).saturating_add(IN_FLIGHT)
}

/// The lease as its leader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Its length without a standby.
    alone: Duration,
    /// Its length now: never longer than the row says.
    length: Duration,
    /// When the last confirmed renewal was sent.
    renewed: Option<Moment>,
    beat: u64,
    company: Company,
}

/// Who else looks at the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Nobody.
    Alone,
    /// A standby looked at it a moment ago.
    Standby,
}

/// Where is kept what was done on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it is in the database: a standby could go on.
    InDatabase,
    /// Some of it is only in a spool: a standby would do it again.
    InSpool,
}

/// What is known of the process that acted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastProcess {
    /// It has surely ended.
    Ended,
    /// It may run.
    MayRun,
}

impl Default for Lease {
    fn default() -> Self {
        Self::new(SHORT)
    }
}

impl Lease {
    /// A lease that may be `alone` long without a standby.
    #[must_use]
    pub fn new(alone: Duration) -> Self {
        Self { alone: alone.max(SHORT), length: SHORT, renewed: None, beat: 0, company: Company::Alone }
    }

    /// The lease that a claim writes.
    #[must_use]
    pub fn at_claim(&self, kept: Kept) -> Duration {
        match kept {
            Kept::InDatabase => SHORT,
            Kept::InSpool => self.alone,
        }
    }

    /// This process claimed the database. The claim was sent at `sent` and wrote a lease of this `length`. It is not
    /// known yet whether a standby is there.
    pub fn claimed(&mut self, sent: Moment, length: Duration) {
        *self = Self { renewed: Some(sent), length, company: Company::Standby, ..Self::new(self.alone) };
    }

    /// What to write now.
    pub fn renewal(&mut self, kept: Kept) -> Renewal {
        let lease = self.wanted(kept);
        self.length = self.length.min(lease);
        self.beat = self.beat.saturating_add(1);
        Renewal { beat: self.beat, lease }
    }

    fn wanted(&self, kept: Kept) -> Duration {
        match (self.company, kept) {
            (Company::Standby, Kept::InDatabase) => SHORT,
            (Company::Standby, Kept::InSpool) => self.length,
            (Company::Alone, _) => self.alone,
        }
    }

    /// Whether the row should say another length than the last renewal: a standby came or went.
    #[must_use]
    pub fn is_due(&self, kept: Kept) -> bool {
        self.length != self.wanted(kept)
    }

    /// The database has written `renewal`, which was sent at `sent`. Only the answer to the last one counts: the row
    /// may say by now what was sent after an earlier one, and that may be shorter.
    pub fn renewed(&mut self, renewal: Renewal, sent: Moment, company: Company) {
        if renewal.beat != self.beat {
            return;
        }
        self.length = renewal.lease;
        self.renewed = Some(sent);
        self.company = company;
    }

    /// Whether no other process can have taken over.
    #[must_use]
    pub fn is_certain(&self, now: Moment) -> bool {
        self.renewed.is_some_and(|renewed| now.since(renewed) < self.length)
    }

    /// Whether another process may lead soon. Then the database counts: what is only in the spool is not known to it.
    #[must_use]
    pub fn may_be_followed(&self) -> bool {
        self.length <= SHORT
    }

    /// Whether a standby was there at the last look.
    #[must_use]
    pub fn has_standby(&self) -> bool {
        self.company == Company::Standby
    }
}

/// What a process without the lock does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The lease has run out or was given back, and the lock is free: take it.
    Lead,
    /// The lease has run out, and a session still holds the lock: end the session.
    End(i32),
    /// Wait.
    Wait(Why),
}

/// Why a process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The leader renews its lease, and knows of this standby.
    Renewed,
    /// The leader does not know of this standby yet, or the database does not have yet what the leader did without it.
    NotSeen,
    /// The leader renews its lease no more. It may act without the database until this time has passed.
    RunningOut(Duration),
    /// Another process takes the lock, or does not give it back.
    Held,
}

/// What a process without the lock has seen of the last leader.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    /// The last leader as it was first seen so, and when.
    seen: Option<(LastLeader, Moment)>,
    /// Whether this process waited for a leader.
    waited: bool,
}

impl Patience {
    /// What to do about what was seen.
    pub fn turn(&mut self, sight: &Sight, process: LastProcess, now: Moment) -> Turn {
        let since = match self.seen {
            Some((last, since)) if last == sight.last => since,
            Some(_) | None => {
                self.seen = Some((sight.last, now));
                now
            }
        };
        let holder = sight.holder.as_ref().map(|holder| holder.process);
        let is_over = match sight.last {
            LastLeader::Never => true,
            LastLeader::WithoutLease => return self.without_lease(holder.is_some(), now),
            LastLeader::Leased(row) => row.released || process == LastProcess::Ended,
        };
        match (sight.last, holder) {
            (LastLeader::Leased(row), holder) if !is_over => self.leased(row, holder, now.since(since)),
            (_, None) => Turn::Lead,
            (_, Some(_)) => Turn::Wait(Why::Held),
        }
    }

    /// The database did not answer: the leader that comes back to it as well gets its whole time.
    pub fn forget(&mut self) {
        self.seen = None;
    }

    fn leased(&mut self, row: LeaseRow, holder: Option<Option<i32>>, unchanged: Duration) -> Turn {
        let lease = if row.is_restored { SHORT } else { row.lease };
        let left = wait_for(lease).saturating_sub(unchanged);
        self.waited = true;
        match holder {
            _ if unchanged < RENEWED_WITHIN && lease > SHORT => Turn::Wait(Why::NotSeen),
            _ if unchanged < RENEWED_WITHIN => Turn::Wait(Why::Renewed),
            _ if left > Duration::ZERO => Turn::Wait(Why::RunningOut(left)),
            None => Turn::Lead,
            Some(Some(process)) => Turn::End(process),
            Some(None) => Turn::Wait(Why::Held),
        }
    }

    /// A leader of a version before the lease: it takes a lock that it lost again within a moment.
    fn without_lease(&mut self, is_held: bool, now: Moment) -> Turn {
        if is_held {
            self.waited = true;
            self.seen = None;
            return Turn::Wait(Why::Held);
        }
        let since = self.seen.map_or(now, |(_, since)| since);
        let left = wait_for(SHORT).saturating_sub(now.since(since));
        if self.waited && left > Duration::ZERO {
            return Turn::Wait(Why::RunningOut(left));
        }
        Turn::Lead
    }
}

/// A leader that reaches the database renews more often than this.
const RENEWED_WITHIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
