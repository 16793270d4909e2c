//! Upload of a sample: checks it, stores it, and maps the caller to it.

use std::sync::Arc;
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use precall_actors::voices::samples::{SAMPLE_BYTES_MAX, SampleError, StoredSample};
use precall_store::people::{caller_samples, callers};
use serde::Serialize;
use serde_json::json;
use slog::{info, warn};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::auth::{Allowed, Voice};
use super::caller_id::caller;
use super::fields::Sha256Text;
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::changed;
use crate::http::body_limits::{drain, fits, too_large};
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::SampleFormat;
use crate::http::openapi::problems::{API, DATABASE, SCOPE, problems};
use crate::http::response;
use crate::logging::request_id;

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";
/// Form field with the sample.
const FIELD: &str = "file";
/// Bytes for boundaries and headers of a form, and for skipped fields.
const FORM_BYTES: usize = 64 * 1024;
/// Highest number of form parts.
const PARTS_MAX: usize = 16;
/// Time limit: 20 MiB at 3 Mbit/s.
const BODY_TIME: Duration = Duration::from_secs(60);

/// A stored sample. The caller's next clone uses it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Uploaded {
    /// E.164.
    caller_id: String,
    /// SHA-256 of the file.
    #[schema(value_type = Sha256Text)]
    sample_sha256: String,
    /// Size of the file.
    bytes: usize,
    /// Duration in milliseconds.
    duration_ms: u64,
    /// Detected from the content.
    #[schema(value_type = SampleFormat)]
    format: &'static str,
}

problems!(UploadProblems: API, SCOPE, DATABASE,
    &[Code::BadField, Code::BodyBroken, Code::BadNumber, Code::CallerNotFound, Code::BodyTimeout],
    &[Code::BodyTooLarge, Code::SampleRefused, Code::SamplesUnreachable, Code::TooManyAtOnce]);

/// Uploads the sample of a caller's voice, as the field `file` of a form or as the body.
#[utoipa::path(
    put, path = "/api/v1/callers/{caller_id}/sample", tag = "voices",
    params(("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, or an extension")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "WAV, MP3, FLAC, Ogg, WebM, M4A, MP4, 3GP, AAC, AIFF or CAF of 3 s to 10 minutes, at most \
            20 MiB; `multipart/form-data` with a field `file` as well"),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Uploaded),
        UploadProblems,
    ),
)]
pub(crate) async fn upload(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    caller_id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut payload = payload.into_inner();
    let limit = usize::try_from(SAMPLE_BYTES_MAX).unwrap_or(usize::MAX);
    let (caller, _permit) = match admitted(&app, &request, &caller_id, limit).await {
        Ok(admitted) => admitted,
        Err(problem) => {
            drain(&request, &mut payload).await;
            return Err(problem);
        }
    };
    let body = tokio::time::timeout(BODY_TIME, file_of(&request, payload, limit)).await;
    let content = body.unwrap_or_else(|_| Err(Problem::of(Code::BodyTimeout)))?;
    // In a task, so that it ends even if the client leaves: otherwise a stored sample could stay without a mapping.
    let (here, number) = (app.clone(), caller.clone());
    let keeping =
        actix_web::rt::spawn(request_id::also_in_task(async move { keep(&here, &number, content).await }));
    let stored = keeping.await.map_err(|_| Problem::of(Code::Internal))??;
    let duration_ms = u64::try_from(stored.duration.as_millis()).unwrap_or(u64::MAX);
    info!(app.log, "sample uploaded"; "key" => %admin.principal.name, "bytes" => stored.bytes,
        "duration_ms" => duration_ms, "format" => stored.format);
    let mapping = callers::mapping(&app.pool, ACCOUNT, &caller).await.ok().flatten();
    let detail = json!({ "bytes": stored.bytes, "format": stored.format });
    let answer = response::json(&Uploaded {
        caller_id: caller,
        sample_sha256: stored.sha256,
        bytes: stored.bytes,
        duration_ms,
        format: stored.format,
    })?;
    Ok(changed(answer, "sample_uploaded", mapping, detail))
}

