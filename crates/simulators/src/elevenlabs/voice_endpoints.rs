//! Endpoints over the voices: add, get, delete, search.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::context::Context;
use super::ids;
use super::request::{Problems, Request};
use super::voices::{NewVoice, Sample, SlotsFull, Voice, library_voice_json};
use crate::shared::body::{Body, Part};

/// `POST /v1/voices/add`. Runs to its end even when the client leaves, as the provider's does.
pub(super) async fn add(context: &Context, request: &Request) -> Result<Answer, Answer> {
    let new = parse(&request.body)?;
    if !context.world().account.can_use_instant_voice_cloning {
        return Err(plan_lacks_cloning());
    }
    let promised = context.world().voices.promise_slot();
    if promised == Err(SlotsFull) {
        return Err(slots_full(context));
    }
    tokio::time::sleep(context.clone_delay().pick()).await;
    let voice_id = context.world().voices.create(new, jiff::Timestamp::now());
    Ok(Answer::ok(json!({
        "voice_id": voice_id,
        "requires_verification": false,
        "library_voice_match": null,
    })))
}

/// As it was seen: 400, though the type says payment_required (facts page, section 1).
fn plan_lacks_cloning() -> Answer {
    let message = "Your subscription does not include instant voice cloning. Please upgrade your plan.";
    Answer::error(400, "paid_plan_required", message)
        .with_detail(&[("type", "payment_required"), ("status", "can_not_use_instant_voice_cloning")])
}

fn slots_full(context: &Context) -> Answer {
    let slots = context.world().voices.slots();
    let message = format!(
        "You have reached your maximum amount of custom voices ({slots} / {slots}). You can upgrade your \
         subscription to increase your custom voice limit."
    );
    Answer::legacy(400, "voice_limit_reached", &message)
}

fn parse(body: &Body) -> Result<NewVoice, Answer> {
    let parts = match body {
        Body::Upload(parts) => parts.as_slice(),
        Body::TooLarge => return Err(Answer::error(400, "request_too_large", "The upload is too large.")),
        Body::Broken(_) => return Err(Answer::plain(400, "There was an error parsing the body")),
        // FastAPI reads a body that is no form as a form without fields.
        Body::Empty | Body::Json(_) | Body::Text(_) => &[],
    };
    let mut problems = Problems::default();
    let text =
        |name: &str| parts.iter().rev().find(|part| part.name == name).and_then(|part| part.value.clone());
    let name = text("name");
    if name.is_none() {
        problems.push(&["body", "name"], "missing", "Field required", Value::Null);
    }
    let files: Vec<&Part> = parts.iter().filter(|part| part.name == "files").collect();
    if files.is_empty() {
        problems.push(&["body", "files"], "missing", "Field required", Value::Null);
    }
    for (index, _) in files.iter().enumerate().filter(|(_, part)| part.filename.is_none()) {
        problems.push(
            &["body", "files", &index.to_string()],
            "value_error",
            "Value error, Expected UploadFile, received: <class 'str'>",
            Value::Null,
        );
    }
    let remove_background_noise = flag(text("remove_background_noise"), &mut problems);
    let labels = labels(text("labels"), &mut problems);
    problems.finish()?;
    playable(&files)?;
    Ok(NewVoice {
        name: name.unwrap_or_default(),
        description: text("description"),
        labels,
        samples: files.into_iter().map(sample).collect(),
        remove_background_noise,
    })
}

fn flag(text: Option<String>, problems: &mut Problems) -> bool {
    match text.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "no" | "off") => false,
        Some("true" | "1" | "yes" | "on") => true,
        Some(other) => {
            problems.push(
                &["body", "remove_background_noise"],
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
                Value::String(other.to_owned()),
            );
            false
        }
    }
}

/// A JSON object of strings in a text part; the official SDK sends the four bytes `null` for none.
fn labels(text: Option<String>, problems: &mut Problems) -> Map<String, Value> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Map::new() };
    match serde_json::from_str(&text) {
        Ok(Value::Null) => Map::new(),
        Ok(Value::Object(labels)) if labels.values().all(Value::is_string) => labels,
        Ok(_) | Err(_) => {
            let message = "Input should be a JSON object of strings";
            problems.push(&["body", "labels"], "dict_type", message, Value::String(text));
            Map::new()
        }
    }
}

