//! The strips of the PBX: the caller's leg, and the commands to 3CX with what it reported. Pure.

use precall_call::{Effect, Event, Person, Rung};

use super::{Drawing, Look, Span, steps};
use crate::http::pages::parts;
use crate::story::Moment;

/// The caller's leg.
pub(super) fn spans(moments: &[Moment]) -> Vec<Span> {
    let mut drawing = Drawing::default();
    for step in steps(moments) {
        match step.event {
            Event::LegRinging => drawing.begin(&step, Look::Ringing, "ringing", "3CX"),
            Event::LegConnected => drawing.begin(&step, Look::Good, "connected", "3CX"),
            Event::LegGone | Event::LegRoutedAway => {
                drawing.end(step.moment.at);
                drawing.note(&step, Look::Silence, "gone", step.by());
            }
            _ => {}
        }
        let was_let_go = step.moment.effects.iter().any(|effect| matches!(effect, Effect::DropLeg));
        if was_let_go || step.ends_call() {
            drawing.end(step.moment.at);
        }
    }
    drawing.done()
}

/// Commands to 3CX, and what it reported.
pub(super) fn commands(moments: &[Moment]) -> Vec<Span> {
    let mut drawing = Drawing::default();
    let mut routing: Option<u8> = None;
    for step in steps(moments) {
        match step.event {
            Event::AnswerRefused => drawing.note(&step, Look::Bad, "answer refused", "3CX"),
            Event::PbxStateChanged { state } => {
                drawing.note(&step, Look::Work, format!("webhook: {state}"), "3CX");
            }
            Event::PbxCallEnded { .. } => drawing.note(&step, Look::Work, "webhook: call ended", "3CX"),
            Event::DtmfReceived { key } => {
                drawing.note(&step, Look::Work, format!("key {key}"), "the caller's side");
            }
            Event::HandoffSucceeded { attempt, .. } if routing == Some(*attempt) => {
                routing = None;
                drawing.end_as(step.moment.at, Look::Good, "done");
            }
            Event::HandoffFailed { attempt, why } if routing == Some(*attempt) => {
                routing = None;
                drawing.end_as(step.moment.at, Look::Bad, &parts::words(why.name()));
            }
            _ => {}
        }
        for effect in &step.moment.effects {
            match effect {
                Effect::AnswerLeg => drawing.note(&step, Look::Work, "answer", "precall"),
                Effect::StartHandoff { attempt, rung, person, .. } if rung.routes() => {
                    routing = Some(*attempt);
                    drawing.begin(
                        &step,
                        Look::Work,
                        format!("route to {}", place(*rung, person.as_ref())),
                        "precall",
                    );
                }
                Effect::CancelHandoff { attempt } if routing == Some(*attempt) => {
                    routing = None;
                    drawing.end_as(step.moment.at, Look::Bad, "given up");
                }
                Effect::DropLeg => drawing.note(&step, Look::Work, "drop", step.by()),
                _ => {}
            }
        }
        if step.ends_call() {
            drawing.end(step.moment.at);
        }
    }
    drawing.done()
}

fn place(rung: Rung, person: Option<&Person>) -> String {
    match (rung, person) {
        (Rung::Transfer, _) => "the agent's trunk".to_owned(),
        (_, Some(Person::Named(name))) => name.to_string(),
        _ => "FALLBACK_DESTINATION".to_owned(),
    }
}
