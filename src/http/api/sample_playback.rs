//! `GET /api/v1/callers/{caller_id}/sample`: the sample of a caller's voice, for a player. Each play has an audit row.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_RANGES, ByteRangeSpec, CONTENT_DISPOSITION, CONTENT_RANGE, ContentRange, ContentRangeSpec,
    IF_RANGE, RANGE, Range, TryIntoHeaderValue as _,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use bytes::Bytes;
use futures_util::stream;
use precall_actors::voices::samples::SampleError;
use precall_store::people::callers::{self, CallerRow};
use serde_json::json;
use slog::{info, warn};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::auth::{Allowed, Voice};
use super::caller_id::caller;
use super::callers::{ACCOUNT, found};
use super::page::NoQuery;
use super::sight::Sight;
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::seen;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, DATABASE, SCOPE, problems};

/// Bytes that are handed to the connection at once.
const PIECE: usize = 32 * 1024;

problems!(PlayProblems: API, SCOPE, DATABASE,
    &[Code::BadNumber, Code::CallerNotFound, Code::SampleNotFound, Code::PlaybackOff, Code::RangeNotSatisfiable],
    &[Code::SampleRefused, Code::SamplesUnreachable, Code::TooManyAtOnce]);

/// The sample of a caller's voice, as it was uploaded. Needs `SAMPLE_PLAYBACK=true`. One range of bytes is answered
/// with 206.
#[utoipa::path(
    get, path = "/api/v1/callers/{caller_id}/sample", tag = "voices",
    params(
        ("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, an extension, or the `id` of the caller"),
        ("Range" = Option<String>, Header, max_length = 128, description = "`bytes=0-1023`"),
    ),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, description = "The whole file", content(
            (Vec<u8> = "audio/wav"), (Vec<u8> = "audio/mpeg"), (Vec<u8> = "audio/flac"), (Vec<u8> = "audio/ogg"),
            (Vec<u8> = "audio/mp4"), (Vec<u8> = "audio/webm"), (Vec<u8> = "audio/aac"), (Vec<u8> = "audio/aiff"),
            (Vec<u8> = "audio/x-caf"))),
        (status = 206, description = "The range", content(
            (Vec<u8> = "audio/wav"), (Vec<u8> = "audio/mpeg"), (Vec<u8> = "audio/flac"), (Vec<u8> = "audio/ogg"),
            (Vec<u8> = "audio/mp4"), (Vec<u8> = "audio/webm"), (Vec<u8> = "audio/aac"), (Vec<u8> = "audio/aiff"),
            (Vec<u8> = "audio/x-caf"))),
        PlayProblems,
    ),
)]
pub(crate) async fn play(
    app: web::Data<AppState>,
    listener: Allowed<Voice>,
    _: web::Query<NoQuery>,
    caller_id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let settings = app.settings();
    if !settings.sample_playback {
        return Err(Problem::new(Code::PlaybackOff, "SAMPLE_PLAYBACK is off"));
    }
    let permit = Arc::clone(&app.plays).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::of(Code::TooManyAtOnce))?;
    let row = mapping(&app, &caller_id).await?;
    let recording = settings.samples.recording(&row.voice_sample_url).await;
    let recording = recording.map_err(|error| refused(&app, &error))?;
    let whole = recording.content;
    let Some(part) = part_of(&request, whole.len()) else { return Ok(behind_the_end(whole.len())) };
    let content = whole.slice(part.first..part.end);
    let masked = Sight::Masked.number(row.caller_id);
    info!(app.log, "sample played"; "key" => %listener.principal.name, "caller" => &masked,
        "bytes" => content.len());
    let detail = json!({ "caller": masked, "first_byte": part.first, "bytes": content.len() });
    let mut answer = HttpResponse::build(part.status);
    if part.status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header(content_range(Some((part.first, part.end)), whole.len()));
    }
    // The name says nothing of the caller. A browser that opens the address saves the file and does not show it.
    let name = format!("attachment; filename=\"sample.{}\"", recording.format);
    let answer = answer
        .content_type(recording.content_type)
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .body(body_of(content, permit));
    Ok(seen(answer, "sample_played", Some(row.id), detail))
}

/// The mapping of a number, or the mapping of this id: pages that mask numbers have the id alone.
async fn mapping(app: &AppState, text: &str) -> Result<CallerRow, Problem> {
    let Ok(id) = Uuid::try_parse(text) else { return found(app, &caller(app, text)?).await };
    let number = read(app, callers::number(&app.pool, ACCOUNT, id)).await?;
    let row = found(app, &number.ok_or_else(|| Problem::of(Code::CallerNotFound))?).await?;
    // The number may have been mapped anew since.
    if row.id == id { Ok(row) } else { Err(Problem::of(Code::CallerNotFound)) }
}

/// The problem of a sample that cannot be played. Faults of the storage are logged, and the client gets no details.
fn refused(app: &AppState, error: &SampleError) -> Problem {
    if matches!(error, SampleError::Missing | SampleError::MissingObject) {
        return Problem::of(Code::SampleNotFound);
    }
    if !error.is_passing() {
        return Problem::new(Code::SampleRefused, error.to_string());
    }
    warn!(app.log, "sample could not be played"; "error" => %error);
    Problem::of(Code::SamplesUnreachable)
}

/// The bytes that a request asks for: from `first`, up to `end` without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: usize,
    end: usize,
    status: StatusCode,
}

/// `None`: the range begins behind the end. Several ranges, and what is no range, are answered with the whole.
fn part_of(request: &HttpRequest, length: usize) -> Option<Part> {
    let whole = Part { first: 0, end: length, status: StatusCode::OK };
    // An answer has no validator, so a condition on one never holds.
    let is_conditional = request.headers().contains_key(IF_RANGE);
    let asked = request.headers().get(RANGE).filter(|_| !is_conditional);
    let asked = asked.and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<Range>().ok());
    match asked {
        Some(Range::Bytes(ranges)) => match ranges.as_slice() {
            [range] => range_of(range, length),
            _ => Some(whole),
        },
        Some(Range::Unregistered(..)) | None => Some(whole),
    }
}

fn range_of(range: &ByteRangeSpec, length: usize) -> Option<Part> {
    let (first, last) = range.to_satisfiable_range(u64::try_from(length).ok()?)?;
    let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
    let end = last.checked_add(1).filter(|end| first < *end && *end <= length)?;
    Some(Part { first, end, status: StatusCode::PARTIAL_CONTENT })
}

fn behind_the_end(length: usize) -> HttpResponse {
    let mut problem = Problem::of(Code::RangeNotSatisfiable).error_response();
    if let Ok(value) = content_range(None, length).try_into_value() {
        problem.headers_mut().insert(CONTENT_RANGE, value);
    }
    problem
}

fn content_range(part: Option<(usize, usize)>, length: usize) -> ContentRange {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let range = part.map(|(first, end)| (wide(first), wide(end.saturating_sub(1))));
    ContentRange(ContentRangeSpec::Bytes { range, instance_length: Some(wide(length)) })
}

/// The body in pieces. The permit lives as long as the bytes are in memory for a client.
fn body_of(content: Bytes, permit: OwnedSemaphorePermit) -> SizedStream<impl stream::Stream<Item = Piece>> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let pieces = stream::unfold((content, permit), |(mut left, permit)| async move {
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok(piece), (left, permit)))
    });
    SizedStream::new(length, Box::pin(pieces))
}

type Piece = Result<Bytes, Infallible>;

#[cfg(test)]
mod tests;
