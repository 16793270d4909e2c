//! Decides whether precall may dial a number. Anyone who can send a webhook chooses both numbers in it, and the
//! installation pays for the call. So what is permitted follows from the configuration and the lines alone.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use precall_base::phone_number::{CallerNumber, E164, NumberKind, Region};
use precall_call::{At, CallId, Cause};

#[cfg(test)]
mod tests;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Rules of the guard.
#[derive(Clone, Debug)]
pub struct DialRules {
    /// Countries that may be dialled.
    countries: BTreeSet<Region>,
    /// Numbers and extensions of our lines, and `OWN_NUMBERS`. Dialling them would call precall itself, and only who
    /// called one of them is called back.
    own: HashSet<CallerNumber>,
    limits: DialLimits,
}

/// The setting from which the countries follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// `CALLBACK_COUNTRIES` is not set: `DEFAULT_REGION`, and the countries of our own numbers.
    Home,
    /// `CALLBACK_COUNTRIES`.
    Only(BTreeSet<Region>),
}

/// Limits in calls that were called back. The greeting, the agent call after it, and a second attempt in the fallback
/// voice count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialLimits {
    /// `CALLBACK_LIMIT_PER_NUMBER_HOUR`.
    pub per_number_hour: u32,
    /// `CALLBACK_LIMIT_PER_HOUR`.
    pub per_hour: u32,
    /// `CALLBACK_LIMIT_PER_DAY`.
    pub per_day: u32,
    /// `CALLBACK_LIMIT_CONCURRENT`.
    pub at_once: u32,
}

impl Default for DialLimits {
    fn default() -> Self {
        Self { per_number_hour: 3, per_hour: 500, per_day: 5000, at_once: 100 }
    }
}

/// A request to call back the caller of a call.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// The call. A repeated request for a held call counts nothing.
    pub call: CallId,
    /// The number to dial.
    pub number: &'a CallerNumber,
    /// The number that the caller dialled.
    pub called: &'a CallerNumber,
}

/// The guard's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialDecision {
    /// Counted, and held until [`DialGuard::release`].
    Allowed,
    /// Refused; nothing was counted.
    Refused(Refusal),
}

/// Why the guard refused. The names are for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The caller's number is withheld or unreadable.
    NoNumber,
    /// The caller did not call a number of ours.
    UnknownCalled,
    /// An extension of the PBX, a short code or an emergency number.
    NotPublic,
    /// One of our own numbers, or the called number itself.
    OwnNumber,
    /// A kind of number that callers do not call from.
    Kind(NumberKind),
    /// A country that is not permitted.
    Country,
    /// `CALLBACK_LIMIT_CONCURRENT`.
    AtOnce,
    /// `CALLBACK_LIMIT_PER_NUMBER_HOUR`.
    PerNumberHour,
    /// `CALLBACK_LIMIT_PER_HOUR`.
    PerHour,
    /// `CALLBACK_LIMIT_PER_DAY`.
    PerDay,
}

impl Refusal {
    /// The cause for the call's end.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::OwnNumber => Cause::Loop,
            Self::NoNumber
            | Self::UnknownCalled
            | Self::NotPublic
            | Self::Kind(_)
            | Self::Country
            | Self::AtOnce
            | Self::PerNumberHour
            | Self::PerHour
            | Self::PerDay => Cause::DialRefused,
        }
    }

    /// Name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoNumber => "no_number",
            Self::UnknownCalled => "unknown_called",
            Self::NotPublic => "not_public",
            Self::OwnNumber => "own_number",
            Self::Kind(_) => "number_kind",
            Self::Country => "country",
            Self::AtOnce => "limit_at_once",
            Self::PerNumberHour => "limit_per_number_hour",
            Self::PerHour => "limit_per_hour",
            Self::PerDay => "limit_per_day",
        }
    }
}

/// Decides, counts allowed calls, and forgets them after a day. Memory: one entry per held call, at most `per_hour`
/// numbers and `per_day` times.
#[derive(Debug)]
pub struct DialGuard {
    rules: DialRules,
    held: HashSet<CallId>,
    last_hour: VecDeque<(At, E164)>,
    per_number: HashMap<E164, u32>,
    last_day: VecDeque<At>,
    latest: At,
}

impl DialGuard {
    /// A guard without counted calls.
    #[must_use]
    pub fn new(rules: DialRules) -> Self {
        Self {
            rules,
            held: HashSet::new(),
            last_hour: VecDeque::new(),
            per_number: HashMap::new(),
            last_day: VecDeque::new(),
            latest: At(i64::MIN),
        }
    }

    /// Replaces the rules, for example when the lines are loaded again. Counts stay.
    pub(crate) fn set_rules(&mut self, rules: DialRules) {
        self.rules = rules;
    }

    /// Decides whether the call may dial its caller. An allowed call is held and counted once, also if asked again.
    pub fn ask(&mut self, dial: Dial<'_>, now: At) -> DialDecision {
        if self.held.contains(&dial.call) {
            return DialDecision::Allowed;
        }
        // If the clock is set back, counted dials must neither vanish early nor stay for ever.
        let now = now.max(self.latest);
        self.latest = now;
        self.forget(now);
        let allowed = self.rules.number_of(dial).and_then(|number| {
            self.within_limits(number)?;
            Ok(number)
        });
        match allowed {
            Ok(number) => {
                self.held.insert(dial.call);
                self.count(number.clone(), now);
                DialDecision::Allowed
            }
            Err(refusal) => DialDecision::Refused(refusal),
        }
    }

