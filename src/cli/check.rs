//! `precall check`: finds problems before the first call, and says what to change.

use std::sync::Arc;
use std::time::Duration;

use precall_providers::elevenlabs::{ApiKey, ElevenLabs, Settings};
use precall_store::readiness::State;

use super::check_agent::{Finding, Needs};
use super::{Exit, check_capacity, database_look, environment, unusable};
use crate::config::{Config, DatabaseSource};

const WITHIN: Duration = Duration::from_secs(10);

/// Prints findings and counts the wrong ones.
#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn add(&mut self, what: &str, finding: Finding) {
        match finding {
            Finding::Good(text) => self.good(what, text),
            Finding::Note(text) => self.note(what, text),
            Finding::Wrong(text) => self.wrong(what, text),
        }
    }

    fn good(&mut self, what: &str, detail: impl std::fmt::Display) {
        println!("ok     {what}: {detail}");
    }

    fn note(&mut self, what: &str, detail: impl std::fmt::Display) {
        println!("note   {what}: {detail}");
    }

    fn wrong(&mut self, what: &str, detail: impl std::fmt::Display) {
        self.wrong = self.wrong.saturating_add(1);
        println!("WRONG  {what}: {detail}");
    }
}

pub(super) async fn run() -> Exit {
    let config = match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => config,
        Err(error) => return unusable(&error),
    };
    let mut findings = Findings::default();
    findings.good("configuration", "every variable is valid");
    for note in config.notices().iter().chain(config.warnings()) {
        findings.note("configuration", note);
    }
    database(&config, &mut findings).await;
    samples(&config, &mut findings);
    provider(&config, &mut findings).await;
    if findings.wrong == 0 { Exit::Good } else { Exit::Failed }
}

async fn database(config: &Config, findings: &mut Findings) {
    match &config.database.source {
        DatabaseSource::Embedded { directory } => {
            findings.good("database", format_args!("embedded, in {}", directory.display()));
        }
        DatabaseSource::External(_) => {
            for finding in database_look::findings(config).await {
                match finding.state {
                    State::Ok => findings.good(finding.name, finding.words),
                    State::Warning => findings.note(finding.name, finding.words),
                    State::Waiting | State::Wrong => findings.wrong(finding.name, finding.words),
                }
            }
        }
    }
}

fn samples(config: &Config, findings: &mut Findings) {
    let path = &config.clone.samples_path;
    if path.is_dir() {
        findings.good("voice samples", path.display());
    } else {
        let text = format!("{} is not a folder: create it, or set LOCAL_VOICE_SAMPLES_PATH", path.display());
        findings.wrong("voice samples", text);
    }
}

async fn provider(config: &Config, findings: &mut Findings) {
    let key = ApiKey::new(config.elevenlabs.api_key.expose());
    let base = match config.elevenlabs.api_base.as_str().parse() {
        Ok(base) => base,
        Err(error) => return findings.wrong("ELEVENLABS_API_BASE", error),
    };
    let settings = match Settings::new(base, key) {
        Ok(settings) => settings,
        Err(error) => return findings.wrong("ElevenLabs", error),
    };
    let client = ElevenLabs::new(Arc::new(settings));
    let (mut account_allows, mut agent_limit) = (None, None);
    match client.subscription(WITHIN).await {
        Ok(account) => {
            let of = |used: Option<i64>, all: Option<i64>| match (used, all) {
                (Some(used), Some(all)) => format!("{used} of {all}"),
                _ => "unknown".to_owned(),
            };
            let slots = of(account.voice_slots_used, account.voice_limit);
            let characters = of(account.character_count, account.character_limit);
            let text = format!("the API answers; voice slots used {slots}, characters used {characters}");
            findings.good("ElevenLabs account", text);
            account_allows = Some(account);
        }
        Err(error) => findings.wrong("ElevenLabs account", error),
    }
    match client.agent(&config.elevenlabs.agent_id, WITHIN).await {
        Ok(agent) => {
            findings.good("ElevenLabs agent", "the agent exists");
            agent_limit = agent.concurrency;
            for finding in Needs::of(config).look_at(&agent) {
                findings.add("ElevenLabs agent", finding);
            }
        }
        Err(error) => findings.wrong("ElevenLabs agent", error),
    }
    for finding in check_capacity::compared(config, account_allows.as_ref(), agent_limit) {
        findings.add("capacity", finding);
    }
}
