//! The story of a call, from its row and its events: what happened, whose fault it was, what the caller heard, and what
//! to do. Pure.

pub(crate) mod causes;
mod replay;
mod sentences;

use std::fmt;

use jiff::Timestamp;
use precall_call::{Blame, Cause, Event, Grade, GreetingEnd, NoVoice, Purpose, Rung, Told};
use serde::Deserialize;

use self::causes::{advice, blame, cause, no_voice, told, voice_advice};
pub(crate) use self::replay::{Happened, Moment, replay};
use crate::span::short;

/// What the API says of a call, as far as the story needs it.
#[derive(Debug, Deserialize)]
pub(crate) struct Called {
    /// precall's id.
    pub(crate) id: String,
    /// The PBX's id.
    pub(crate) threecx_call_id: Option<String>,
    /// The caller; none if the number is withheld.
    pub(crate) caller_id: Option<String>,
    /// The called number.
    pub(crate) called_number: Option<String>,
    /// The line's name.
    pub(crate) line: String,
    /// How greeting and agent reach the caller.
    pub(crate) route: Option<String>,
    /// The state's name.
    pub(crate) state: String,
    /// Why it ended.
    pub(crate) cause: Option<String>,
    /// Who caused the end.
    pub(crate) blame: Option<String>,
    /// What the caller heard at the end.
    pub(crate) told: Option<String>,
    /// Why there is no cloned voice.
    pub(crate) voice_missing: Option<String>,
    /// Start of the call.
    pub(crate) started_at: Timestamp,
    /// End of the call.
    pub(crate) ended_at: Option<Timestamp>,
    /// What went wrong.
    #[serde(default)]
    pub(crate) failures: Vec<Failure>,
}

/// Something that failed, in the words of who refused it.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    /// When.
    pub(crate) at: Timestamp,
    /// Kind of the event.
    pub(crate) kind: String,
    /// The words.
    pub(crate) detail: Option<String>,
}

/// The story of a call. Its text is what `precall why` prints.
#[derive(Debug)]
pub(crate) struct Story {
    /// Who called whom.
    pub(crate) who: String,
    /// When, and for how long.
    pub(crate) when: String,
    /// What happened, in order.
    pub(crate) happened: Vec<Line>,
    /// Why it ended; none of a live call.
    pub(crate) why: Option<String>,
    /// Whose fault it was.
    pub(crate) whose: Option<String>,
    /// What the caller heard.
    pub(crate) caller: String,
    /// Why the voice is not the caller's own.
    pub(crate) voice: Option<String>,
    /// Words of others about failures that `happened` does not have.
    pub(crate) others: Vec<Line>,
    /// What to do about it; empty if there is nothing to do.
    pub(crate) to_do: Vec<&'static str>,
}

/// A line of the story, and how long after the beginning it was.
#[derive(Debug)]
pub(crate) struct Line {
    /// Such as `+4.2 s`.
    pub(crate) after: String,
    /// The words.
    pub(crate) words: String,
}

/// The story of a call and its replayed log.
pub(crate) fn story(call: &Called, moments: &[Moment]) -> Story {
    let line = |moment: &Moment| {
        let mut words = moment.sentence.clone()?;
        if let Some(detail) = &moment.detail {
            words.push_str(&format!(". In the words of who said it: \"{detail}\""));
        }
        Some(Line { after: after(call.started_at, Timestamp::from_microsecond(moment.at.0).ok()?), words })
    };
    let why = call.cause.as_deref().and_then(Cause::from_name);
    let whose = call.blame.as_deref().and_then(Blame::from_name);
    let missing = call.voice_missing.as_deref().and_then(NoVoice::from_name);
    let mut to_do: Vec<&str> = why.and_then(|why| advice(why, whose)).into_iter().collect();
    to_do.extend(missing.and_then(voice_advice));
    let all_well = whose.is_none() && call.voice_missing.is_none() && call.failures.is_empty();
    let well = if all_well { ": nothing went wrong" } else { "" };
    Story {
        who: who(call),
        when: when(call),
        happened: moments.iter().filter_map(line).collect(),
        why: why_it_ended(call, why, whose),
        whose: why.map(|_| format!("{}{well}", blame(whose))),
        caller: heard(call, moments),
        voice: missing.map(|why| format!("not the caller's own, because {}", no_voice(why))),
        others: others(call, moments),
        to_do,
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n\nWhat happened", self.who, self.when)?;
        for Line { after, words } in &self.happened {
            writeln!(f, "{after:>9}  {words}")?;
        }
        writeln!(f, "\nIn short")?;
        match &self.why {
            Some(why) => writeln!(f, "  Why it ended:  {why}")?,
            None => writeln!(f, "  It has not ended.")?,
        }
        for (name, words) in [
            ("Whose fault: ", self.whose.as_ref()),
            ("The caller:  ", Some(&self.caller)),
            ("The voice:   ", self.voice.as_ref()),
        ] {
            if let Some(words) = words {
                writeln!(f, "  {name}  {words}")?;
            }
        }
        if !self.others.is_empty() {
            writeln!(f, "\nWhat others said")?;
            for Line { after, words } in &self.others {
                writeln!(f, "{after:>9}  {words}")?;
            }
        }
        writeln!(f, "\nWhat to do")?;
        let nothing = self.to_do.is_empty().then_some("Nothing.");
        for advice in self.to_do.iter().copied().chain(nothing) {
            writeln!(f, "  {advice}")?;
        }
        Ok(())
    }
}

fn who(call: &Called) -> String {
    let number = |number: &Option<String>| number.clone().unwrap_or_else(|| "a withheld number".to_owned());
    let mut said = format!("Call {} from {}", call.id, number(&call.caller_id));
    if let Some(called) = &call.called_number {
        said.push_str(&format!(" to {called}"));
    }
    said.push_str(&format!(", line {}", call.line));
    if let Some(route) = &call.route {
        said.push_str(&format!(", route {route}"));
    }
    if let Some(id) = &call.threecx_call_id {
        said.push_str(&format!(", 3CX id {id}"));
    }
    said
}

fn when(call: &Called) -> String {
    let began = format!("It came in at {:.0}", call.started_at);
    match call.ended_at {
        Some(ended) => {
            format!("{began} and was over after {}.", short(ended.duration_since(call.started_at)))
        }
        None => format!("{began} and is live: {}.", call.state),
    }
}

fn why_it_ended(call: &Called, why: Option<Cause>, whose: Option<Blame>) -> Option<String> {
    let Some(why) = why else { return call.cause.clone() };
    let went_on = why == Cause::Completed && call.told.as_deref() == Some(Told::Person.name());
    let and = if went_on { ", and a person took the call" } else { "" };
    Some(format!("{}{and}", cause(why, whose)))
}

/// Words that stand in the story already are not told twice.
fn others(call: &Called, moments: &[Moment]) -> Vec<Line> {
    let is_told = |failure: &&Failure| moments.iter().any(|moment| moment.detail == failure.detail);
    let words = call.failures.iter().filter(|failure| failure.detail.is_some() && !is_told(failure));
    let line = |failure: &Failure| Line {
        after: after(call.started_at, failure.at),
        words: format!(
            "{}: {}",
            failure.kind.replace('_', " "),
            failure.detail.as_deref().unwrap_or_default()
        ),
    };
    words.map(line).collect()
}

/// What the caller heard, in order, as one sentence.
fn heard(call: &Called, moments: &[Moment]) -> String {
    let has =
        |is: &dyn Fn(&Event) -> bool| moments.iter().any(|moment| moment.event.as_ref().is_some_and(is));
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
pub(crate) mod tests;
