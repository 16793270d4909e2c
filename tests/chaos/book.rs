//! What happened in a run: the faults and their times, and the laws that were broken. Pure: times are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::table::{Fault, SILENT_AT_MOST};

/// What holds whatever happens. Each law has a name, so that a run says which one was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// precall's process does not end by itself.
    StaysUp,
    /// precall is ready again in time, and everything is in the database.
    Recovers,
    /// `precall verify` finds nothing.
    IsConsistent,
    /// Every acknowledged webhook is in the database once.
    KeepsAcknowledged,
    /// No caller is dialled twice for the same purpose.
    DialsOnce,
    /// No caller hears nothing for longer than two seconds.
    IsNeverSilent,
    /// No leg is without a live call, no live call without its leg, no conversation without its call.
    LeavesNobody,
    /// Memory, descriptors and threads come back to where they were.
    LeaksNothing,
    /// A call that met no fault goes well.
    FailsOnlyByFaults,
}

impl Law {
    pub const ALL: [Self; 9] = [
        Self::StaysUp,
        Self::Recovers,
        Self::IsConsistent,
        Self::KeepsAcknowledged,
        Self::DialsOnce,
        Self::IsNeverSilent,
        Self::LeavesNobody,
        Self::LeaksNothing,
        Self::FailsOnlyByFaults,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::StaysUp => "the process stays up",
            Self::Recovers => "it recovers in time",
            Self::IsConsistent => "`precall verify` is clean",
            Self::KeepsAcknowledged => "acknowledged webhooks are stored once",
            Self::DialsOnce => "nobody is dialled twice",
            Self::IsNeverSilent => {
                "no caller hears nothing for more than 2 s, or until a silent peer is noticed"
            }
            Self::LeavesNobody => "nobody is left behind",
            Self::LeaksNothing => "memory, descriptors and threads come back",
            Self::FailsOnlyByFaults => "calls without a fault go well",
        }
    }
}

/// A fault that happened.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub fault: Fault,
    pub round: usize,
    pub from: Timestamp,
    /// None while it lasts.
    pub until: Option<Timestamp>,
}

/// A broken law.
#[derive(Clone, Debug)]
pub struct Violation {
    pub law: Law,
    pub round: usize,
    /// The faults that may have caused it.
    pub faults: Vec<String>,
    pub detail: String,
}

/// How long a fault may be the cause of what happens after its end.
const AFTERMATH: Duration = Duration::from_secs(20);
/// The last part of a call is what decides how it ends.
const LAST_PART: Duration = Duration::from_secs(10);

/// The book of a run.
#[derive(Debug, Default)]
pub struct Book {
    pub round: usize,
    windows: Vec<Window>,
    violations: Vec<Violation>,
    /// What was reported already, so that each thing is reported once.
    known: BTreeSet<(Law, String)>,
    /// Times in which the machine gave no processor.
    starved: Vec<(Timestamp, Timestamp)>,
    /// The longest silence, by the faults that were active.
    silences: BTreeMap<String, u64>,
    /// The longest time from the end of a round's faults until precall was well again, by the faults.
    recoveries: BTreeMap<String, u64>,
    /// Calls that did not end by their caller, by how they ended and the faults that were active.
    failures: BTreeMap<(String, String), usize>,
    /// How often each law was checked.
    checks: BTreeMap<Law, u64>,
}

impl Book {
    /// A fault begins. The number is for [`Self::ended`].
    pub fn began(&mut self, fault: Fault, now: Timestamp) -> usize {
        self.windows.push(Window { fault, round: self.round, from: now, until: None });
        self.windows.len() - 1
    }

    pub fn ended(&mut self, number: usize, now: Timestamp) {
        self.windows[number].until = Some(now);
    }

    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The machine gave no processor in these times.
    pub fn starved(&mut self, times: Vec<(Timestamp, Timestamp)>) {
        self.starved = times;
    }

    /// precall was well again so long after the faults of the round.
    pub fn recovered(&mut self, faults: &str, took: Duration) {
        let longest = self.recoveries.entry(faults.to_owned()).or_default();
        *longest = (*longest).max(u64::try_from(took.as_millis()).unwrap());
    }

    pub fn recoveries(&self) -> &BTreeMap<String, u64> {
        &self.recoveries
    }

    /// A call ended so, and not by its caller.
    pub fn failed(&mut self, how: String, from: Timestamp, to: Timestamp) {
        let faults = named(&self.blamed(from.max(to - signed(LAST_PART)), to));
        *self.failures.entry((how, faults)).or_default() += 1;
    }