/// Checks caller and length, and takes an upload permit, before the body is read.
async fn admitted(
    app: &AppState,
    request: &HttpRequest,
    caller_id: &str,
    limit: usize,
) -> Result<(String, OwnedSemaphorePermit), Problem> {
    let caller = caller(app, caller_id)?;
    fits(request, limit.saturating_add(FORM_BYTES)).map_err(|_| too_large(limit))?;
    let permit = Arc::clone(&app.uploads).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::of(Code::TooManyAtOnce))?;
    if !read(app, caller_samples::is_mapped(&app.pool, ACCOUNT, &caller)).await? {
        return Err(Problem::of(Code::CallerNotFound));
    }
    Ok((caller, permit))
}

/// Stores the sample and maps the caller to it. One at a time: another upload may be about to delete the same file.
async fn keep(app: &AppState, caller: &str, content: Bytes) -> Result<StoredSample, Problem> {
    let samples = &app.settings().samples;
    let _alone = app.one_upload.lock().await;
    let stored = samples.put(ACCOUNT, content).await.map_err(|error| refused(app, &error))?;
    let reference = &stored.reference;
    let pool = &app.pool;
    // After a failure the mapping may exist, so the sample stays. Repeating the upload gives the same file.
    let Some(before) = read(app, caller_samples::replace(pool, ACCOUNT, caller, reference)).await? else {
        delete_unused(app, reference).await;
        return Err(Problem::of(Code::CallerNotFound));
    };
    if before != *reference && samples.is_upload(&before) {
        delete_unused(app, &before).await;
    }
    app.engine.look_at_voices();
    Ok(stored)
}

/// Deletes an upload that no caller is mapped to. If that fails, the upload stays, and a log line says so.
async fn delete_unused(app: &AppState, reference: &str) {
    let pool = &app.pool;
    let is_needed = read(app, caller_samples::is_referred_to(pool, reference)).await;
    let deleted = match is_needed {
        Ok(true) => return,
        Ok(false) => app.settings().samples.delete(reference).await.map_err(|error| error.to_string()),
        Err(problem) => Err(problem.to_string()),
    };
    if let Err(error) = deleted {
        warn!(app.log, "replaced sample could not be deleted"; "error" => error);
    }
}

/// The problem of a refused sample. Faults of the storage are logged, and the client gets no details.
fn refused(app: &AppState, error: &SampleError) -> Problem {
    if *error == SampleError::TooLarge {
        return Problem::new(Code::BodyTooLarge, error.to_string());
    }
    if error.is_about_content() {
        return Problem::new(Code::SampleRefused, error.to_string());
    }
    warn!(app.log, "sample could not be stored"; "error" => %error);
    Problem::of(Code::SamplesUnreachable)
}

/// The file from a form or from the body, with at most `limit` bytes in memory.
async fn file_of(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        return whole(payload, limit).await;
    }
    let mut form = Multipart::new(request.headers(), payload);
    let (mut others, mut left) = (Vec::new(), limit.saturating_add(FORM_BYTES));
    for _ in 0..PARTS_MAX {
        let Some(part) = form.next().await else { break };
        let mut part = part.map_err(|_| Problem::of(Code::BodyBroken))?;
        if part.name() == Some(FIELD) {
            return whole(&mut part, limit).await;
        }
        others.push(part.name().map_or_else(|| "a field without a name".to_owned(), shown));
        // It may be the recording, under another name.
        while let Some(chunk) = part.next().await {
            let chunk = chunk.map_err(|_| Problem::of(Code::BodyBroken))?;
            left = left.checked_sub(chunk.len()).ok_or_else(|| too_large(limit))?;
        }
    }
    let sent = if others.is_empty() { "no field".to_owned() } else { others.join(", ") };
    Err(Problem::new(
        Code::BadField,
        format!("the form has {sent}: send the recording in the field `{FIELD}`"),
    ))
}

/// The name of a field as a problem shows it.
fn shown(name: &str) -> String {
    const LONGEST: usize = 40;
    let name: String = name.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST).collect();
    format!("`{name}`")
}

async fn whole<E>(
    mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: usize,
) -> Result<Bytes, Problem> {
    let mut content = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::of(Code::BodyBroken))?;
        if content.len().saturating_add(chunk.len()) > limit {
            return Err(too_large(limit));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}
