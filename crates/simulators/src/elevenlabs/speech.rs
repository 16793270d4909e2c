//! `POST /v1/text-to-speech/{voice_id}` and its `/stream`: a tone as long as the text would take to say, each
//! voice in one of its own.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::answer::{Answer, AnswerBody};
use super::audio::{Format, speaking_time, voice_tone_hz};
use super::context::Context;
use super::request::{Problems, Request};

/// The limit in the header: that of the Creator plan for fast models. It is not enforced; a fault can enforce it.
const MOST_AT_ONCE: u32 = 10;

/// Whether the sound comes as a whole or as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    Chunked,
}

/// Speaks.
pub(super) fn speak(
    context: &Context,
    voice_id: &str,
    request: &Request,
    delivery: Delivery,
) -> Result<Answer, Answer> {
    let body = request.object()?;
    let mut problems = Problems::default();
    let text = problems.required_string(body, "text");
    check_settings(body, &mut problems);
    let format = format(request, &mut problems);
    problems.finish()?;
    if context.world().voices.is_missing(voice_id) {
        return Err(Answer::voice_not_found(voice_id));
    }
    // `format` is None only when it was refused above.
    let format = format.ok_or_else(|| Answer::of_status(500))?;
    if format.needs_pro() {
        return Err(Answer::error(403, "subscription_required", "This output format requires the Pro plan."));
    }
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let length = speaking_time(&text);
    let Some(sound) = format.sound(voice_tone_hz(voice_id), length) else {
        return Err(Answer::plain(501, "the simulator does not make opus"));
    };
    let mut world = context.world();
    world.characters = world.characters.saturating_add(u64::from(characters));
    drop(world);
    let body = match delivery {
        Delivery::Whole => AnswerBody::Whole(format.content_type(), sound),
        Delivery::Chunked => AnswerBody::Chunked(format.content_type(), sound),
    };
    let answer = Answer { status: 200, headers: Vec::new(), body };
    Ok(answer
        .with_header("character-cost", characters)
        .with_header("current-concurrent-requests", context.under_way.load(Ordering::Relaxed).max(1))
        .with_header("maximum-concurrent-requests", MOST_AT_ONCE))
}

/// `output_format` is a query parameter. In the body it is ignored, as at the provider.
fn format(request: &Request, problems: &mut Problems) -> Option<Format> {
    let name = request.param("output_format").unwrap_or("mp3_44100_128");
    let format = Format::named(name);
    if format.is_none() {
        let message = format!("Input should be {}", Format::names());
        problems.push(&["query", "output_format"], "enum", &message, Value::String(name.to_owned()));
    }
    format
}

fn check_settings(body: &Map<String, Value>, problems: &mut Problems) {
    let Some(settings) = body.get("voice_settings").and_then(Value::as_object) else { return };
    for name in ["stability", "similarity_boost"] {
        let Some(value) = settings.get(name).and_then(Value::as_f64) else { continue };
        if !(0.0..=1.0).contains(&value) {
            let message = "Input should be between 0 and 1";
            problems.push(&["body", "voice_settings", name], "out_of_range", message, Value::from(value));
        }
    }
}
