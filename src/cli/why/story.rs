//! The story of a call, from its row and its events: what happened, whose fault it was, what the caller heard, and what
//! to do. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use precall_call::{
    At, Blame, Call, Cause, Event, Grade, GreetingEnd, NoVoice, Purpose, Rung, Told, open, step,
};
use precall_store::events::event_json;
use serde::Deserialize;
use serde_json::Value;

use super::sentences::{Scene, sentence};
use crate::causes::{advice, blame, cause, no_voice, told, voice_advice};
use crate::cli::span::short;

/// What the API says of a call, as far as the story needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Called {
    id: String,
    threecx_call_id: Option<String>,
    caller_id: Option<String>,
    called_number: Option<String>,
    line: String,
    route: Option<String>,
    state: String,
    cause: Option<String>,
    blame: Option<String>,
    told: Option<String>,
    voice_missing: Option<String>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    #[serde(default)]
    failures: Vec<Failure>,
}

/// Something that failed, in the words of who refused it.
#[derive(Debug, Deserialize)]
struct Failure {
    at: Timestamp,
    kind: String,
    detail: Option<String>,
}

/// An event of the call.
#[derive(Debug, Deserialize)]
pub(super) struct Happened {
    at: Timestamp,
    event: Value,
    detail: Option<String>,
}

/// The story, as lines of text.
pub(super) fn story(call: &Called, events: &[Happened]) -> String {
    let read: Vec<(Option<Event>, &Happened)> =
        events.iter().map(|happened| (event_json::decode(&happened.event).ok(), happened)).collect();
    let mut said = head(call);
    said.push_str("\nWhat happened\n");
    let mut state = None;
    let mut rungs = BTreeMap::new();
    for (event, happened) in &read {
        let words = match event {
            Some(event) => {
                let at = At(happened.at.as_microsecond());
                let after = after_event(state.as_ref(), event, at);
                if let Event::HandoffStarted { attempt, rung } = event {
                    rungs.insert(*attempt, *rung);
                }
                let rung = match event {
                    Event::HandoffSucceeded { attempt, .. } => rungs.get(attempt).copied(),
                    _ => None,
                };
                let words =
                    sentence(event, Scene { at, before: state.as_ref(), after: after.as_ref(), rung });
                state = after;
                words
            }
            // Of a newer precall.
            None => {
                state = None;
                happened.event.get("kind").and_then(Value::as_str).map(|kind| format!("Event \"{kind}\""))
            }
        };
        let Some(mut words) = words else { continue };
        if let Some(detail) = &happened.detail {
            let _ = write!(words, ". In the words of who said it: \"{detail}\"");
        }
        let _ = writeln!(said, "{:>9}  {words}", after(call.started_at, happened.at));
    }
    said.push_str(&ending(call, &read));
    said
}

/// The call after an event, as the machine of calls has it; none if its log is not known from the beginning.
fn after_event(before: Option<&Call>, event: &Event, at: At) -> Option<Call> {
    match (before, event) {
        (None, Event::Offered(offer)) => Some(open(offer, at).next),
        (Some(call), event) => Some(step(call, event, at).next),
        (None, _) => None,
    }
}

fn head(call: &Called) -> String {
    let number = |number: &Option<String>| number.clone().unwrap_or_else(|| "a withheld number".to_owned());
    let mut said = format!("Call {} from {}", call.id, number(&call.caller_id));
    if let Some(called) = &call.called_number {
        let _ = write!(said, " to {called}");
    }
    let _ = write!(said, ", line {}", call.line);
    if let Some(route) = &call.route {
        let _ = write!(said, ", route {route}");
    }
    if let Some(id) = &call.threecx_call_id {
        let _ = write!(said, ", 3CX id {id}");
    }
    let _ = write!(said, "\nIt came in at {:.0}", call.started_at);
    match call.ended_at {
        Some(ended) => {
            let _ = writeln!(said, " and was over after {}.", short(ended.duration_since(call.started_at)));
        }
        None => {
            let _ = writeln!(said, " and is live: {}.", call.state);
        }
    }
    said
}

