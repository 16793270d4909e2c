//! The agent on the caller's own leg: how its conversation is opened, what it is told, whom it may call.

use std::sync::Arc;
use std::time::Duration;

use precall_actors::call::line::{AgentAccess, BridgeRules};
use serde::Deserialize;

use super::problem::Problems;
use super::threecx::ThreeCx;
use super::value::{List, Read, words};
use super::values::Values;
use super::variables::Section;

words!(AgentAccess, "signed or public",
    "signed" => AgentAccess::Signed,
    "public" => AgentAccess::Public,
);

/// Longest first message and variable, in characters: what a prompt is filled with is short.
const TEXT_MAX: usize = 2_000;

/// See the file.
#[derive(Clone, Debug)]
pub struct Agent {
    /// How it is brought onto a leg; used where there is call control.
    pub bridge: Arc<BridgeRules>,
    /// Names, and the DNs behind them.
    pub persons: Arc<[(String, String)]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    agent_access: Read<AgentAccess>,
    agent_hosts: Option<Read<List>>,
    agent_first_message: Option<String>,
    agent_dynamic_variables: Option<Read<List>>,
    agent_stall_seconds: Read<u64>,
    agent_audio_ms: Read<u64>,
    transfer_destinations: Option<Read<List>>,
}

impl Agent {
    pub(super) fn read(values: &Values, threecx: Option<&ThreeCx>, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Agent, problems)?;
        let access = problems.value("AGENT_ACCESS", raw.agent_access);
        let hosts = problems.optional("AGENT_HOSTS", raw.agent_hosts);
        if hosts.iter().flatten().any(|List(hosts)| !hosts.iter().all(|host| is_host(host))) {
            problems.add(
                "AGENT_HOSTS",
                "has an entry that is no host",
                "host names alone, as api.us.elevenlabs.io",
            );
        }
        let variables = pairs("AGENT_DYNAMIC_VARIABLES", raw.agent_dynamic_variables, problems);
        let stall = problems.seconds("AGENT_STALL_SECONDS", raw.agent_stall_seconds, 1..=15);
        let piece = problems.number::<u64>("AGENT_AUDIO_MS", raw.agent_audio_ms, 20..=100, "milliseconds");
        let persons = pairs("TRANSFER_DESTINATIONS", raw.transfer_destinations, problems);
        for (name, value) in variables.iter().flatten() {
            if name.starts_with("system__") || value.chars().count() > TEXT_MAX {
                problems.add(
                    "AGENT_DYNAMIC_VARIABLES",
                    format!("`{name}` is a name of the provider's own, or its value is too long"),
                    "names that do not begin with system__, values of at most 2000 characters",
                );
            }
        }
        let own = threecx.and_then(|threecx| threecx.call_control.as_ref()).map(|control| &control.client_id);
        for (name, to) in persons.iter().flatten() {
            if own.is_some_and(|own| own.eq_ignore_ascii_case(to)) {
                problems.add(
                    "TRANSFER_DESTINATIONS",
                    format!("`{name}` is THREECX_CLIENT_ID itself: the call would come back here"),
                    "another DN than THREECX_CLIENT_ID",
                );
            }
        }
        let first_message = raw.agent_first_message;
        if first_message.as_ref().is_some_and(|text| text.chars().count() > TEXT_MAX) {
            problems.add("AGENT_FIRST_MESSAGE", "is too long", "at most 2000 characters");
        }
        Some(Self {
            bridge: Arc::new(BridgeRules {
                access: access?,
                hosts: hosts?.map(|List(hosts)| hosts).unwrap_or_default(),
                first_message: first_message.map(|text| if text == NO_WORDS { String::new() } else { text }),
                variables: variables?,
                stall: stall?,
                piece: Duration::from_millis(piece?),
            }),
            persons: persons?.into(),
        })
    }
}

/// An empty variable counts as unset everywhere, so no words have a word of their own.
const NO_WORDS: &str = "none";

/// Without scheme, port or path, and as a URL has it, so that it can be compared with one.
fn is_host(text: &str) -> bool {
    url::Host::parse(text).is_ok_and(|host| host.to_string() == text)
}

/// `name=value` entries, names once each.
fn pairs(
    name: &'static str,
    read: Option<Read<List>>,
    problems: &mut Problems,
) -> Option<Vec<(String, String)>> {
    const RIGHT: &str =
        "entries of the form name=value, each name once, comma separated or a JSON array of strings";
    let entries = problems.optional(name, read)?.map(|List(entries)| entries).unwrap_or_default();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for entry in entries {
        let pair = entry.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        match pair {
            Some((key, value))
                if !key.is_empty()
                    && !value.is_empty()
                    && !pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(key)) =>
            {
                pairs.push((key.to_owned(), value.to_owned()));
            }
            Some((key, _)) => {
                problems.add(name, format!("`{key}` stands twice, or has no value"), RIGHT);
                return None;
            }
            None => {
                problems.add(name, "has an entry without `=`", RIGHT);
                return None;
            }
        }
    }
    Some(pairs)
}
