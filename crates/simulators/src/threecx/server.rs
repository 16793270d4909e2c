//! HTTP: records each request, reads it, applies a fault, answers.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::answer::{Answer, Content};
use super::context::Context;
use super::faults::Fault;
use super::routes::{self, Endpoint};
use super::{control, get_stream, post_stream, socket};
use crate::shared::body::{self, Body};
use crate::shared::control::is_control;
use crate::shared::fault_list::LONGEST;
use crate::shared::requests::RequestNumber;
use crate::shared::server::{hang_up, head_of};

const JSON: &str = "application/json; charset=utf-8";

/// Every request comes in here.
pub(super) async fn serve(http: HttpRequest, payload: Payload, context: Data<Context>) -> HttpResponse {
    let path = http.uri().path().to_owned();
    let method = http.method().as_str().to_owned();
    if is_control(&path) {
        let body = body::read(http.headers(), payload).await;
        return into_http(control::answer(&context, &method, &path, &body).await);
    }
    let number = context.world().requests.begin(head_of(&http, &path));
    match answer(&context, &http, payload, number, &method, &path).await {
        Reply::Answer(answer) => {
            context.world().requests.answered(number, answer.status);
            into_http(answer)
        }
        Reply::Stream(response) => {
            let status = response.status().as_u16();
            // What a POST stream ends with is noted by the stream itself.
            if !matches!((method.as_str(), status), ("POST", 200)) {
                context.world().requests.answered(number, status);
            }
            response
        }
        Reply::Nothing => hang_up(),
    }
}

enum Reply {
    Answer(Answer),
    Stream(HttpResponse),
    Nothing,
}

impl From<Result<HttpResponse, Answer>> for Reply {
    fn from(opened: Result<HttpResponse, Answer>) -> Self {
        opened.map_or_else(Self::Answer, Self::Stream)
    }
}

async fn answer(
    context: &Data<Context>,
    http: &HttpRequest,
    payload: Payload,
    number: RequestNumber,
    method: &str,
    path: &str,
) -> Reply {
    let endpoint = routes::endpoint(method, path);
    let is_live = matches!(endpoint, Ok(Endpoint::Socket | Endpoint::Hear(..) | Endpoint::Speak(..)));
    let (body, payload) = match is_live {
        true => (Body::Empty, Some(payload)),
        false => (body::read(http.headers(), payload).await, None),
    };
    let fault = {
        let mut world = context.world();
        if !is_live {
            world.requests.body(number, masked(&body));
        }
        world.faults.take(method, path)
    };
    let mut extra = Vec::new();
    if let Some(fault) = fault {
        if fault.cut_response {
            let _unheard = execute(context, http, endpoint, body).await;
            return Reply::Nothing;
        }
        if let Some(reply) = spoil(&fault).await {
            return reply;
        }
        extra.extend(fault.headers);
    }
    let Some(payload) = payload else {
        let mut answer = execute(context, http, endpoint, body).await;
        answer.headers.extend(extra);
        return Reply::Answer(answer);
    };
    let client = match routes::check_token(context, http.headers()) {
        Ok(client) => client,
        Err(refused) => return Reply::Answer(refused),
    };
    let endpoint = endpoint.and_then(|endpoint| routes::of_client(context, &client, endpoint));
    if let Ok(endpoint) = &endpoint
        && let Err(refused) = routes::check_grants(context, endpoint)
    {
        return Reply::Answer(refused);
    }
    match endpoint {
        Ok(Endpoint::Socket) => socket::open(context, http, payload).into(),
        Ok(Endpoint::Hear(dn, id)) => get_stream::open(context, &dn, &id).into(),
        Ok(Endpoint::Speak(dn, id)) => {
            post_stream::listen(context, http, payload, number, &dn, &id).await.into()
        }
        Ok(_) => Reply::Answer(Answer::bare(404)),
        Err(refused) => Reply::Answer(refused),
    }
}

/// Waits as the fault says, then gives the fault's own reply, if it has one.
async fn spoil(fault: &Fault) -> Option<Reply> {
    tokio::time::sleep(fault.delay()).await;
    if fault.hang {
        tokio::time::sleep(LONGEST).await;
        return Some(Reply::Nothing);
    }
    if fault.close {
        return Some(Reply::Nothing);
    }
    fault.replaces_answer().then(|| Reply::Answer(faulty(fault)))
}

fn faulty(fault: &Fault) -> Answer {
    let status = fault.status.unwrap_or(200);
    let mut answer = match &fault.body {
        None => Answer::bare(status),
        Some(Value::String(raw)) => {
            let body = Content::Bytes(JSON, raw.clone().into_bytes());
            Answer { status, headers: Vec::new(), body }
        }
        Some(body) => Answer::json(status, body.clone()),
    };
    answer.headers.extend(fault.headers.clone());
    answer
}

/// Runs a request to its end even when its client leaves, as a server behind a proxy does.
async fn execute(
    context: &Data<Context>,
    http: &HttpRequest,
    endpoint: Result<Endpoint, Answer>,
    body: Body,
) -> Answer {
    let is_token = matches!(endpoint, Ok(Endpoint::Token));
    let client = match routes::check_token(context, http.headers()) {
        Ok(client) => client,
        Err(_) if is_token => String::new(),
        Err(refused) => return refused,
    };
    let endpoint = match endpoint.and_then(|endpoint| routes::of_client(context, &client, endpoint)) {
        Ok(endpoint) => endpoint,
        Err(refused) => return refused,
    };
    let context = context.clone();
    let work = async move { routes::answer(&context, &endpoint, &body).await };
    actix_web::rt::spawn(work).await.unwrap_or_else(|_| Answer::bare(500))
}

/// The body as the log shows it, without the client's secret: every client can read the log.
fn masked(body: &Body) -> Value {
    const SECRET: &str = "client_secret";
    match body {
        Body::Text(text) if text.contains(SECRET) => {
            let fields = url::form_urlencoded::parse(text.as_bytes());
            let shown = fields
                .map(|(name, value)| (name.clone(), if name == SECRET { "(secret)".into() } else { value }));
            Value::String(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(shown).finish())
        }
        Body::Upload(parts) => {
            let mut parts = parts.clone();
            for part in parts.iter_mut().filter(|part| part.name == SECRET) {
                part.value = Some("(secret)".to_owned());
            }
            Body::Upload(parts).shown()
        }
        Body::Empty | Body::Json(_) | Body::Text(_) | Body::TooLarge | Body::Broken(_) => body.shown(),
    }
}

fn into_http(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        let header = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
        if let Some((name, value)) = header.filter(|(name, _)| *name != AUTHORIZATION) {
            response.insert_header((name, value));
        }
    }
    match answer.body {
        Content::Empty => response.finish(),
        Content::Json(value) => response.insert_header((CONTENT_TYPE, JSON)).body(value.to_string()),
        Content::Bytes(content_type, body) => response.insert_header((CONTENT_TYPE, content_type)).body(body),
    }
}