fn ending(call: &Called, events: &[(Option<Event>, &Happened)]) -> String {
    let mut said = String::from("\nIn short\n");
    let why = call.cause.as_deref().and_then(Cause::from_name);
    let whose = call.blame.as_deref().and_then(Blame::from_name);
    match (&call.cause, why) {
        (_, Some(why)) => {
            let went_on = why == Cause::Completed && call.told.as_deref() == Some(Told::Person.name());
            let and = if went_on { ", and a person took the call" } else { "" };
            let _ = writeln!(said, "  Why it ended:  {}{and}", cause(why, whose));
            let all_well = whose.is_none() && call.voice_missing.is_none() && call.failures.is_empty();
            let well = if all_well { ": nothing went wrong" } else { "" };
            let _ = writeln!(said, "  Whose fault:   {}{well}", blame(whose));
        }
        (Some(name), None) => {
            let _ = writeln!(said, "  Why it ended:  {name}");
        }
        (None, None) => said.push_str("  It has not ended.\n"),
    }
    let _ = writeln!(said, "  The caller:    {}", heard(call, events));
    let missing = call.voice_missing.as_deref().and_then(NoVoice::from_name);
    if let Some(missing) = missing {
        let _ = writeln!(said, "  The voice:     not the caller's own, because {}", no_voice(missing));
    }
    // Words that stand in the story already are not told twice.
    let is_told = |failure: &&Failure| events.iter().any(|(_, happened)| happened.detail == failure.detail);
    let words = call.failures.iter().filter(|failure| failure.detail.is_some() && !is_told(failure));
    let words: Vec<&Failure> = words.collect();
    if !words.is_empty() {
        said.push_str("\nWhat others said\n");
        for failure in words {
            let detail = failure.detail.as_deref().unwrap_or_default();
            let what = failure.kind.replace('_', " ");
            let _ = writeln!(said, "{:>9}  {what}: {detail}", after(call.started_at, failure.at));
        }
    }
    said.push_str("\nWhat to do\n");
    let mut advised: Vec<&str> = why.and_then(|why| advice(why, whose)).into_iter().collect();
    advised.extend(missing.and_then(voice_advice));
    if advised.is_empty() {
        advised.push("Nothing.");
    }
    for advice in advised {
        let _ = writeln!(said, "  {advice}");
    }
    said
}

/// What the caller heard, in order, as one sentence.
fn heard(call: &Called, events: &[(Option<Event>, &Happened)]) -> String {
    let has = |is: &dyn Fn(&Event) -> bool| events.iter().any(|(event, _)| event.as_ref().is_some_and(is));
    let mut parts: Vec<&str> = Vec::new();
    let greeted = has(&|event| {
        matches!(event, Event::GreetingEnded { end: GreetingEnd::Played | GreetingEnd::Skipped })
            || matches!(event, Event::SoundStarted)
            || matches!(event, Event::Reported(report) if report.grade == Grade::Completed
                && report.purpose == Some(Purpose::Greeting))
    });
    if greeted {
        parts.push("heard the greeting");
    }
    let spoke = has(&|event| matches!(event, Event::AgentSpoke { .. }));
    let called_back = has(&|event| {
        matches!(event, Event::Reported(report) if report.grade == Grade::Completed
            && report.purpose != Some(Purpose::Greeting))
    });
    if spoke || called_back {
        parts.push("talked with the agent");
    }
    if has(&|event| matches!(event, Event::AgentLost { .. })) {
        parts.push("heard music when the agent was lost");
    }
    if has(&|event| matches!(event, Event::HandoffStarted { rung: Rung::Apology, .. })) && parts.is_empty() {
        parts.push("heard no greeting");
    }
    let end = call.told.as_deref().and_then(Told::from_name).map(told);
    match (parts.as_slice(), end) {
        ([], Some(end)) => format!("heard nothing of precall, {end}"),
        ([], None) => "has heard nothing of precall so far".to_owned(),
        (parts, Some(end)) => format!("{}, {end}", parts.join(", ")),
        (parts, None) => parts.join(", "),
    }
}

/// The time since the call came in.
fn after(from: Timestamp, to: Timestamp) -> String {
    format!("+{}", short(to.duration_since(from)))
}

#[cfg(test)]
mod tests;
