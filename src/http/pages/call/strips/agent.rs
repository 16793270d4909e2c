//! The strip "agent": attempts to bring one in, and its sessions. Pure.

use precall_call::{Effect, Event, Rung};

use super::{Drawing, Look, Span, steps};
use crate::http::pages::parts;
use crate::story::Moment;

/// Attempts and sessions of agents.
pub(super) fn spans(moments: &[Moment]) -> Vec<Span> {
    let mut drawing = Drawing::default();
    // The attempt whose span goes on, if it is one.
    let mut trying: Option<u8> = None;
    for step in steps(moments) {
        let at = step.moment.at;
        match step.event {
            Event::HandoffStarted { attempt, rung } if rung.leads_to_agent() => {
                trying = Some(*attempt);
                drawing.begin(&step, Look::Work, format!("attempt {attempt}: {}", way(*rung)), "precall");
            }
            Event::HandoffSucceeded { attempt, .. } if trying == Some(*attempt) => {
                trying = None;
                drawing.end_as(at, Look::Good, "reached");
                if let Some(rung) = rung_of(step.after.tried.as_slice(), *attempt) {
                    let (look, words) = if rung.bridges() {
                        (Look::Waiting, "ready, waits for the greeting")
                    } else {
                        (Look::Agent, "with the caller")
                    };
                    if !step.after.is_released() {
                        drawing.begin(&step, look, words, "ElevenLabs");
                    }
                }
            }
            Event::HandoffFailed { attempt, why } if trying == Some(*attempt) => {
                trying = None;
                drawing.end_as(at, Look::Bad, &parts::words(why.name()));
            }
            Event::AgentLost { why, .. } => {
                let words = format!("lost: {}", parts::words(why.name()));
                drawing.end(at);
                drawing.note(&step, Look::Bad, words, "ElevenLabs");
            }
            Event::AgentEnded { .. } => {
                drawing.end(at);
                drawing.note(&step, Look::Good, "agent hung up", "ElevenLabs");
            }
            Event::HandoffStarted { rung: Rung::Person, .. } if step.after.parked().is_some() => {
                drawing.begin(&step, Look::Waiting, "parked while a person is called", step.by());
            }
            _ => {}
        }
        for effect in &step.moment.effects {
            match effect {
                Effect::ConnectAgent { .. } => {
                    drawing.begin(&step, Look::Agent, "with the caller", "ElevenLabs");
                }
                Effect::ReturnToAgent { .. } => {
                    drawing.begin(&step, Look::Agent, "with the caller again", "ElevenLabs");
                }
                Effect::CancelHandoff { attempt } if trying == Some(*attempt) => {
                    trying = None;
                    drawing.end_as(at, Look::Bad, "given up");
                }
                Effect::StopAudio => drawing.end(at),
                _ => {}
            }
        }
        if step.ends_call() {
            drawing.end(at);
        }
    }
    drawing.done()
}

/// The rung of an attempt.
fn rung_of(tried: &[Rung], attempt: u8) -> Option<Rung> {
    tried.get(usize::from(attempt).checked_sub(1)?).copied()
}

fn way(rung: Rung) -> &'static str {
    match rung {
        Rung::BridgeCloned => "socket, cloned voice",
        Rung::BridgeFallback => "socket, fallback voice",
        Rung::Transfer => "transfer to the trunk",
        Rung::CallbackCloned => "dial, cloned voice",
        Rung::CallbackFallback => "dial, fallback voice",
        Rung::Destination | Rung::Person => "a person",
        Rung::Apology => "apology",
    }
}
