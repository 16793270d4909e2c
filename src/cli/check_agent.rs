//! Whether the agent at the provider is set up as this configuration needs it. Only what it says of itself is looked at.

use std::fmt::Display;

use precall_call::Route;
use precall_providers::elevenlabs::{AgentDetail, AudioFormat};

use crate::config::Config;

/// Its wish where it says nothing (facts of the provider, section 4).
const DEFAULT_FORMAT: &str = "pcm_16000";
/// A leg's own: nothing needs to be converted.
const BEST_FORMAT: &str = "pcm_8000";

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// As it should be.
    Good(String),
    /// It works, and could be better.
    Note(String),
    /// Calls will fail, or do less than was asked for, until it is changed.
    Wrong(String),
}

/// What of the agent's settings this configuration uses.
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

    /// Everything there is to be said.
    pub(super) fn look_at(self, agent: &AgentDetail) -> Vec<Finding> {
        let mut findings =
            vec![allowed("tts.voice_id", agent.overrides.voice, "the cloned voice is refused without it")];
        if self.first_message {
            let why = "what precall wants it to say first is refused without it";
            findings.push(allowed("agent.first_message", agent.overrides.first_message, why));
        }
        match self.route {
            Route::Callback => return findings,
            Route::Transfer => findings.push(switched_on(
                agent.overrides.from_webhook,
                "fetch initiation data from a webhook",
                "a transferred caller hears the agent's own voice without it",
            )),
            Route::Bridge => {}
        }
        let formats = [("agent output", &agent.output_format), ("user input", &agent.input_format)];
        findings.extend(formats.map(|(which, format)| heard_as(which, format.as_deref())));
        findings.extend(self.events(agent));
        findings
    }

    fn events(self, agent: &AgentDetail) -> Vec<Finding> {
        // Where it does not say, the provider's defaults are in force, and the tool is not among them.
        let defaults = ["audio", "interruption", "user_transcript", "agent_response", "ping"];
        let has = |event: &str| match &agent.client_events {
            Some(events) => events.iter().any(|known| known == event),
            None => defaults.contains(&event),
        };
        let mut needed = vec![
            ("audio", "nobody hears it without"),
            ("interruption", "it talks on when the caller speaks"),
            ("user_transcript", "what the caller said is not kept unless the report comes"),
            ("agent_response", "what it said is not kept unless the report comes"),
        ];
        if self.persons {
            needed.push(("client_tool_call", "nobody of TRANSFER_DESTINATIONS can be asked for"));
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
            "{which} format {format} is converted on every call: {BEST_FORMAT} is what a telephone has"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)] // A failed test is a failed test.

    use precall_providers::elevenlabs::AgentOverrides;

    use super::*;

    fn agent() -> AgentDetail {
        let events =
            ["audio", "interruption", "user_transcript", "agent_response", "ping", "client_tool_call"];
        AgentDetail {
            agent_id: "agent".to_owned(),
            name: None,
            overrides: AgentOverrides { voice: true, from_webhook: true, ..AgentOverrides::default() },
            voice: None,
            output_format: Some("pcm_8000".to_owned()),
            input_format: Some("pcm_8000".to_owned()),
            max_duration: None,
            concurrency: None,
            client_events: Some(events.map(str::to_owned).to_vec()),
        }
    }

    fn bad(needs: Needs, agent: &AgentDetail) -> Vec<String> {
        let is_bad = |finding| match finding {
            Finding::Good(_) => None,
            Finding::Note(text) | Finding::Wrong(text) => Some(text),
        };
        needs.look_at(agent).into_iter().filter_map(is_bad).collect()
    }

    const BRIDGE: Needs = Needs { route: Route::Bridge, first_message: false, persons: true };

    #[test]
    fn an_agent_that_is_set_up_right_is_found_good() {
        assert_eq!(bad(BRIDGE, &agent()), Vec::<String>::new());
        assert_eq!(bad(Needs { route: Route::Transfer, ..BRIDGE }, &agent()), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_missing_is_named_with_what_to_change() {
        let overrides = AgentOverrides::default();
        let said = bad(Needs { first_message: true, ..BRIDGE }, &AgentDetail { overrides, ..agent() });
        assert!(said[0].starts_with("override tts.voice_id is off: switch it on"), "{said:?}");
        assert!(said[1].starts_with("override agent.first_message is off"), "{said:?}");
        let defaults = AgentDetail { client_events: None, ..agent() };
        let said = bad(BRIDGE, &defaults);
        assert!(said.len() == 1 && said[0].contains("client_tool_call"), "{said:?}");
        assert_eq!(bad(Needs { persons: false, ..BRIDGE }, &defaults), Vec::<String>::new());
        let deaf = AgentDetail { client_events: Some(Vec::new()), ..agent() };
        assert_eq!(bad(BRIDGE, &deaf).len(), 5);
    }

    #[test]
    fn formats_are_best_left_as_a_telephone_has_them() {
        let formats =
            |output: Option<&str>| AgentDetail { output_format: output.map(str::to_owned), ..agent() };
        assert!(bad(BRIDGE, &formats(None))[0].contains("pcm_16000 is converted"));
        assert!(bad(BRIDGE, &formats(Some("mp3_44100")))[0].contains("cannot be converted"));
    }

    #[test]
    fn a_callback_needs_neither_formats_nor_events() {
        let needs = Needs { route: Route::Callback, first_message: true, persons: false };
        let deaf = AgentDetail { client_events: Some(Vec::new()), output_format: None, ..agent() };
        assert_eq!(bad(needs, &deaf).len(), 1, "the first message alone");
    }
}