fn playable(files: &[&Part]) -> Result<(), Answer> {
    if files.iter().any(|file| !looks_like_audio(file)) {
        return Err(Answer::error(
            400,
            "invalid_content",
            "File upload is corrupted. Please ensure it is playable audio.",
        ));
    }
    let mut seen = std::collections::HashSet::new();
    if !files.iter().all(|file| seen.insert(&file.hash)) {
        return Err(Answer::legacy(400, "duplicate_files", "You cannot upload the same file twice."));
    }
    Ok(())
}

/// Recognises the containers that users report as accepted, by their first bytes.
fn looks_like_audio(file: &Part) -> bool {
    /// A WAV file's header: without a byte more there is nothing to play.
    const WAV_HEADER: u64 = 44;
    let head = file.head.as_slice();
    let wav =
        head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE".as_slice()) && file.size > WAV_HEADER;
    let mp3 = head.starts_with(b"ID3") || matches!(head, [0xFF, second, ..] if second & 0xE0 == 0xE0);
    let mp4 = head.get(4..8) == Some(b"ftyp".as_slice());
    wav || mp3
        || mp4
        || head.starts_with(b"OggS")
        || head.starts_with(b"fLaC")
        || head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3])
}

fn sample(file: &Part) -> Sample {
    Sample {
        id: ids::sample(),
        file_name: file.filename.clone().unwrap_or_default(),
        mime_type: file.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: file.size,
        hash: file.hash.clone(),
    }
}

/// `GET /v1/voices/{voice_id}`.
pub(super) fn get(context: &Context, voice_id: &str) -> Answer {
    let world = context.world();
    if world.voices.is_missing(voice_id) {
        return Answer::voice_not_found(voice_id);
    }
    let voice = world.voices.clone_of(voice_id).map_or_else(|| library_voice_json(voice_id), Voice::json);
    Answer::ok(voice)
}

/// `DELETE /v1/voices/{voice_id}`.
pub(super) fn delete(context: &Context, voice_id: &str) -> Answer {
    if !context.world().voices.delete(voice_id) {
        return Answer::voice_not_found(voice_id);
    }
    Answer::ok(json!({"status": "ok"}))
}

/// `GET /v2/voices`: the account's clones. Library voices exist by id but are not listed.
pub(super) fn search(context: &Context, request: &Request) -> Result<Answer, Answer> {
    let page_size = request.page_size(10)?;
    let descending = request.param("sort_direction") != Some("asc");
    let by_name = request.param("sort") == Some("name");
    let key = |voice: &Voice| {
        let name = if by_name { voice.name.as_str() } else { "" };
        format!("{name}\u{0}{:020}", voice.number)
    };
    let world = context.world();
    let mut found: Vec<(String, &Voice)> = world
        .voices
        .all()
        .into_iter()
        .filter(|voice| wanted(request, voice))
        .map(|voice| (key(voice), voice))
        .collect();
    found.sort_by(|(left, _), (right, _)| if descending { right.cmp(left) } else { left.cmp(right) });
    let total = found.len();
    if let Some(last_seen) = request.param("next_page_token").and_then(|token| hex::decode(token).ok()) {
        let last_seen = String::from_utf8_lossy(&last_seen).into_owned();
        found.retain(|(key, _)| if descending { *key < last_seen } else { *key > last_seen });
    }
    let has_more = found.len() > page_size;
    found.truncate(page_size);
    let next = found.last().filter(|_| has_more).map(|(key, _)| hex::encode(key));
    let voices: Vec<Value> = found.iter().map(|(_, voice)| voice.json()).collect();
    Ok(Answer::ok(json!({
        "voices": voices,
        "has_more": has_more,
        "total_count": total,
        "next_page_token": next,
    })))
}

fn wanted(request: &Request, voice: &Voice) -> bool {
    // Seen in clients both repeated and comma separated.
    let wanted_ids: Vec<&str> =
        request.params("voice_ids").into_iter().flat_map(|ids| ids.split(',')).collect();
    let label = |name: &str| {
        request.param(name).is_none_or(|value| voice.labels.get(name).and_then(Value::as_str) == Some(value))
    };
    let ours = !matches!(request.param("voice_type"), Some("default" | "community" | "saved"));
    ours && (wanted_ids.is_empty() || wanted_ids.contains(&voice.id.as_str()))
        && request.param("search").is_none_or(|search| voice.found_by(search))
        && request.param("category").is_none_or(|category| category == "cloned")
        && label("gender")
        && label("age")
        && label("accent")
}
