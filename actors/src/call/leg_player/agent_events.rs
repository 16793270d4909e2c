//! The agent on the player's leg: its news become the call's events, its words are numbered, its tools answered.

use std::collections::VecDeque;
use std::sync::Arc;

use precall_audio::bridge::agent_event::AgentEvent;
use precall_call::{At, Event, HandoffFailure, Person, Speaker};
use precall_providers::elevenlabs::{ToolOutcome, contextual_update_text, tool_result_text};
use serde_json::{Map, Value};
use slog::{info, warn};

use super::GreetingPlayer;
use crate::call::messages::Happened;
use crate::call::projection::Extra;
use crate::call::transcript_tail::LastWords;

/// The one tool that an agent may use: its prompt says by which names.
const TRANSFER_TOOL: &str = "transfer_to_person";
/// And the parameter that holds one.
const TRANSFER_NAME: &str = "name";
/// Lines that are kept of one call; whoever talks on is heard, and not written down.
const LINES_MAX: u32 = 2_000;
/// Answers whose line is still known when a correction comes.
const ANSWERS: usize = 16;

/// What the player remembers of its agents.
pub(crate) struct AgentOnLeg {
    lines: u32,
    persons_asked: u8,
    /// Attempts up to this one are not wanted any more.
    let_go: u8,
    /// The lines of the latest answers, by the provider's number.
    answers: VecDeque<(i64, u32)>,
    /// What was said last, for an agent that comes in another one's stead.
    last_words: LastWords,
    /// The use of the tool that is under way.
    tool: Option<String>,
}

impl AgentOnLeg {
    pub(crate) fn new(lines: u32, persons_asked: u8) -> Self {
        Self {
            lines,
            persons_asked,
            let_go: 0,
            answers: VecDeque::new(),
            last_words: LastWords::default(),
            tool: None,
        }
    }

    /// Whether nobody gave this attempt up while its order was on the way.
    pub(crate) fn is_wanted(&self, attempt: u8) -> bool {
        attempt > self.let_go
    }

    pub(crate) fn let_go(&mut self, attempt: u8) {
        self.let_go = self.let_go.max(attempt);
        self.tool = None;
        self.answers.clear();
    }

    /// What the agent is told when it goes on: by its tool's result, or beside the conversation when a key had asked.
    pub(crate) fn nobody_came(&mut self, why: HandoffFailure) -> String {
        let why = match why {
            HandoffFailure::Busy => "the line is busy",
            HandoffFailure::NoAnswer => "nobody answered",
            HandoffFailure::Refused => "there is nobody of that name to be reached",
            HandoffFailure::Unknown | HandoffFailure::CallOver => "the transfer did not succeed",
        };
        match self.tool.take() {
            Some(id) => {
                let result = format!("The caller could not be transferred: {why}. They are with you again.");
                tool_result_text(&id, &result, ToolOutcome::Failed)
            }
            None => contextual_update_text(&format!(
                "The caller asked for a person by a key of their telephone and was not transferred: {why}. They are with you again."
            )),
        }
    }

    /// What a new session is told; none if nothing was said on this leg.
    pub(crate) fn said_before(&self) -> Option<String> {
        self.last_words.told()
    }

    /// The line's number; none beyond the most that are kept.
    fn note(&mut self, by: Speaker, text: &str, answer: Option<i64>, corrects: Option<u32>) -> Option<u32> {
        if self.lines >= LINES_MAX {
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        if let Some(answer) = answer {
            self.answers.push_back((answer, self.lines));
            if self.answers.len() > ANSWERS {
                self.answers.pop_front();
            }
        }
        self.last_words.say(self.lines, by, text, corrects);
        Some(self.lines)
    }

    fn line_of(&self, answer: Option<i64>) -> Option<u32> {
        let answer = answer?;
        self.answers.iter().rev().find(|(known, _)| *known == answer).map(|(_, line)| *line)
    }
}

impl GreetingPlayer {
    /// Tells the call what became of its agent.
    pub(crate) fn agent_news(&mut self, attempt: u8, at: At, news: AgentEvent) {
        match news {
            AgentEvent::Ready(conversation) => {
                self.tell(at, Event::HandoffSucceeded { attempt, conversation: Some(conversation) });
            }
            AgentEvent::Failed { why, detail } => {
                warn!(self.services.log, "the agent was not brought in"; "call" => %self.context.id,
                    "attempt" => attempt, "why" => why.name(), "error" => detail);
                self.tell(at, Event::HandoffFailed { attempt, why });
            }
            AgentEvent::Ended => self.tell(at, Event::AgentEnded { attempt }),
            AgentEvent::Lost { why, detail } => {
                warn!(self.services.log, "the agent was lost"; "call" => %self.context.id,
                    "attempt" => attempt, "why" => why.name(), "error" => detail);
                self.tell(at, Event::AgentLost { attempt, why });
            }
            AgentEvent::Heard(text) => self.line(at, Speaker::Caller, text, None, None),
            AgentEvent::Said { text, event } => self.line(at, Speaker::Agent, text, event, None),
            AgentEvent::Corrected { text, event } => {
                let corrects = self.agent.line_of(event);
                self.line(at, Speaker::Agent, text, event, corrects);
            }
            AgentEvent::ToolCalled { id, name, parameters } => {
                self.tool_called(attempt, at, id, &name, &parameters)
            }
        }
    }

    fn line(&mut self, at: At, by: Speaker, text: String, answer: Option<i64>, corrects: Option<u32>) {
        if text.is_empty() && corrects.is_none() {
            return;
        }
        let Some(number) = self.agent.note(by, &text, answer, corrects) else { return };
        let event = Event::LineSpoken { number, by, corrects };
        self.call.happened.do_send(Happened { at, extra: Extra::Words(text), ..Happened::part(event) });
    }

    /// Neither the model nor the caller names a number: a name of the configuration, or an answer that lists them.
    fn tool_called(&mut self, attempt: u8, at: At, id: String, name: &str, parameters: &Map<String, Value>) {
        let policy_names = &self.context.line.rules.persons;
        let wanted = parameters.get(TRANSFER_NAME).and_then(Value::as_str).unwrap_or_default();
        let known = policy_names.iter().find(|(known, _)| known.eq_ignore_ascii_case(wanted));
        let refusal = match (name, known, &self.agent.tool) {
            (TRANSFER_TOOL, Some(_), None) => None,
            (TRANSFER_TOOL, Some(_), Some(_)) => Some("somebody is being called already".to_owned()),
            (TRANSFER_TOOL, None, _) => {
                let names: Vec<&str> = policy_names.iter().map(|(name, _)| name.as_str()).collect();
                Some(format!("nobody of that name can be reached; there are: {}", names.join(", ")))
            }
            _ => Some("there is no such tool here".to_owned()),
        };
        if let Some(refusal) = refusal {
            info!(self.services.log, "a tool of the agent was refused"; "call" => %self.context.id);
            if let Some(audio) = &self.audio {
                audio.send_to_agent(attempt, tool_result_text(&id, &refusal, ToolOutcome::Failed));
            }
            return;
        }
        let Some((name, _)) = known else { return };
        let person = Person::Named(Arc::from(name.as_str()));
        self.agent.tool = Some(id);
        self.agent.persons_asked = self.agent.persons_asked.saturating_add(1);
        self.tell(at, Event::PersonAsked { number: self.agent.persons_asked, person });
    }
}

#[cfg(test)]
mod tests;
