//! Middleware: `Idempotency-Key` on POST. A client that lost an answer sends the request again with the same key: it is
//! carried out once, and the client gets the first answer (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _, web};
use bytes::Bytes;
use precall_call::At;
use precall_store::idempotency::{self, Begun, KeptAnswer, MarkedRequest};
use sha2::{Digest as _, Sha256};
use slog::warn;

use super::auth;
use super::json_body::whole;
use crate::config::Scope;
use crate::http::app_state::AppState;
use crate::http::clock::wall;
use crate::http::error::{Code, Problem};
use crate::logging::request_id;

/// The header of a request.
pub(crate) const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
pub(crate) const KEY_BYTES_MAX: usize = 255;
/// Answers of this path are smaller.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// After this time a request that was not answered is one of a process that ended. The longest, a reconciliation, is
/// given up after 60 s.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(75);

/// Stored in the extensions of an answer that shows a secret once: it is not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct HasSecret;

/// Carries out a marked request once.
pub(crate) async fn once<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let key = request.headers().get(NAME).filter(|_| request.method() == Method::POST).cloned();
    let app = request.app_data::<web::Data<AppState>>().cloned();
    let (Some(key), Some(app)) = (key, app) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let client = match auth::authorise(request.request(), Scope::Read) {
        Ok(client) => client,
        // Asked again by the path, a wrong key would count as two.
        Err(problem) if matches!(problem.code, Code::Unauthenticated | Code::TooManyWrongKeys) => {
            return Ok(request.into_response(problem.error_response()));
        }
        // The path may need another scope.
        Err(_) => return Ok(next.call(request).await?.map_into_boxed_body()),
    };
    let begun = async {
        let key = key.to_str().ok().filter(|key| is_key(key));
        let key = key.ok_or_else(|| {
            Problem::new(Code::BadField, "Idempotency-Key must have 1 to 255 printable ASCII characters")
        })?;
        let body = whole(request.request().clone(), request.take_payload()).await?;
        let marked = MarkedRequest {
            client: client.name.to_string(),
            key: Sha256::digest(key.as_bytes()).into(),
            request: fingerprint(&request, &body),
        };
        let now = wall();
        let begun = idempotency::begin(&app.pool, &marked, now, ago(now, GIVEN_UP_AFTER)).await?;
        Ok::<_, Problem>((marked, body, begun))
    };
    let (marked, body, begun) = match begun.await {
        Ok(begun) => begun,
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    };
    let answer = match begun {
        Begun::Run => {
            request.set_payload(Payload::from(body));
            return run(app, marked, request, next).await;
        }
        Begun::Answered(kept) => again(kept),
        Begun::Running => Problem::of(Code::RequestRunning).error_response(),
        Begun::OfAnother => Problem::of(Code::KeyOfAnother).error_response(),
    };
    Ok(request.into_response(answer))
}

/// As the draft has it: no tab, which HTTP itself allows in a header.
fn is_key(text: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// In a task, so that the answer is kept even if the client leaves: it will ask for it.
async fn run<B: MessageBody + 'static>(
    app: web::Data<AppState>,
    marked: MarkedRequest,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let running = actix_web::rt::spawn(request_id::also_in_task(async move {
        let answered = next.call(request).await;
        let (request, answer) = match answered {
            Ok(answer) => answer.into_parts(),
            Err(error) => {
                forget(&app, &marked).await;
                return Err(error);
            }
        };
        let has_secret = answer.extensions().get::<HasSecret>().is_some();
        let (head, body) = answer.into_parts();
        let body =
            to_bytes_limited(body, ANSWER_BYTES_MAX).await.ok().and_then(Result::ok).unwrap_or_default();
        if has_secret {
            forget(&app, &marked).await;
        } else {
            keep(&app, &marked, head.status(), head.headers().get(CONTENT_TYPE), &body).await;
        }
        Ok(ServiceResponse::new(request, head.set_body(body).map_into_boxed_body()))
    }));
    running.await.unwrap_or_else(|_| Err(Problem::of(Code::Internal).into()))
}

/// A 4xx is kept as well, but not one that says to come again, and no 5xx: then nothing was done.
async fn keep(
    app: &AppState,
    marked: &MarkedRequest,
    status: StatusCode,
    content_type: Option<&HeaderValue>,
    body: &Bytes,
) {
    let was_done = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if !was_done {
        return forget(app, marked).await;
    }
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let answer = KeptAnswer { status: status.as_u16(), content_type, body: body.to_vec() };
    if let Err(error) = idempotency::answered(&app.pool, marked, &answer).await {
        warn!(app.log, "the answer of an idempotent request could not be kept"; "error" => %error);
    }
}

async fn forget(app: &AppState, marked: &MarkedRequest) {
    if let Err(error) = idempotency::forget(&app.pool, marked).await {
        warn!(app.log, "the answer of an idempotent request could not be kept"; "error" => %error);
    }
}

fn again(kept: KeptAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::build(status);
    answer.insert_header((REPLAYED, HeaderValue::from_static("true")));
    if let Some(content_type) = kept.content_type {
        answer.insert_header((CONTENT_TYPE, content_type));
    }
    answer.body(kept.body)
}

fn fingerprint(request: &ServiceRequest, body: &Bytes) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [request.method().as_str(), request.path(), request.query_string()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(body);
    digest.finalize().into()
}

fn ago(now: At, time: Duration) -> At {
    At(now.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}
