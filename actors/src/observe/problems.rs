//! Everything that needs a person, in one list: states of the database, the spool, 3CX and the prompts, and the
//! outcomes of the last minutes.
//!
//! Pure: no clock, no I/O, no actor.

use precall_call::At;
use precall_store::bypass::BypassRow;

use crate::durability::persistence_state::Troubles;
use crate::limits::bypass::words;
use crate::observe::health::PbxHealth;
use crate::observe::outcomes::HealthProblem;

/// The states that may need a person.
pub(crate) struct States<'a> {
    /// Database, spool and quarantine, and since when.
    pub(crate) troubles: Troubles,
    /// Why this process cannot act on the database, or does not yet, and since when.
    pub(crate) obstacle: Option<(At, String)>,
    /// What is not as needed at the database, and since when.
    pub(crate) database: Vec<(At, String)>,
    /// What the spool will lack when it is needed, and what it holds for another database.
    pub(crate) spool: Vec<(At, String)>,
    /// Events and reports that PostgreSQL refused, and that are kept.
    pub(crate) quarantined: i64,
    /// The clock and the open files of the host, and since when.
    pub(crate) host: Vec<(At, String)>,
    /// Why history is not read from the read replica, and since when.
    pub(crate) replica: Option<(At, String)>,
    /// Channels on which alerts do not go out, and since when.
    pub(crate) alerts: Vec<(At, String)>,
    /// Why the last reload of the configuration was refused, and since when.
    pub(crate) config: Option<(At, String)>,
    /// What the test calls of precall found, and since when.
    pub(crate) canary: Option<(At, String)>,
    /// 3CX; none without call control.
    pub(crate) pbx: Option<&'a PbxHealth>,
    /// Prompts that differ from the configuration.
    pub(crate) prompts: &'a [(At, String)],
    /// Overrides that agents do not allow, and since when.
    pub(crate) agents: Vec<(At, String)>,
    /// Lines whose new calls operators send away.
    pub(crate) bypasses: Vec<BypassRow>,
}

/// The problems at this time, the most serious first.
#[must_use]
pub(crate) fn all(states: States<'_>, outcomes: Vec<HealthProblem>, now: At) -> Vec<HealthProblem> {
    let troubles = states.troubles;
    let mut problems = Vec::new();
    // The obstacle says more than the failed contact that it follows from.
    let database = states.obstacle.or(troubles.database).into_iter().chain(states.database);
    problems.extend(database.map(|(since, words)| state("storage", since, &format!("database: {words}"))));
    let spool = troubles.spool.into_iter().chain(states.spool);
    problems.extend(spool.map(|(since, words)| state("storage", since, &format!("spool: {words}"))));
    let last = troubles.quarantined.unwrap_or(now);
    problems.extend(quarantined(states.quarantined).map(|words| state("storage", last, &words)));
    problems.extend(states.host.iter().map(|(since, words)| state("host", *since, words)));
    problems.extend(states.replica.map(|(since, words)| state("replica", since, &words)));
    problems.extend(states.alerts.iter().map(|(since, words)| state("alerts", *since, words)));
    problems.extend(states.config.iter().map(|(since, words)| state("configuration", *since, words)));
    let pbx = states.pbx.and_then(|pbx| pbx.trouble.as_ref());
    problems.extend(pbx.map(|(since, words)| state("threecx", *since, words)));
    problems.extend(states.canary.iter().map(|(since, words)| state("canary", *since, words)));
    problems.extend(states.prompts.iter().map(|(since, words)| state("prompts", *since, words)));
    problems.extend(states.agents.iter().map(|(since, words)| state("agent", *since, words)));
    problems.extend(states.bypasses.iter().map(|row| state("bypass", row.changed_at, &words(row))));
    problems.extend(outcomes);
    problems
}

fn quarantined(rows: i64) -> Option<String> {
    (rows > 0).then(|| {
        format!(
            "{rows} events or reports could not be stored as they are, and are kept with the reason: `precall verify` \
             names events, `GET /api/v1/webhooks?state=quarantined` reports"
        )
    })
}

fn state(area: &'static str, since: At, words: &str) -> HealthProblem {
    HealthProblem::state(area, since, words)
}

#[cfg(test)]
mod tests;
