//! `GET /v1/convai/conversation`: a client opens its WebSocket to the agent, and what comes through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream};
use jiff::Timestamp;
use serde_json::Map;
use tokio::sync::oneshot;

use super::agent_session::NewSession;
use super::{output, tick};
use crate::elevenlabs::answer::Answer;
use crate::elevenlabs::context::Context;
use crate::elevenlabs::conversation::{Authorization, Carrier, Direction, NewConversation};
use crate::elevenlabs::faults::ReportFate;
use crate::elevenlabs::world::World;

const PATH: &str = "/v1/convai/conversation";
/// Larger messages end the connection: a quarter of a second of the widest audio is 32 KiB.
const LARGEST_MESSAGE: usize = 256 * 1024;

/// Whether a request is for the agent's WebSocket.
pub(in crate::elevenlabs) fn is_for(method: &str, path: &str) -> bool {
    method == "GET" && path == PATH
}

/// Opens a socket.
///
/// # Errors
/// 404 when it is no upgrade, as FastAPI has it; 422 without an agent; 429 when the table is full.
pub(in crate::elevenlabs) fn open(
    context: &Data<Context>,
    http: &HttpRequest,
    payload: Payload,
    report: ReportFate,
) -> Result<HttpResponse, Answer> {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(http.query_string().as_bytes()).into_owned().collect();
    let param = |name: &str| query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    // The client offers `convai` or nothing; both work (facts page, section 4).
    let (response, socket, messages) = actix_ws::handle_with_protocols(http, payload, &["convai"])
        .map_err(|_| Answer::plain(404, "Not Found"))?;
    let now = Instant::now();
    let agent_id = param("agent_id").unwrap_or_default();
    let mut world = context.world();
    let signature = param("conversation_signature");
    let authorization = match signature {
        Some(_) => Authorization::SignedUrl,
        None => Authorization::Public,
    };
    let is_allowed = match signature {
        Some(signature) => world.signed_urls.opens(signature, agent_id, now),
        None => !agent_id.is_empty() && !world.agent.is_private() && world.account.has_agent(agent_id),
    };
    let Some(number) = begin(&mut world, agent_id, authorization, report, context.shared.conversation, now)
    else {
        return Err(Answer::error(429, "concurrent_limit_exceeded", "Too many concurrent conversations."));
    };
    if !is_allowed && let Some(session) = world.sessions.get_mut(number) {
        session.refuse(now);
    }
    drop(world);
    let over = context.connections.open(number, socket);
    let messages = messages
        .max_frame_size(LARGEST_MESSAGE)
        .aggregate_continuations()
        .max_continuation_size(LARGEST_MESSAGE);
    actix_web::rt::spawn(listen(context.clone(), number, messages, over));
    tick::keep_going(context);
    output::pass_on(context, number);
    Ok(response)
}

fn begin(
    world: &mut World,
    agent_id: &str,
    authorization: Authorization,
    report: ReportFate,
    length: Duration,
    now: Instant,
) -> Option<u64> {
    let about = NewConversation {
        agent_id: agent_id.to_owned(),
        phone_number_id: String::new(),
        carrier: Carrier::Socket(authorization),
        direction: Direction::Inbound,
        external_number: String::new(),
        agent_number: String::new(),
        call_sid: String::new(),
        client_data: Map::new(),
        holds_line: false,
        report: Arc::clone(&world.agent.report),
    };
    let wall = Timestamp::now();
    let conversation = world.conversations.begin(about, wall).ok()?;
    let number = conversation.number;
    let agent = world.agent.of_conversation(number);
    let format = agent.user_input_audio_format;
    let kept = format.samples(agent.record_ms).saturating_mul(format.width());
    let session = NewSession {
        conversation_id: conversation.id.clone(),
        agent,
        authorization,
        report,
        length,
        opened: now,
        opened_at: wall,
        kept_at_most: usize::try_from(kept).unwrap_or(0),
    };
    world.sessions.begin(number, session);
    Some(number)
}

async fn listen(
    context: Data<Context>,
    number: u64,
    mut messages: AggregatedMessageStream,
    mut over: oneshot::Receiver<()>,
) {
    loop {
        let is_frozen = context.world().sessions.get(number).is_some_and(|session| session.is_frozen);
        if is_frozen {
            // Nothing is read any more; the connection is dropped with the simulator.
            let _dropped = over.await;
            return;
        }
        let message = tokio::select! {
            biased;
            _dropped = &mut over => break,
            message = messages.recv() => message,
        };
        let now = Instant::now();
        let mut world = context.world();
        let World { sessions, voices, .. } = &mut *world;
        let Some(session) = sessions.get_mut(number) else { break };
        let mut is_open = true;
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => session.receive(&text, voices, now),
            Some(Ok(AggregatedMessage::Binary(_))) => session.receive_binary(now),
            Some(Ok(AggregatedMessage::Ping(payload))) => session.pong(payload, now),
            Some(Ok(AggregatedMessage::Pong(_))) => {}
            Some(Ok(AggregatedMessage::Close(reason))) => {
                let code = reason.as_ref().map(|reason| u16::from(reason.code));
                let text = reason.and_then(|reason| reason.description).unwrap_or_default();
                session.closed(code, &text, now);
                is_open = false;
            }
            Some(Err(_)) | None => {
                session.gone(now);
                is_open = false;
            }
        }
        drop(world);
        output::pass_on(&context, number);
        if !is_open {
            break;
        }
    }
    context.connections.close(number);
}
