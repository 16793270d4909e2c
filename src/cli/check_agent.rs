//! Checks the agent's settings at ElevenLabs against this configuration.

use std::fmt::Display;

use precall_call::Route;
use precall_providers::elevenlabs::{AgentDetail, AudioFormat};

use crate::config::Config;

/// The agent's format where its settings name none.
const DEFAULT_FORMAT: &str = "pcm_16000";
/// The format of a leg: nothing needs to be converted.
const BEST_FORMAT: &str = "pcm_8000";

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The setting is right.
    Good(String),
    /// It works, but could be better.
    Note(String),
    /// Calls fail, or do less than configured, until it is changed.
    Wrong(String),
}

/// The agent's settings that this configuration needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    route: Route,
    first_message: bool,
    persons: bool,
}

impl Needs {
    pub(super) fn of(config: &Config) -> Self {
        let route = config.call.route;
        Self {
            route,
            // On a callback the greeting is the first message of its own conversation.
            first_message: route == Route::Callback || config.agent.bridge.first_message.is_some(),
            persons: !config.agent.persons.is_empty(),
        }
    }

    /// All findings about this agent.
    pub(super) fn look_at(self, agent: &AgentDetail) -> Vec<Finding> {
        let mut findings = vec![allowed(
            "tts.voice_id",
            agent.overrides.voice,
            "without it ElevenLabs refuses the cloned voice",
        )];
        if self.first_message {
            let why = "without it ElevenLabs refuses the first message";
            findings.push(allowed("agent.first_message", agent.overrides.first_message, why));
        }
        match self.route {
            Route::Callback => return findings,
            Route::Transfer => findings.push(switched_on(
                agent.overrides.from_webhook,
                "fetch initiation data from a webhook",
                "without it a transferred caller hears the agent's own voice",
            )),
            Route::Bridge => {}
        }
        let formats = [("agent output", &agent.output_format), ("user input", &agent.input_format)];
        findings.extend(formats.map(|(which, format)| heard_as(which, format.as_deref())));
        findings.extend(self.events(agent));
        findings
    }

    fn events(self, agent: &AgentDetail) -> Vec<Finding> {
        // Where the agent names no events, ElevenLabs uses its defaults. The tool event is not one of them.
        let defaults = ["audio", "interruption", "user_transcript", "agent_response", "ping"];
        let has = |event: &str| match &agent.client_events {
            Some(events) => events.iter().any(|known| known == event),
            None => defaults.contains(&event),
        };
        let mut needed = vec![
            ("audio", "without it the caller does not hear the agent"),
            ("interruption", "without it the agent talks on when the caller speaks"),
            ("user_transcript", "without it the caller's words are kept only if the report comes"),
            ("agent_response", "without it the agent's words are kept only if the report comes"),
        ];
        if self.persons {
            needed.push((
                "client_tool_call",
                "without it the agent cannot ask for a person of TRANSFER_DESTINATIONS",
            ));
        }
        needed
            .into_iter()
            .map(|(event, why)| {
                let text = format!("client event {event}");
                if has(event) {
                    Finding::Good(text)
                } else {
                    Finding::Wrong(off(&text, "client events", why))
                }
            })
            .collect()
    }
}

fn allowed(field: &str, is_allowed: bool, why: &str) -> Finding {
    let text = format!("override {field}");
    if is_allowed { Finding::Good(text) } else { Finding::Wrong(off(&text, "security settings", why)) }
}

fn switched_on(is_on: bool, what: &str, why: &str) -> Finding {
    if is_on { Finding::Good(what.to_owned()) } else { Finding::Wrong(off(what, "security settings", why)) }
}

fn off(what: &str, place: &str, why: &str) -> String {
    format!("{what} is off: switch it on in the agent's {place} ({why})")
}

fn heard_as(which: impl Display, format: Option<&str>) -> Finding {
    let format = format.unwrap_or(DEFAULT_FORMAT);
    match AudioFormat::from_name(format) {
        None => Finding::Wrong(format!(
            "{which} format {format} cannot be converted: choose {BEST_FORMAT} in the agent's settings"
        )),
        Some(_) if format == BEST_FORMAT => Finding::Good(format!("{which} format {format}")),
        Some(_) => Finding::Note(format!(
            "{which} format {format} is converted on every call: {BEST_FORMAT} needs no conversion"
        )),
    }
}

#[cfg(test)]
mod tests;
