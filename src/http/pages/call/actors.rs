//! The actors of a call as a tree: when each began and ended, and why. Pure: from the replayed log; which actors run
//! now is known by the engine alone.

use maud::{Markup, html};
use precall_actors::api::ActorMailbox;
use precall_call::{At, CallPart, Effect, Event, Purpose};

use super::mailboxes;
use super::moment::offset;
use super::strips::Job;
use crate::http::pages::parts;
use crate::story::Moment;

/// An actor of the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Actor {
    /// What it is.
    pub(super) name: String,
    /// How deep it stands in the tree; the call is 0.
    pub(super) depth: u8,
    /// When it was started.
    pub(super) from: At,
    /// When it ended; none while it runs.
    pub(super) to: Option<At>,
    /// How it ended, or what became of it.
    pub(super) end: String,
    /// Restarts in place, after a fault.
    pub(super) restarts: u32,
}

/// Actors in the making.
struct Tree {
    actors: Vec<Actor>,
}

impl Tree {
    fn start(&mut self, name: &str, depth: u8, at: At) {
        let (name, end) = (name.to_owned(), String::new());
        self.actors.push(Actor { name, depth, from: at, to: None, end, restarts: 0 });
    }

    fn running(&mut self, name: &str) -> Option<&mut Actor> {
        self.actors.iter_mut().rev().find(|actor| actor.name == name && actor.to.is_none())
    }

    fn end(&mut self, name: &str, at: At, end: impl Into<String>) {
        if let Some(actor) = self.running(name) {
            actor.to = Some(at);
            actor.end = end.into();
        }
    }
}

/// The actors that the log tells of, each below the one that started it.
pub(super) fn tree(moments: &[Moment], jobs: &[Job]) -> Vec<Actor> {
    let mut tree = Tree { actors: Vec::new() };
    let mut last = None;
    for moment in moments {
        let (Some(event), Some(after)) = (&moment.event, &moment.after) else { continue };
        let was_over = last.is_some_and(precall_call::Call::is_released);
        ended(&mut tree, event, moment.at);
        started(&mut tree, moment, after.policy.on_live_leg());
        if let (Some(release), false) = (after.release(), was_over) {
            let why = format!("ended: {}", parts::words(release.cause.name()));
            for actor in tree.actors.iter_mut().filter(|actor| actor.to.is_none()) {
                actor.to = Some(moment.at);
                let end = if actor.depth == 0 { why.as_str() } else { "ended with the call" };
                actor.end = end.to_owned();
            }
        }
        last = Some(after);
    }
    in_order(tree.actors, moments, jobs)
}

/// What an event says about the end of actors.
fn ended(tree: &mut Tree, event: &Event, at: At) {
    match event {
        Event::Offered(_) => tree.start("call", 0, at),
        Event::GreetingEnded { end } => tree.end("greeting", at, parts::words(end.name())),
        Event::VoiceReady { .. } => tree.end("clone worker", at, "voice ready"),
        Event::VoiceMissing { why, .. } => {
            tree.end("clone worker", at, format!("no voice: {}", parts::words(why.name())));
        }
        Event::HandoffSucceeded { attempt, .. } => tree.end(&handoff(*attempt), at, "reached"),
        Event::HandoffFailed { attempt, why } => {
            tree.end(&handoff(*attempt), at, format!("failed: {}", parts::words(why.name())));
        }
        Event::AgentEnded { .. } => tree.end("relay", at, "the agent hung up"),
        Event::AgentLost { why, .. } => {
            tree.end("relay", at, format!("agent lost: {}", parts::words(why.name())));
        }
        Event::AudioEnded(_) => tree.end("player", at, "stream closed"),
        Event::Reported(report) if report.purpose == Some(Purpose::Greeting) => {
            tree.end("greeting", at, "reported");
        }
        Event::Panicked { part, .. } => panicked(tree, *part, at),
        Event::Resumed { .. } => {
            for actor in tree.actors.iter_mut().filter(|actor| actor.to.is_none()) {
                if actor.depth == 0 {
                    actor.restarts = actor.restarts.saturating_add(1);
                } else {
                    actor.to = Some(at);
                    "gone with the last process".clone_into(&mut actor.end);
                }
            }
        }
        _ => {}
    }
}

fn panicked(tree: &mut Tree, part: CallPart, at: At) {
    let fault = "stopped by a fault";
    match part {
        CallPart::Call => {
            if let Some(call) = tree.running("call") {
                call.restarts = call.restarts.saturating_add(1);
            }
        }
        CallPart::Greeting => {
            for name in ["relay", "player", "greeting"] {
                tree.end(name, at, fault);
            }
        }
        CallPart::CloneWorker => tree.end("clone worker", at, fault),
        CallPart::Handoff => {
            let running = tree
                .actors
                .iter_mut()
                .rev()
                .find(|actor| actor.to.is_none() && actor.name.starts_with("handoff"));
            if let Some(actor) = running {
                actor.to = Some(at);
                fault.clone_into(&mut actor.end);
            }
        }
    }
}

