//! `/callcontrol/ws`: one WebSocket connection, which sends events and answers requests.

use std::time::{Duration, Instant};

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::answer::Answer;
use super::context::Context;
use super::events::{ABNORMAL, Event, Kind, Told};
use super::routes;
use crate::shared::body::Body;
use crate::shared::fault_list::LONGEST;

/// A client that takes no bytes for this long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Opens a connection.
///
/// # Errors
/// 503 while connections are refused, 400 when it is no upgrade.
pub(super) fn open(
    context: &Data<Context>,
    http: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Answer> {
    let mut world = context.world();
    if world.ws_down_until.is_some_and(|until| Instant::now() < until) {
        return Err(Answer::bare(503));
    }
    let (response, session, messages) =
        actix_ws::handle(http, payload).map_err(|error| Answer::refused(400, &error.to_string()))?;
    let Some((number, orders)) = world.hub.open() else { return Err(Answer::bare(503)) };
    if let Some(fault) = world.faults.take_ws_close() {
        world.close_sockets(&fault, Instant::now());
    }
    let context = context.clone();
    actix_web::rt::spawn(async move {
        converse(&context, number, session, messages, orders).await;
        context.world().hub.gone(number);
    });
    Ok(response)
}

async fn converse(
    context: &Data<Context>,
    number: u64,
    mut session: Session,
    mut messages: MessageStream,
    mut orders: mpsc::Receiver<Told>,
) {
    loop {
        let sent = tokio::select! {
            told = orders.recv() => match told {
                Some(Told::Say(text)) => tokio::time::timeout(SEND_WITHIN, session.text(text)).await,
                Some(Told::Close(code, reason)) => return close(session, code, reason).await,
                Some(Told::Stall) => return stall(orders, session, messages).await,
                None => return,
            },
            message = messages.recv() => match message {
                Some(Ok(Message::Ping(payload))) => tokio::time::timeout(SEND_WITHIN, session.pong(&payload)).await,
                Some(Ok(Message::Text(text))) => {
                    actix_web::rt::spawn(serve(context.clone(), number, text.to_string()));
                    Ok(Ok(()))
                }
                Some(Ok(Message::Close(reason))) => {
                    let _gone = session.close(reason).await;
                    return;
                }
                Some(Ok(Message::Binary(_) | Message::Pong(_) | Message::Continuation(_) | Message::Nop)) => Ok(Ok(())),
                Some(Err(_)) | None => return,
            },
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// Code 1006 means that no close frame is sent: the connection is dropped.
async fn close(session: Session, code: u16, reason: String) {
    if code != ABNORMAL {
        let reason = CloseReason {
            code: CloseCode::from(code),
            description: Some(reason).filter(|reason| !reason.is_empty()),
        };
        let _gone = session.close(Some(reason)).await;
    }
}

/// Stays open and says nothing, not even to a ping, until the simulator ends it.
async fn stall(mut orders: mpsc::Receiver<Told>, session: Session, messages: MessageStream) {
    let ended = async {
        loop {
            match orders.recv().await {
                Some(Told::Say(_) | Told::Stall) => {}
                Some(Told::Close(..)) | None => return,
            }
        }
    };
    let _ended = tokio::time::timeout(LONGEST, ended).await;
    drop((session, messages));
}

/// A request over the socket (facts page, section 1.4); which case its keys have is not known, so any will do.
async fn serve(context: Data<Context>, number: u64, text: String) {
    let Ok(Value::Object(request)) = serde_json::from_str::<Value>(&text) else { return };
    let id = field(&request, "requestid").cloned().unwrap_or_default();
    let path = field(&request, "path").and_then(Value::as_str).unwrap_or_default().to_owned();
    let data = field(&request, "requestdata").cloned().unwrap_or_default();
    let body = if data.is_null() { Body::Empty } else { Body::Json(data) };
    let answer = match routes::of_socket(&path) {
        Ok(endpoint) => routes::answer(&context, &endpoint, &body).await,
        Err(refused) => refused,
    };
    let attached_data =
        json!({"RequestID": id, "Path": path, "StatusCode": answer.status, "Response": answer.document()});
    let event = Event { kind: Kind::Response, entity: path, attached_data };
    context.world().hub.tell_one(number, &event);
}

fn field<'a>(request: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    request.iter().find(|(key, _)| key.replace('_', "").eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
