//! What can happen in the simulation, and to which process.

use precall_actors::caller_key::CallerKey;
use precall_actors::durability::lease::Company;
use precall_actors::voices::slot_rules::HeldVoice;
use precall_base::moment::Moment;
use precall_call::{At, CallId, CloneJobId, Effect, Purpose, VoiceId};
use precall_store::leader::lease::Renewal;

use crate::database::Refusal;
use crate::engine::InFlight;
use crate::provider::Fate;

/// The next thing that happens.
pub(crate) enum Happening {
    Post(usize),
    /// A transaction is committed or not. The answer is for this operation of this process.
    Execute {
        to: To,
        operation: Operation,
        work: InFlight,
        is_answered: bool,
    },
    Answered {
        to: To,
        operation: Operation,
        came: Result<(), Refusal>,
    },
    Overdue {
        to: To,
        operation: Operation,
    },
    Spooled {
        to: To,
        operation: u64,
        came: Result<(), usize>,
    },
    Again {
        to: To,
        operation: u64,
        waiting: usize,
    },
    Drain {
        to: To,
        backoff: i64,
    },
    /// The spool was seen empty a moment ago.
    Emptied {
        to: To,
    },
    Timer {
        to: To,
        call: CallId,
        due: At,
    },
    Perform {
        to: To,
        call: CallId,
        effect: Effect,
    },
    Dialled {
        to: To,
        call: CallId,
        purpose: Purpose,
        attempt: u8,
        fate: Fate,
    },
    LookedUp {
        to: To,
        call: CallId,
        purpose: Purpose,
        attempt: u8,
    },
    Mapped {
        to: To,
        key: CallerKey,
        job: CloneJobId,
    },
    Cloned {
        to: To,
        key: CallerKey,
        job: CloneJobId,
    },
    Delete {
        to: To,
        voice: VoiceId,
        held: HeldVoice,
        waiting: Option<(CloneJobId, CallerKey)>,
    },
    Sweep {
        to: To,
    },
    TakeOver {
        to: To,
    },
    /// Imports more of a spool that was taken over.
    ImportRest {
        to: To,
        place: usize,
    },
    Look {
        to: To,
    },
    /// The database receives the renewal of a lease.
    Renew {
        to: To,
        generation: u64,
        renewal: Renewal,
        sent: Moment,
    },
    /// The database has written it.
    Renewed {
        to: To,
        renewal: Renewal,
        sent: Moment,
        company: Company,
    },
    Collect {
        to: To,
    },
    Over {
        conversation: usize,
    },
    Start {
        slot: usize,
    },
    Crash {
        slot: usize,
    },
    Pause {
        slot: usize,
        length: i64,
    },
    DatabaseGoes {
        length: i64,
    },
    DatabaseComes,
    /// A process and the database reach each other no more.
    Cut {
        slot: usize,
        length: i64,
    },
    /// PostgreSQL has noticed that a session is gone.
    SessionEnds {
        epoch: u64,
    },
    DiskFull {
        slot: usize,
        length: i64,
    },
    DiskFree,
    Arrival,
}

/// A process. Events for a process that has stopped are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct To {
    pub(crate) slot: usize,
    pub(crate) epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Write(u64),
    /// Drains this many frames of the spool.
    Drain(usize, i64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Incoming,
    Ended,
    Reported(usize),
}

/// A webhook. Its sender repeats it until it is acknowledged.
pub(crate) struct Post {
    pub(crate) pbx: u64,
    pub(crate) kind: Kind,
    pub(crate) tries: u32,
    pub(crate) is_acknowledged: bool,
}

pub(crate) struct Queued(pub(crate) i64, pub(crate) u64, pub(crate) Happening);

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}