/// What the call ordered: these orders start actors.
fn started(tree: &mut Tree, moment: &Moment, on_leg: bool) {
    let at = moment.at;
    for effect in &moment.effects {
        match effect {
            Effect::DialGreeting => tree.start("greeting", 1, at),
            Effect::PlayGreeting => {
                play(tree, at);
                tree.start("greeting", 2, at);
            }
            Effect::PlayHold | Effect::PlayApology { .. } => play(tree, at),
            Effect::AskForVoice { .. } => tree.start("clone worker", 1, at),
            Effect::StopWaiting => tree.end("clone worker", at, "not waited for any more"),
            Effect::StartHandoff { attempt, .. } => tree.start(&handoff(*attempt), 1, at),
            Effect::CancelHandoff { attempt } => {
                tree.end(&handoff(*attempt), at, "given up");
                tree.end("relay", at, "given up");
            }
            Effect::ConnectAgent { .. } if on_leg => tree.start("relay", 2, at),
            Effect::StopAudio => {
                for name in ["relay", "greeting", "player"] {
                    tree.end(name, at, "audio stopped");
                }
            }
            _ => {}
        }
    }
}

/// One player plays all of a leg.
fn play(tree: &mut Tree, at: At) {
    if tree.running("player").is_none() {
        tree.start("player", 1, at);
    }
}

fn handoff(attempt: u8) -> String {
    format!("handoff {attempt}")
}

/// Each actor behind the one that started it, with the clone jobs below their workers.
fn in_order(actors: Vec<Actor>, moments: &[Moment], jobs: &[Job]) -> Vec<Actor> {
    let mut ordered: Vec<Actor> = Vec::new();
    let mut waiting: Vec<Actor> = Vec::new();
    let mut known = jobs_of(moments, jobs).into_iter();
    for actor in actors {
        if actor.depth == 2 {
            waiting.push(actor);
            continue;
        }
        let is_worker = actor.name == "clone worker";
        ordered.push(actor);
        if is_worker {
            ordered.extend(known.next());
        }
    }
    for child in waiting {
        // Below the player that ran then.
        let parent = ordered.iter().rposition(|actor| actor.name == "player" && actor.from <= child.from);
        let mut place = parent.map_or(ordered.len(), |parent| parent.saturating_add(1));
        while ordered.get(place).is_some_and(|next| next.depth == 2) {
            place = place.saturating_add(1);
        }
        ordered.insert(place, child);
    }
    ordered
}

/// The clone jobs that the log names. A job is not the call's own: it may have begun before, and goes on after it.
fn jobs_of(moments: &[Moment], jobs: &[Job]) -> Vec<Actor> {
    let named = moments.iter().filter_map(|moment| match moment.event {
        Some(Event::VoiceReady { job, .. } | Event::VoiceMissing { job, .. }) => Some((job?, moment.at)),
        _ => None,
    });
    let actor = |(id, answered): (precall_call::CloneJobId, At)| {
        let steps = jobs.iter().find(|job| job.id == id)?.steps;
        let end = steps.end.map(|end| match end.failed {
            Some(why) => format!("failed: {}", parts::words(why.name())),
            None => end.took.map_or_else(
                || "voice made".to_owned(),
                |took| format!("voice made, ElevenLabs took {:.1} s", took.as_secs_f64()),
            ),
        });
        Some(Actor {
            name: "clone job".to_owned(),
            depth: 2,
            from: steps.requested.unwrap_or(answered),
            to: steps.end.map(|end| end.at),
            end: end.unwrap_or_default(),
            restarts: 0,
        })
    };
    named.filter_map(actor).collect()
}

/// The tree as a table. `waits`: what the engine says of the actors that run now.
pub(super) fn shown(actors: &[Actor], begin: At, waits: Option<&[ActorMailbox]>) -> Markup {
    html! {
        table .actors aria-label="Actors of this call" {
            thead { tr { th scope="col" { "Actor" } th scope="col" { "State" } th scope="col" .number { "Started" }
                th scope="col" .number { "Ended" } } }
            tbody {
                @for actor in actors {
                    tr {
                        th scope="row" class={ "depth-" (actor.depth) } { (actor.name) }
                        td {
                            @if actor.to.is_none() { span .good { "runs" } } @else { (actor.end) }
                            @if actor.restarts > 0 { " " span .warn { "restarted " (actor.restarts) "\u{d7}" } }
                        }
                        td .number { (offset(actor.from, begin)) }
                        td .number { @if let Some(to) = actor.to { (offset(to, begin)) } }
                    }
                }
            }
        }
        @if let Some(waits) = waits { (mailboxes::shown(waits)) }
    }
}

#[cfg(test)]
mod tests;