    pub fn failures(&self) -> &BTreeMap<(String, String), usize> {
        &self.failures
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub fn silences(&self) -> &BTreeMap<String, u64> {
        &self.silences
    }

    pub fn checks(&self) -> &BTreeMap<Law, u64> {
        &self.checks
    }

    /// A law was checked so many times, on so many things.
    pub fn checked(&mut self, law: Law, times: usize) {
        *self.checks.entry(law).or_default() += u64::try_from(times).unwrap();
    }

    /// Notes a broken law, once for each subject. Says whether it is new.
    pub fn broken(&mut self, subject: &str, violation: Violation) -> bool {
        let is_new = self.known.insert((violation.law, subject.to_owned()));
        if is_new {
            self.violations.push(violation);
        }
        is_new
    }

    /// The round of this time.
    pub fn round_of(&self, at: Timestamp) -> usize {
        self.windows.iter().rev().find(|window| window.from <= at).map_or(self.round, |window| window.round)
    }

    /// The faults of the current time.
    pub fn recent(&self, now: Timestamp) -> Vec<String> {
        self.blamed(now, now)
    }

    /// The faults that were active at some time between these; else those that had ended shortly before.
    pub fn blamed(&self, from: Timestamp, to: Timestamp) -> Vec<String> {
        let during = self.active(from, to);
        if during.is_empty() { self.active(from - signed(AFTERMATH), to) } else { during }
    }

    fn active(&self, from: Timestamp, to: Timestamp) -> Vec<String> {
        let active = self.windows.iter().filter(|window| window.overlaps(from, to));
        active.map(|window| window.fault.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether no fault, nor what follows it, can have touched a call that lasted from then to then.
    pub fn is_untouched(&self, from: Timestamp, to: Timestamp) -> bool {
        !self.windows.iter().any(|window| window.overlaps(from - signed(AFTERMATH), to))
    }

    /// A caller heard nothing in this time. Returns how much longer that was than allowed.
    pub fn silence(&mut self, from: Timestamp, length: Duration) -> Option<Duration> {
        let to = from + signed(length);
        let faults = self.blamed(from, to);
        let longest = self.silences.entry(named(&faults)).or_default();
        *longest = (*longest).max(u64::try_from(length.as_millis()).unwrap());
        let lost = self.windows.iter().filter(|window| window.fault.takes_the_sound());
        let lost: Duration = lost.map(|window| shared(window.from, window.until, from, to)).sum();
        let starved: Duration = self.starved.iter().map(|it| shared(it.0, Some(it.1), from, to)).sum();
        // A connection that a fault left dead is noticed after the end of the fault.
        let felt = |window: &&Window| window.overlaps(from - signed(window.fault.silent_at_most()), to);
        let felt = self.windows.iter().filter(felt);
        let allowed = felt.map(|window| window.fault.silent_at_most()).max().unwrap_or(SILENT_AT_MOST);
        length.checked_sub(allowed + lost + starved).filter(|over| !over.is_zero())
    }
}

impl Window {
    fn overlaps(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from <= to && self.until.is_none_or(|until| until >= from)
    }
}

/// How much of the time between the last two lies between the first two.
fn shared(began: Timestamp, ended: Option<Timestamp>, from: Timestamp, to: Timestamp) -> Duration {
    let end = ended.map_or(to, |ended| ended.min(to));
    let shared = end.duration_since(began.max(from));
    if shared.is_negative() { Duration::ZERO } else { shared.unsigned_abs() }
}

/// Faults as one text.
pub fn named(faults: &[String]) -> String {
    if faults.is_empty() { "none".to_owned() } else { faults.join(" + ") }
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    duration.try_into().unwrap()
}

#[test]
fn a_silence_is_too_long_by_what_no_fault_took() {
    use crate::support::proxy::Trouble;
    use crate::table::{DatabaseFault, Peer, ProcessFault};

    let at = |ms: i64| Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap();
    let ms = Duration::from_millis;
    let mut book = Book::default();
    let frozen = book.began(Fault::Precall(ProcessFault::Frozen), at(0));
    book.ended(frozen, at(3_000));
    let locked = book.began(Fault::Database(DatabaseFault::Locked), at(10_000));
    book.ended(locked, at(20_000));
    assert_eq!(book.silence(at(100), ms(4_800)), None, "two seconds after the process goes on");
    assert_eq!(book.silence(at(100), ms(5_000)), Some(ms(100)));
    assert_eq!(book.silence(at(11_000), ms(2_500)), Some(ms(500)), "the database takes no sound");
    assert_eq!(book.silence(at(11_000), ms(2_000)), None);
    book.starved(vec![(at(11_500), at(11_900))]);
    assert_eq!(book.silence(at(11_000), ms(2_500)), Some(ms(100)), "the machine took 400 ms");
    let longest: Vec<_> = book.silences().iter().map(|(name, ms)| (name.as_str(), *ms)).collect();
    assert_eq!(longest, [("PostgreSQL: locked", 2_500), ("precall: frozen", 5_000)]);
    let stalled = book.began(Fault::Net(Peer::AgentSocket, Trouble::Stall, "stalled"), at(12_000));
    book.ended(stalled, at(20_000));
    assert_eq!(book.silence(at(13_000), ms(6_100)), Some(ms(100)), "it is noticed after five seconds");
    assert_eq!(book.silence(at(25_900), ms(5_000)), None, "its connection was still dead");
    assert_eq!(book.silence(at(26_100), ms(5_000)), Some(ms(3_000)));
    assert!(book.is_untouched(at(45_000), at(50_000)) && !book.is_untouched(at(25_000), at(50_000)));
}
