//! `precall check`: asks everything that a call needs, before the first call, and says what to change.
//!
//! Each subject has a file: it fetches, then judges what it fetched. [`PROBES`] is the list of all subjects.

mod account;
mod agent;
mod alerts;
mod callers;
mod capacity;
mod clock;
mod countries;
mod database;
mod finding;
mod open_files;
mod options;
mod paths;
mod prompts;
mod read_replica;
mod signed_url;
mod spool;
mod threecx;
mod traces;
mod voices;
mod webhooks;
mod world;

use std::time::Duration;

use futures_util::future::{FutureExt as _, LocalBoxFuture, join_all};
use serde::Serialize;

use self::finding::Judgement;
pub use self::finding::{Finding, Level};
pub use self::options::Options;
use self::world::World;
use super::{Exit, environment, unusable};
use crate::config::Config;

/// Time limit of one subject: several requests, or many samples.
const SUBJECT_WITHIN: Duration = Duration::from_secs(60);

/// A subject of the check.
struct Probe {
    /// The name of its lines.
    subject: &'static str,
    look: for<'a> fn(&'a World<'a>) -> LocalBoxFuture<'a, Vec<Judgement>>,
}

/// Every subject, in the order of the output. `variables.rs` names them in the definitions of the configuration.
const PROBES: &[Probe] = &[
    Probe { subject: "configuration", look: |world| async { configuration(world.config) }.boxed_local() },
    Probe { subject: "database", look: |world| database::look(world).boxed_local() },
    Probe { subject: "files", look: |world| async { paths::look(world.config) }.boxed_local() },
    Probe { subject: "read replica", look: |world| read_replica::look(world.config).boxed_local() },
    Probe { subject: "spool", look: |world| spool::look(world).boxed_local() },
    Probe { subject: "voice samples", look: |world| callers::samples(world).boxed_local() },
    Probe { subject: "callers", look: |world| async { callers::consents(world) }.boxed_local() },
    Probe { subject: "prompts", look: |world| prompts::look(world).boxed_local() },
    Probe { subject: "ElevenLabs account", look: |world| async { account::look(world) }.boxed_local() },
    Probe { subject: "ElevenLabs agent", look: |world| async { agent::look(world) }.boxed_local() },
    Probe { subject: "ElevenLabs voices", look: |world| voices::look(world).boxed_local() },
    Probe { subject: "ElevenLabs phone number", look: |world| voices::phone_numbers(world).boxed_local() },
    Probe { subject: "signed URL", look: |world| signed_url::look(world).boxed_local() },
    Probe { subject: "ElevenLabs webhooks", look: |world| webhooks::look(world).boxed_local() },
    Probe { subject: "capacity", look: |world| async { capacity::look(world) }.boxed_local() },
    Probe { subject: "open files", look: |world| async { open_files::look(world.config) }.boxed_local() },
    Probe { subject: "3CX", look: |world| async { threecx::look(world) }.boxed_local() },
    Probe { subject: "destinations", look: |world| async { threecx::destinations(world) }.boxed_local() },
    Probe { subject: "countries", look: |world| async { countries::look(world) }.boxed_local() },
    Probe { subject: "traces", look: |world| traces::look(world).boxed_local() },
    Probe { subject: "alerts", look: |world| alerts::look(world).boxed_local() },
    Probe { subject: "clock", look: |world| async { clock::look(world) }.boxed_local() },
];

/// The names of all subjects.
#[must_use]
pub fn subjects() -> Vec<&'static str> {
    PROBES.iter().map(|probe| probe.subject).collect()
}

/// Looks at everything. Changes nothing, and rings nobody.
pub async fn findings(config: &Config, options: Options) -> Vec<Finding> {
    let world = World::gather(config, options).await;
    let looks = PROBES.iter().map(|probe| async {
        let looked = tokio::time::timeout(SUBJECT_WITHIN, (probe.look)(&world)).await;
        let late = |_| vec![Judgement::Wrong(format!("not done after {} s", SUBJECT_WITHIN.as_secs()))];
        looked.unwrap_or_else(late).into_iter().map(|judgement| judgement.of(probe.subject))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

fn configuration(config: &Config) -> Vec<Judgement> {
    let mut judgements = vec![Judgement::Good("every variable is valid".to_owned())];
    judgements.extend(config.notices().iter().map(|notice| Judgement::Good(format!("note that {notice}"))));
    judgements.extend(config.warnings().iter().cloned().map(Judgement::Note));
    judgements
}

/// The output of `--format json`.
#[derive(Serialize)]
struct Report<'a> {
    level: Level,
    findings: &'a [Finding],
}

pub(super) async fn run(options: Options, as_json: bool) -> Exit {
    let config = match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => config,
        Err(error) => return unusable(&error),
    };
    let findings = findings(&config, options).await;
    let worst = |level| findings.iter().any(|finding| finding.level == level);
    let level = [Level::Wrong, Level::Warning].into_iter().find(|level| worst(*level)).unwrap_or(Level::Ok);
    if as_json {
        let report = serde_json::to_string_pretty(&Report { level, findings: &findings });
        println!("{}", report.unwrap_or_default());
    } else {
        for finding in &findings {
            println!("{finding}");
        }
    }
    if level == Level::Wrong { Exit::Failed } else { Exit::Good }
}

#[cfg(test)]
mod tests;
