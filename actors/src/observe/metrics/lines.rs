//! Metrics by line and PBX: how calls end, and how long callers hold.
//!
//! Ids of lines and names of PBXs come from the configuration. Only those have a series of their own, and only so many;
//! calls of others count as `other`. The id of a line may be a number: its label is masked, as every number in metrics.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::phone_number::E164;
use precall_call::{Blame, Call, Route, Told};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::measured::{Distribution, Measured};

/// Most lines, and most PBXs, with a series of their own.
const LINES_MAX: usize = 200;
const PBXS_MAX: usize = 20;
/// The label of all others.
const OTHER: &str = "other";
/// Seconds: no caller should hold for longer than `CLONE_MAX_WAIT_SECONDS`.
const HOLD_BUCKETS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 120.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    line: String,
    pbx: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

/// Names that have a series of their own. They stay known: a counter must not go back.
#[derive(Default)]
struct Known {
    lines: HashSet<String>,
    pbxs: HashSet<String>,
}

/// Metrics by line and PBX.
pub(crate) struct LineMetrics {
    ended: Family<EndLabels, Counter>,
    hold: Family<RouteLabel, Measured, fn() -> Measured>,
    known: Mutex<Known>,
}

impl Default for LineMetrics {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            hold: Family::new_with_constructor(|| Measured::new(&HOLD_BUCKETS)),
            known: Mutex::default(),
        }
    }
}

impl LineMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        all.register_with_unit(
            "ended",
            "Calls that ended, by line and PBX, and by what the caller got",
            Unit::Other("calls".to_owned()),
            self.ended.clone(),
        );
        all.register_with_unit(
            "hold",
            "From the end of the greeting until the caller hears an agent, or leaves",
            Unit::Seconds,
            self.hold.clone(),
        );
    }

    /// These lines and this PBX are configured.
    pub(crate) fn know<'a>(&self, pbx: &str, lines: impl Iterator<Item = &'a str>) {
        let mut known = self.known();
        for line in lines {
            add(&mut known.lines, line, LINES_MAX);
        }
        add(&mut known.pbxs, pbx, PBXS_MAX);
    }

    /// A step of a call that runs at this PBX.
    pub(crate) fn observe(&self, pbx: &str, before: Option<&Call>, after: &Call) {
        if let (None, Some(held)) = (before.and_then(held), held(after)) {
            let route = after.policy.route.name();
            self.hold.get_or_create(&RouteLabel { route }).observe(held.as_secs_f64());
        }
        let was_over = before.is_some_and(Call::is_released);
        if was_over || !after.is_released() {
            return;
        }
        let known = self.known();
        let named =
            |known: &HashSet<String>, name: &str| known.get(name).map_or(OTHER, String::as_str).to_owned();
        let line = label_of_line(named(&known.lines, after.policy.line.as_str()));
        let pbx = named(&known.pbxs, pbx);
        drop(known);
        let outcome = if before.is_none() { "refused" } else { outcome(after) };
        self.ended.get_or_create(&EndLabels { line, pbx, outcome }).inc();
    }

    /// How long callers of this route held.
    pub(super) fn hold(&self, route: &'static str) -> Option<Distribution> {
        self.hold.get(&RouteLabel { route }).map(|measured| measured.read())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The label of a line: a telephone number is masked, an extension or a name stays.
fn label_of_line(line: String) -> String {
    line.parse::<E164>().map_or(line, |number| number.to_string())
}

fn add(known: &mut HashSet<String>, name: &str, most: usize) {
    if known.len() < most && !known.contains(name) {
        known.insert(name.to_owned());
    }
}

/// How long the caller held, once that is known: until an agent was heard, or on routes where precall does not hear it,
/// was reached; or until the call was over. An agent that follows the greeting directly may speak before the end of the
/// greeting is reported.
fn held(call: &Call) -> Option<Duration> {
    let reached = match call.policy.route {
        Route::Bridge => None,
        Route::Transfer | Route::Callback => call.instants.handed_off,
    };
    let until = call.instants.agent_heard.or(reached).or(call.instants.released)?;
    Some(until.since(call.instants.greeting_ended?))
}

fn outcome(call: &Call) -> &'static str {
    let Some(release) = call.release() else { return OTHER };
    match (release.blame, release.told) {
        (_, Told::Person) => "person",
        (Some(Blame::Pbx | Blame::Provider | Blame::Precall), _) => "failed",
        _ if call.had_agent() => "agent",
        (Some(Blame::Caller), _) => "caller",
        (Some(Blame::Operator) | None, _) => OTHER,
    }
}
