//! The agent on the player's leg: the player reports its events, numbers the utterances and answers its tool calls.

use std::collections::VecDeque;
use std::sync::Arc;

use precall_audio::bridge::agent_event::AgentEvent;
use precall_audio::bridge::agent_order::AgentOrder;
use precall_audio::bridge::turn_taking::FirstSpeaker;
use precall_audio::leg_events::{LegAudioEvent, SilentStream};
use precall_call::{AgentLoss, At, Event, HandoffFailure, Person, Speaker};
use precall_providers::elevenlabs::{ToolOutcome, contextual_update_text, tool_result_text};
use precall_providers::wire_record::WireLine;
use serde_json::{Map, Value};
use slog::{info, warn};

use super::LegPlayer;
use crate::call::messages::CallEvent;
use crate::call::projection::Payload;
use crate::call::transcript_tail::{Continuation, TranscriptTail};

/// The only tool that an agent may use. The agent's prompt lists the names of the persons.
const TRANSFER_TOOL: &str = "transfer_to_person";
/// The tool's parameter: the name of a person.
const TRANSFER_NAME: &str = "name";
/// Utterances that are recorded of one call. Later ones are heard by the caller and not recorded.
const UTTERANCES_MAX: u32 = 2_000;
/// Answers of the agent that a later correction can still refer to.
const ANSWERS_MAX: usize = 16;

/// What the player remembers of its agents.
pub(crate) struct AgentOnLeg {
    utterances: u32,
    persons_asked: u8,
    /// The call has released all attempts up to this one.
    released_up_to: u8,
    /// The latest answers: the provider's number and the utterance's number.
    answers: VecDeque<(i64, u32)>,
    /// The latest utterances, for an agent that replaces another one.
    transcript_tail: TranscriptTail,
    /// Id of the tool call that is still without an answer.
    tool: Option<String>,
}

impl AgentOnLeg {
    pub(crate) fn new(utterances: u32, persons_asked: u8) -> Self {
        Self {
            utterances,
            persons_asked,
            released_up_to: 0,
            answers: VecDeque::new(),
            transcript_tail: TranscriptTail::default(),
            tool: None,
        }
    }

    /// Whether this attempt was not released while its order was on the way.
    pub(crate) fn is_wanted(&self, attempt: u8) -> bool {
        attempt > self.released_up_to
    }

    pub(crate) fn release(&mut self, attempt: u8) {
        self.released_up_to = self.released_up_to.max(attempt);
        self.tool = None;
        self.answers.clear();
    }

    /// The message to an agent after a failed transfer: its tool's result, or a contextual update if the caller had
    /// pressed the key.
    pub(crate) fn transfer_failed_text(&mut self, why: HandoffFailure) -> String {
        let why = match why {
            HandoffFailure::Busy => "the line is busy",
            HandoffFailure::NoAnswer => "nobody answered",
            HandoffFailure::Refused => "there is nobody of that name to be reached",
            HandoffFailure::Unknown
            | HandoffFailure::CallOver
            | HandoffFailure::OverrideRefused
            | HandoffFailure::VoiceRefused => "the transfer did not succeed",
        };
        match self.tool.take() {
            Some(id) => {
                let result = format!("The caller could not be transferred: {why}. They are with you again.");
                tool_result_text(&id, &result, ToolOutcome::Failed)
            }
            None => contextual_update_text(&format!(
                "The caller asked for a person by a key of their telephone and was not transferred: {why}. \
                 They are with you again."
            )),
        }
    }

    /// The order with what was said before. An agent that has to answer the caller's last words speaks first.
    pub(crate) fn continued(&mut self, order: AgentOrder, earlier: &TranscriptTail) -> AgentOrder {
        self.transcript_tail.begin_with(earlier);
        let Some(Continuation { context, unanswered }) = self.transcript_tail.continuation() else {
            return order;
        };
        let first_speaker = if unanswered.is_some() { FirstSpeaker::Agent } else { order.first_speaker };
        AgentOrder { context: Some(context), unanswered, first_speaker, ..order }
    }

    /// Records an utterance and returns its number. `None` beyond `UTTERANCES_MAX`.
    fn record(&mut self, by: Speaker, text: &str, answer: Option<i64>, corrects: Option<u32>) -> Option<u32> {
        if self.utterances >= UTTERANCES_MAX {
            return None;
        }
        self.utterances = self.utterances.saturating_add(1);
        if let Some(answer) = answer {
            self.answers.push_back((answer, self.utterances));
            if self.answers.len() > ANSWERS_MAX {
                self.answers.pop_front();
            }
        }
        self.transcript_tail.push(self.utterances, by, text, corrects);
        Some(self.utterances)
    }

    fn utterance_of(&self, answer: Option<i64>) -> Option<u32> {
        let answer = answer?;
        self.answers.iter().rev().find(|(known, _)| *known == answer).map(|(_, utterance)| *utterance)
    }
}

