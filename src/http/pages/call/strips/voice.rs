//! The strip "voice": from the question for the caller's voice to its answer. Pure.

use precall_call::{At, CloneJobId, Effect, Event, Voice, VoiceSource};

use super::{Drawing, Job, Look, Span, Step, steps};
use crate::http::pages::parts;
use crate::story::Moment;

/// How the caller's voice came, or why it did not.
pub(super) fn spans(moments: &[Moment], jobs: &[Job]) -> Vec<Span> {
    let mut drawing = Drawing::default();
    for step in steps(moments) {
        match step.event {
            Event::VoiceReady { source, took, job, .. } => {
                drawing.end(step.moment.at);
                uploads(&mut drawing, *job, jobs, step.moment.at);
                let words = match source {
                    VoiceSource::Cache => "from the cache".to_owned(),
                    VoiceSource::Clone => format!("cloned, {:.1} s", took.as_secs_f64()),
                };
                drawing.note(&step, Look::Good, words, "ElevenLabs");
            }
            Event::VoiceMissing { why, job } => {
                drawing.end(step.moment.at);
                uploads(&mut drawing, *job, jobs, step.moment.at);
                drawing.note(&step, Look::Bad, format!("no voice: {}", parts::words(why.name())), step.by());
            }
            Event::VoiceWithdrawn { why } => {
                let words = format!("not allowed any more: {}", parts::words(why.name()));
                drawing.note(&step, Look::Bad, words, step.by());
            }
            Event::ProofAsked { .. } => drawing.begin(&step, Look::Waiting, "waits for a proof", "precall"),
            Event::ProofGiven { .. } => drawing.note(&step, Look::Good, "proof given", step.by()),
            Event::PinRefused { .. } => drawing.note(&step, Look::Bad, "wrong PIN", step.by()),
            _ => gave_up(&mut drawing, &step),
        }
        for effect in &step.moment.effects {
            match effect {
                Effect::AskForVoice { .. } => drawing.begin(&step, Look::Waiting, "asked", step.by()),
                Effect::StopWaiting => drawing.end(step.moment.at),
                _ => {}
            }
        }
    }
    drawing.done()
}

/// The call went on without the voice.
fn gave_up(drawing: &mut Drawing, step: &Step<'_>) {
    let before = step.before.map(|before| &before.voice);
    if let (Voice::Fallback(why), true) = (&step.after.voice, before != Some(&step.after.voice)) {
        let words = format!("fallback: {}", parts::words(why.name()));
        drawing.note(step, Look::Bad, words, step.by());
    }
}

/// The upload of the job, as far as this call waited for it: the wait before it was in the queue.
fn uploads(drawing: &mut Drawing, job: Option<CloneJobId>, jobs: &[Job], answered: At) {
    let Some(job) = jobs.iter().find(|known| Some(known.id) == job) else { return };
    let Some(waited) = drawing.spans.iter_mut().rev().find(|span| span.look == Look::Waiting) else { return };
    let Some(requested) = job.steps.requested.map(|at| at.max(waited.from)) else { return };
    let end = job.steps.end.map_or(answered, |end| end.at).min(answered).max(requested);
    if requested > end || waited.to.is_some_and(|to| requested > to) {
        return;
    }
    waited.to = Some(requested);
    waited.words = "queued".to_owned();
    let seq = waited.seq;
    let uploading = Span {
        from: requested,
        to: Some(end),
        look: Look::Work,
        words: "uploading".to_owned(),
        by: "ElevenLabs".to_owned(),
        seq,
    };
    drawing.spans.push(uploading);
}