    /// Ends a call: it no longer counts against `at_once`. The counts per hour and day stay.
    pub fn release(&mut self, call: CallId) {
        self.held.remove(&call);
    }

    /// Holds a call that was allowed before a restart and is still live.
    pub fn hold(&mut self, call: CallId) {
        self.held.insert(call);
    }

    /// Counts a number that was dialled at `at`, before a restart. Call it in any order, before the first request.
    pub fn seed(&mut self, number: E164, at: At) {
        self.count(number, at);
    }

    fn within_limits(&self, number: &E164) -> Result<(), Refusal> {
        let limits = self.rules.limits;
        if reached(self.held.len(), limits.at_once) {
            return Err(Refusal::AtOnce);
        }
        if self.per_number.get(number).copied().unwrap_or(0) >= limits.per_number_hour {
            return Err(Refusal::PerNumberHour);
        }
        if reached(self.last_hour.len(), limits.per_hour) {
            return Err(Refusal::PerHour);
        }
        if reached(self.last_day.len(), limits.per_day) {
            return Err(Refusal::PerDay);
        }
        Ok(())
    }

    fn count(&mut self, number: E164, at: At) {
        let place = self.last_day.partition_point(|earlier| *earlier <= at);
        self.last_day.insert(place, at);
        let place = self.last_hour.partition_point(|(earlier, _)| *earlier <= at);
        *self.per_number.entry(number.clone()).or_insert(0) += 1;
        self.last_hour.insert(place, (at, number));
        // Only seeds can exceed a limit. The newest entries count longest, so the oldest go.
        while exceeded(self.last_day.len(), self.rules.limits.per_day) {
            self.last_day.pop_front();
        }
        while exceeded(self.last_hour.len(), self.rules.limits.per_hour) {
            self.forget_oldest_of_hour();
        }
    }

    fn forget(&mut self, now: At) {
        while self.last_day.front().is_some_and(|at| now.since(*at) >= DAY) {
            self.last_day.pop_front();
        }
        while self.last_hour.front().is_some_and(|(at, _)| now.since(*at) >= HOUR) {
            self.forget_oldest_of_hour();
        }
    }

    fn forget_oldest_of_hour(&mut self) {
        let Some((_, number)) = self.last_hour.pop_front() else { return };
        let Some(count) = self.per_number.get_mut(&number) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.per_number.remove(&number);
        }
    }
}

impl DialRules {
    /// `default_region` is `DEFAULT_REGION`; `own` has the numbers of the lines and `OWN_NUMBERS`.
    #[must_use]
    pub fn new(
        countries: &Countries,
        default_region: Region,
        own: HashSet<CallerNumber>,
        limits: DialLimits,
    ) -> Self {
        let countries = match countries {
            Countries::Only(list) => list.clone(),
            Countries::Home => {
                let national = |number: &&E164| number.kind() != NumberKind::Global;
                let of_own =
                    own.iter().filter_map(CallerNumber::e164).filter(national).filter_map(E164::region);
                of_own.chain([default_region]).filter(|region| *region != Region::UNKNOWN).collect()
            }
        };
        Self { countries, own, limits }
    }

    /// The number to dial, if the rules without counts allow it.
    fn number_of<'a>(&self, dial: Dial<'a>) -> Result<&'a E164, Refusal> {
        let number = match dial.number {
            CallerNumber::Withheld | CallerNumber::Unreadable => return Err(Refusal::NoNumber),
            CallerNumber::Public(_) | CallerNumber::Internal(_)
                if dial.number == dial.called || self.own.contains(dial.number) =>
            {
                return Err(Refusal::OwnNumber);
            }
            CallerNumber::Internal(_) => return Err(Refusal::NotPublic),
            CallerNumber::Public(number) => number,
        };
        let kind = number.kind();
        if !is_a_persons(kind) {
            return Err(Refusal::Kind(kind));
        }
        // Without a number of its own an installation cannot tell; the start says so.
        if !self.own.is_empty() && !self.own.contains(dial.called) {
            return Err(Refusal::UnknownCalled);
        }
        let region = number.region().ok_or(Refusal::Country)?;
        if self.countries.contains(&region) { Ok(number) } else { Err(Refusal::Country) }
    }
}

/// Kinds that people call from, at ordinary prices. VoIP is included: in several countries homes have such numbers
/// (France 09), and global VoIP ranges are another kind. Toll-free is excluded: nobody calls from such a number, and
/// its owner pays for every call.
fn is_a_persons(kind: NumberKind) -> bool {
    match kind {
        NumberKind::FixedLine | NumberKind::Mobile | NumberKind::FixedLineOrMobile | NumberKind::Voip => true,
        NumberKind::TollFree
        | NumberKind::PremiumRate
        | NumberKind::SharedCost
        | NumberKind::PersonalNumber
        | NumberKind::Pager
        | NumberKind::UniversalAccess
        | NumberKind::Voicemail
        | NumberKind::Global
        | NumberKind::Unknown => false,
    }
}

fn reached(count: usize, limit: u32) -> bool {
    u32::try_from(count).unwrap_or(u32::MAX) >= limit
}

fn exceeded(count: usize, limit: u32) -> bool {
    u32::try_from(count).unwrap_or(u32::MAX) > limit
}
