//! Checks the agent's settings at ElevenLabs against this configuration.

use std::fmt::Display;

use precall_call::Route;
use precall_providers::elevenlabs::{AgentDetail, AudioFormat};
use precall_store::lines::StoredLine;

use super::finding::Judgement;
use super::world::World;

/// The agent's format where its settings name none.
const DEFAULT_FORMAT: &str = "pcm_16000";
/// The format of a leg: nothing needs to be converted.
const BEST_FORMAT: &str = "pcm_8000";

/// The agent's settings that this configuration needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    route: Route,
    first_message: bool,
    language: bool,
    persons: bool,
}

/// Looks at every agent of the configuration and of the lines.
pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for (id, agent) in &world.agents {
        match agent {
            Ok(agent) => {
                let name = agent.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
                judgements.push(Judgement::Good(format!("agent {id}{name} exists")));
                judgements.extend(Needs::of(world, id).look_at(agent));
            }
            Err(error) => judgements.push(Judgement::refused(
                error,
                &format!("agent {id}"),
                "correct ELEVENLABS_AGENT_ID, or the agent_id of the line",
            )),
        }
    }
    judgements
}

impl Needs {
    fn of(world: &World<'_>, agent: &str) -> Self {
        let (config, route) = (world.config, world.config.call.route);
        let default = config.elevenlabs.agent_id.as_str();
        let mut lines = world.database.lines.iter().flat_map(StoredLine::every_settings);
        Self {
            route,
            // A line with a language tells it to its agent.
            language: lines
                .any(|line| line.language.is_some() && line.agent_id.as_deref().unwrap_or(default) == agent),
            // On a callback the greeting is the first message of its own conversation.
            first_message: route == Route::Callback || config.agent.bridge.first_message.is_some(),
            persons: !config.agent.persons.is_empty(),
        }
    }

    /// All findings about this agent.
    pub(super) fn look_at(self, agent: &AgentDetail) -> Vec<Judgement> {
        let mut findings = vec![allowed(
            "tts.voice_id",
            agent.overrides.voice,
            "without it ElevenLabs refuses the cloned voice",
        )];
        if self.first_message {
            let why = "without it ElevenLabs refuses the first message";
            findings.push(allowed("agent.first_message", agent.overrides.first_message, why));
        }
        if self.language {
            let why = "without it ElevenLabs refuses the language of the line";
            findings.push(allowed("agent.language", agent.overrides.language, why));
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

    fn events(self, agent: &AgentDetail) -> Vec<Judgement> {
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
                    Judgement::Good(text)
                } else {
                    Judgement::Wrong(off(&text, "client events", why))
                }
            })
            .collect()
    }
}

fn allowed(field: &str, is_allowed: bool, why: &str) -> Judgement {
    let text = format!("override {field}");
    if is_allowed { Judgement::Good(text) } else { Judgement::Wrong(off(&text, "security settings", why)) }
}

fn switched_on(is_on: bool, what: &str, why: &str) -> Judgement {
    if is_on {
        Judgement::Good(what.to_owned())
    } else {
        Judgement::Wrong(off(what, "security settings", why))
    }
}

fn off(what: &str, place: &str, why: &str) -> String {
    format!("{what} is off: switch it on in the agent's {place} ({why})")
}

fn heard_as(which: impl Display, format: Option<&str>) -> Judgement {
    let format = format.unwrap_or(DEFAULT_FORMAT);
    match AudioFormat::from_name(format) {
        None => Judgement::Wrong(format!(
            "{which} format {format} cannot be converted: choose {BEST_FORMAT} in the agent's settings"
        )),
        Some(_) if format == BEST_FORMAT => Judgement::Good(format!("{which} format {format}")),
        Some(_) => Judgement::Note(format!(
            "{which} format {format} is converted on every call: {BEST_FORMAT} needs no conversion"
        )),
    }
}

#[cfg(test)]
mod tests;