impl LegPlayer {
    /// What happens to the leg's streams and at the agent's socket, without audio and words.
    pub(crate) fn note_on_the_wire(&self, what: &LegAudioEvent) {
        let (peer, what, detail) = match what {
            LegAudioEvent::FirstFrame => ("3cx", "POST /stream: first audio sent", None),
            LegAudioEvent::Cut => ("3cx", "POST /stream: cut", None),
            LegAudioEvent::Reopened { .. } => ("3cx", "POST /stream: open again", None),
            LegAudioEvent::StreamsEnded => ("3cx", "GET /stream: ended", None),
            LegAudioEvent::Silent(SilentStream::FromCaller) => ("3cx", "GET /stream: silent", None),
            LegAudioEvent::Silent(SilentStream::ToCaller) => ("3cx", "POST /stream: takes nothing", None),
            LegAudioEvent::CallerHeardAgain => ("3cx", "GET /stream: audio again", None),
            LegAudioEvent::Failed(why) => ("3cx", "streams failed", Some(why.to_string())),
            LegAudioEvent::Closed(_) => ("3cx", "streams closed", None),
            LegAudioEvent::FirstSound | LegAudioEvent::Heard(_) => return,
            LegAudioEvent::Agent { what, .. } => match what {
                AgentEvent::Ready(_) => ("agent", "conversation_initiation_metadata", None),
                AgentEvent::Failed { detail, .. } => ("agent", "not connected", Some(detail.clone())),
                AgentEvent::Spoke => ("agent", "audio: the first of the agent", None),
                AgentEvent::Ended => ("agent", "closed normally", None),
                AgentEvent::Lost { detail, .. } => ("agent", "lost", Some(detail.clone())),
                AgentEvent::Heard(_) => ("agent", "user_transcript", None),
                AgentEvent::Said { .. } => ("agent", "agent_response", None),
                AgentEvent::Corrected { .. } => ("agent", "agent_response_correction", None),
                AgentEvent::ToolCalled { .. } => ("agent", "client_tool_call", None),
                AgentEvent::Answered { provider, ours } => {
                    let (provider, ours) = (provider.as_millis(), ours.as_millis());
                    let detail =
                        format!("{provider} ms until its audio came, {ours} ms more until it was played");
                    ("agent", "answered the caller", Some(detail))
                }
                AgentEvent::BargedIn { stopped_after } => {
                    let detail = format!("its audio stopped {} ms later", stopped_after.as_millis());
                    ("agent", "interrupted by the caller", Some(detail))
                }
            },
        };
        self.services.wire.take(self.context.id, WireLine::noted(peer, what, detail.as_deref()));
    }

    /// Reports an agent's event to the call.
    pub(crate) fn agent_event(&mut self, attempt: u8, at: At, event: AgentEvent) {
        match event {
            AgentEvent::Ready(conversation) => {
                self.report(at, Event::HandoffSucceeded { attempt, conversation: Some(conversation) });
            }
            AgentEvent::Failed { why, detail } => {
                warn!(self.services.log, "the agent could not be connected"; "call" => %self.context.id,
                    "caller" => %self.context.caller, "attempt" => attempt, "why" => why.name(),
                    "error" => &detail);
                self.services.outcomes.handoff_reason(self.context.id, &detail);
                if why == HandoffFailure::OverrideRefused {
                    self.services.agent_settings.refused(&self.context.line.agent_id, &detail);
                }
                self.explain(at, Event::HandoffFailed { attempt, why }, detail);
            }
            AgentEvent::Spoke => self.report(at, Event::AgentSpoke { attempt }),
            AgentEvent::Ended => self.report(at, Event::AgentEnded { attempt }),
            AgentEvent::Lost { why, detail } => {
                warn!(self.services.log, "lost the agent session"; "call" => %self.context.id,
                    "caller" => %self.context.caller, "attempt" => attempt, "why" => why.name(),
                    "error" => &detail);
                self.services.outcomes.handoff_reason(self.context.id, &detail);
                if why == AgentLoss::OverrideRefused {
                    self.services.agent_settings.refused(&self.context.line.agent_id, &detail);
                }
                self.explain(at, Event::AgentLost { attempt, why }, detail);
            }
            AgentEvent::Answered { .. } | AgentEvent::BargedIn { .. } if self.context.canary => {}
            AgentEvent::Answered { provider, ours } => self.services.metrics.turns.turn(provider, ours),
            AgentEvent::BargedIn { stopped_after } => self.services.metrics.turns.stopped(stopped_after),
            AgentEvent::Heard(text) => self.utterance(at, Speaker::Caller, text, None, None),
            AgentEvent::Said { text, event } => self.utterance(at, Speaker::Agent, text, event, None),
            AgentEvent::Corrected { text, event } => {
                let corrects = self.agent.utterance_of(event);
                self.utterance(at, Speaker::Agent, text, event, corrects);
            }
            AgentEvent::ToolCalled { id, name, parameters } => {
                self.tool_called(attempt, at, id, &name, &parameters)
            }
        }
    }

    fn explain(&self, at: At, event: Event, detail: String) {
        self.call.events.do_send(CallEvent { at, ..CallEvent::explained(event, detail) });
    }

    fn utterance(&mut self, at: At, by: Speaker, text: String, answer: Option<i64>, corrects: Option<u32>) {
        if text.is_empty() && corrects.is_none() {
            return;
        }
        let Some(number) = self.agent.record(by, &text, answer, corrects) else { return };
        let event = Event::Utterance { number, by, corrects };
        self.call.events.do_send(CallEvent { at, payload: Payload::Words(text), ..CallEvent::part(event) });
    }

    /// The agent gives a person's name, never a telephone number. For an unknown name the answer lists the known names.
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
        self.report(at, Event::PersonAsked { number: self.agent.persons_asked, person });
    }
}

#[cfg(test)]
mod tests;
