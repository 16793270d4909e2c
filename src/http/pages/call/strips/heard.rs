//! The strip "the caller heard". Pure.

use precall_call::{Effect, Event, Purpose, Rung, Told};

use super::{Drawing, Look, Span, Step, steps};
use crate::story::Moment;

/// What the caller heard, from the first ring to the end.
pub(super) fn spans(moments: &[Moment]) -> Vec<Span> {
    let mut drawing = Drawing::default();
    for step in steps(moments) {
        let was_over = step.before.is_some_and(|before| before.is_released());
        if was_over {
            break;
        }
        if step.after.policy.on_live_leg() {
            on_leg(&mut drawing, &step);
        } else {
            by_telephone(&mut drawing, &step);
        }
        if step.ends_call() {
            drawing.end(step.moment.at);
            if step.after.release().is_some_and(|release| release.told == Told::Person) {
                drawing.note(&step, Look::Person, "a person or queue took the call", "3CX");
            }
        }
    }
    drawing.done()
}

/// On a leg of the caller's own.
fn on_leg(drawing: &mut Drawing, step: &Step<'_>) {
    let call = step.after;
    match step.event {
        Event::LegRinging => drawing.begin(step, Look::Ringing, "ringing", "3CX"),
        Event::LegConnected => {
            drawing.begin(step, Look::Silence, "silence before the first sound", "precall")
        }
        Event::SoundStarted if call.is_greeting() => speak(drawing, step),
        Event::NoticeEnded { .. } if call.is_greeting() => speak(drawing, step),
        Event::GreetingEnded { .. } => drawing.begin(step, Look::Silence, "silence", "precall"),
        Event::AgentSpoke { .. } => drawing.begin(step, Look::Agent, "agent", "ElevenLabs"),
        Event::AudioLost => drawing.begin(step, Look::Silence, "silence: no audio can be sent", "3CX"),
        Event::LegGone => drawing.end(step.moment.at),
        _ => {}
    }
    for effect in &step.moment.effects {
        match effect {
            Effect::PlayHold => drawing.begin(step, Look::Music, "hold music", step.by()),
            Effect::PlayApology { .. } => drawing.begin(step, Look::Speech, "apology", "precall"),
            // Older calls do not note the agent's first word.
            Effect::ConnectAgent { .. } if !call.policy.notes_first_word => {
                drawing.begin(step, Look::Agent, "agent", "ElevenLabs");
            }
            Effect::ConnectAgent { .. } => {
                drawing.begin(step, Look::Silence, "silence until the agent's first word", "ElevenLabs");
            }
            Effect::ReturnToAgent { .. } => drawing.begin(step, Look::Agent, "agent again", "ElevenLabs"),
            Effect::StopAudio => drawing.end(step.moment.at),
            _ => {}
        }
    }
    if let (Event::HandoffSucceeded { .. }, Some(Rung::Transfer), false) =
        (step.event, call.tried.last(), call.is_released())
    {
        drawing.begin(step, Look::Agent, "agent, by the trunk", "3CX");
    }
}

/// precall's own words: the notice first.
fn speak(drawing: &mut Drawing, step: &Step<'_>) {
    if step.after.notice_given() {
        drawing.begin(step, Look::Speech, "greeting", "precall");
    } else {
        drawing.begin(step, Look::Speech, "notice", "precall");
    }
}

/// On route `callback`: telephone calls by ElevenLabs. When the caller answers is not in the log.
fn by_telephone(drawing: &mut Drawing, step: &Step<'_>) {
    match step.event {
        Event::GreetingDialled => drawing.begin(step, Look::Ringing, "greeting call: dialled", "precall"),
        Event::GreetingStarted { .. } => {
            drawing.begin(step, Look::Speech, "greeting call: rings or speaks", "ElevenLabs");
        }
        Event::HandoffStarted { .. } => {
            drawing.begin(step, Look::Ringing, "agent's call: dialled", "precall")
        }
        Event::HandoffSucceeded { .. } => {
            drawing.begin(step, Look::Agent, "agent's call: rings or speaks", "ElevenLabs");
        }
        Event::HandoffFailed { .. } => drawing.end(step.moment.at),
        Event::GreetingEnded { .. } if !step.after.is_greeting() => drawing.end(step.moment.at),
        Event::Reported(report)
            if report.purpose == Some(Purpose::Greeting)
                && !step.after.is_greeting()
                && step.before.is_some_and(precall_call::Call::is_greeting) =>
        {
            drawing.end(step.moment.at);
        }
        _ => {}
    }
}
