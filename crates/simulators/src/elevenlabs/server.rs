//! HTTP: records each request, reads it, applies a fault, answers.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::answer::{Answer, AnswerBody};
use super::context::Context;
use super::faults::{Fates, Fault};
use super::request::Request;
use super::session::socket;
use super::{control, ids, routes};
use crate::shared::body::{self, Body};
use crate::shared::control::is_control;
use crate::shared::fault_list::LONGEST;
use crate::shared::requests::RequestNumber;
use crate::shared::server::{hang_up, head_of};

const JSON: &str = "application/json";
/// Pieces of a slow body.
const DRIPS: u32 = 20;
/// Piece of a body that is sent as it is made: a fifth of a second of 8 kHz PCM.
const CHUNK: usize = 3_200;

/// Every request comes in here.
pub(super) async fn serve(http: HttpRequest, payload: Payload, context: Data<Context>) -> HttpResponse {
    let path = http.path().to_owned();
    let method = http.method().as_str().to_owned();
    if is_control(&path) {
        let body = body::read(http.headers(), payload).await;
        let answer = control::answer(&context, &method, &path, &body).await;
        return into_http(answer, Duration::ZERO);
    }
    let number = context.world().requests.begin(head_of(&http, &path));
    if socket::is_for(&method, &path) {
        return open_socket(&http, payload, &context, number).await;
    }
    let _under_way = UnderWay::begin(&context);
    let body = body::read(http.headers(), payload).await;
    let cut_short = matches!(body, Body::TooLarge | Body::Broken(_));
    let fault = {
        let mut world = context.world();
        world.requests.body(number, body.shown());
        world.faults.take(&method, &path, &body)
    };
    let query = url::form_urlencoded::parse(http.query_string().as_bytes()).into_owned().collect();
    let key = http.headers().get("xi-api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let host = http.connection_info().host().to_owned();
    let request = Request { method, path, query, host, api_key: key, body };
    let slow_body = fault.as_ref().map_or(Duration::ZERO, Fault::slow_body);
    let Some(answer) = answer(&context, request, fault).await else { return hang_up() };
    context.world().requests.answered(number, answer.status);
    let mut response = into_http(answer.of_request(ids::request()), slow_body);
    if cut_short {
        // The rest of the body is still in the connection.
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    response
}

/// Opens the WebSocket of a client to the agent, unless a fault prevents it.
async fn open_socket(
    http: &HttpRequest,
    payload: Payload,
    context: &Data<Context>,
    number: RequestNumber,
) -> HttpResponse {
    // With its query, so that a fault can be on the socket alone.
    let place = format!("{}?{}", http.path(), http.query_string());
    let fault = context.world().faults.take("GET", &place, &Body::Empty).unwrap_or_default();
    tokio::time::sleep(fault.delay()).await;
    if fault.hang {
        tokio::time::sleep(LONGEST).await;
        return hang_up();
    }
    if fault.closes() {
        return hang_up();
    }
    let opened = match fault.replaces_answer() {
        true => Err(faulty(&fault)),
        false => socket::open(context, http, payload, fault.report),
    };
    let status = opened.as_ref().map_or_else(|refused| refused.status, |_| 101);
    context.world().requests.answered(number, status);
    opened.unwrap_or_else(|refused| into_http(refused.of_request(ids::request()), Duration::ZERO))
}

/// The answer, or None when the connection is to be closed without one.
async fn answer(context: &Data<Context>, request: Request, fault: Option<Fault>) -> Option<Answer> {
    let Some(fault) = fault else { return Some(execute(context, request, Fates::default()).await) };
    let fates = Fates { call: fault.call, report: fault.report };
    let (executed, request) = match fault.after {
        true => (Some(execute(context, request, fates).await), None),
        false => (None, Some(request)),
    };
    tokio::time::sleep(fault.delay()).await;
    if fault.hang {
        tokio::time::sleep(LONGEST).await;
        return None;
    }
    if fault.closes() {
        return None;
    }
    if fault.replaces_answer() {
        return Some(faulty(&fault));
    }
    match request {
        Some(request) => Some(with_headers(execute(context, request, fates).await, &fault)),
        None => executed.map(|answer| with_headers(answer, &fault)),
    }
}

/// Runs a request to its end even when its client leaves, as a server behind a proxy does.
async fn execute(context: &Data<Context>, request: Request, fates: Fates) -> Answer {
    let context = context.clone();
    let work = async move { routes::answer(&context, &request, fates).await };
    actix_web::rt::spawn(work).await.unwrap_or_else(|_| Answer::of_status(500))
}

fn faulty(fault: &Fault) -> Answer {
    let status = fault.status.unwrap_or(200);
    let answer = match &fault.body {
        None => Answer::of_status(status),
        Some(Value::String(raw)) => Answer {
            status,
            headers: Vec::new(),
            body: AnswerBody::Whole(JSON, Bytes::from(raw.clone().into_bytes())),
        },
        Some(body) => Answer::json(status, body.clone()),
    };
    with_headers(answer, fault)
}

fn with_headers(mut answer: Answer, fault: &Fault) -> Answer {
    answer.headers.extend(fault.headers.clone());
    answer
}

fn into_http(answer: Answer, slow_body: Duration) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    let (content_type, body, chunked) = match answer.body {
        AnswerBody::Json(value) => (JSON, Bytes::from(value.to_string()), false),
        AnswerBody::Whole(content_type, body) => (content_type, body, false),
        AnswerBody::Chunked(content_type, body) => (content_type, body, true),
    };
    response.insert_header((CONTENT_TYPE, content_type));
    for (name, value) in &answer.headers {
        let header = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
        if let Some(header) = header {
            response.insert_header(header);
        }
    }
    if !slow_body.is_zero() {
        let piece = body.len().div_ceil(usize::try_from(DRIPS).unwrap_or(1)).max(1);
        let pause = slow_body.checked_div(DRIPS).unwrap_or_default();
        return response.streaming(pieces(body, piece, pause));
    }
    match chunked {
        true => response.streaming(pieces(body, CHUNK, Duration::ZERO)),
        false => response.body(body),
    }
}

/// A body in pieces, with a pause before each.
fn pieces(body: Bytes, piece: usize, pause: Duration) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let next = rest.split_to(piece.min(rest.len()));
        Some((Ok(next), rest))
    })
}

/// Counts a request for as long as it is not answered.
struct UnderWay(Data<Context>);

impl UnderWay {
    fn begin(context: &Data<Context>) -> Self {
        context.under_way.fetch_add(1, Ordering::Relaxed);
        Self(context.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
