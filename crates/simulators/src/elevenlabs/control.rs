//! The control requests, `/sim/...`. They need no key and are not recorded.
//!
//! | request | does |
//! |---|---|
//! | `GET`, `DELETE /sim/requests` | the requests to the provider's API; `status` is null without an answer |
//! | `GET`, `PUT`, `DELETE /sim/faults` | see `faults` |
//! | `GET /sim/voices`, `GET /sim/conversations` | voices that were not deleted, and all conversations |
//! | `POST /sim/conversations/{id}/hangup` | the called person hangs up |
//! | `POST /sim/sockets/freeze` | the open WebSockets stay open; nothing is read or sent any more |
//! | `GET /sim/conversations/{id}` | one conversation; `socket` reports on its WebSocket |
//! | `GET /sim/conversations/{id}/audio.wav` | the beginning of the audio that the agent heard |
//! | `GET`, `PUT /sim/agent` | the agent: an object (`session::agent_settings`) or its script only (`session::act`) |
//! | `GET`, `PUT`, `DELETE /sim/account` | plan, ids that exist, webhooks, settings: see `account` |
//! | `GET`, `DELETE /sim/webhooks` | deliveries of webhooks: `[{at, type, conversation_id, attempt, status}]` |
//! | `POST /sim/inbound` | see `inbound` |

use std::sync::Arc;
use std::time::Instant;

use actix_web::web::Data;
use serde_json::{Value, json};

use super::account::Account;
use super::answer::{Answer, AnswerBody};
use super::context::Context;
use super::conversation::{Carrier, Conversation};
use super::faults::Fault;
use super::session::agent_session::Heard;
use super::session::report::SessionReport;
use super::world::World;
use super::{inbound, lifecycle};
use crate::shared::body::Body;
use crate::shared::control::{Refusal, check_answer, parsed, parsed_list};
use crate::shared::fault_list::MOST_FAULTS;
use crate::shared::requests::rfc3339;
use crate::shared::wav::wav;

/// Answers a control request.
pub(super) async fn answer(context: &Data<Context>, method: &str, path: &str, body: &Body) -> Answer {
    serve(context, method, path, body).await.unwrap_or_else(|refused| refused)
}

async fn serve(context: &Data<Context>, method: &str, path: &str, body: &Body) -> Result<Answer, Answer> {
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", ["requests"]) => Ok(Answer::ok(Value::Array(context.world().requests.shown()))),
        ("DELETE", ["requests"]) => Ok(done(|| context.world().requests.clear())),
        ("GET", ["faults"]) => Ok(Answer::ok(json!(context.world().faults.list()))),
        ("PUT", ["faults"]) => {
            let faults = faults(body)?;
            Ok(done(|| context.world().faults.set(faults)))
        }
        ("DELETE", ["faults"]) => Ok(done(|| context.world().faults.clear())),
        ("GET", ["voices"]) => Ok(Answer::ok(voices(&context.world()))),
        ("GET", ["conversations"]) => Ok(Answer::ok(conversations(&context.world()))),
        ("POST", ["conversations", id, "hangup"]) => {
            Ok(Answer::ok(json!({"ok": lifecycle::hang_up(&context.shared, id)})))
        }
        ("POST", ["sockets", "freeze"]) => Ok(done(|| context.world().sessions.freeze())),
        ("GET", ["conversations", id]) => conversation(&context.world(), id),
        ("GET", ["conversations", id, "audio.wav"]) => audio(&context.world(), id),
        ("GET", ["agent"]) => Ok(Answer::ok(json!(*context.world().agent))),
        ("PUT", ["agent"]) => {
            let told: Value = parsed(body)?;
            let mut world = context.world();
            let agent = world.agent.told(told).map_err(|why| Answer::plain(400, &why))?;
            Ok(done(|| world.agent = Arc::new(agent)))
        }
        ("GET", ["account"]) => Ok(Answer::ok(json!(context.world().account))),
        ("PUT", ["account"]) => {
            let account: Account = parsed(body)?;
            account.check().map_err(|why| Answer::plain(400, &why))?;
            Ok(done(|| context.world().set_account(account, context.shared.voice_slots)))
        }
        ("DELETE", ["account"]) => {
            Ok(done(|| context.world().set_account(Account::default(), context.shared.voice_slots)))
        }
        ("GET", ["webhooks"]) => Ok(Answer::ok(Value::Array(context.world().deliveries.shown()))),
        ("DELETE", ["webhooks"]) => Ok(done(|| context.world().deliveries.clear())),
        ("POST", ["inbound"]) => Ok(inbound::arrive(context, parsed(body)?).await),
        (
            _,
            [
                "requests" | "faults" | "voices" | "conversations" | "sockets" | "agent" | "account"
                | "webhooks" | "inbound",
            ],
        ) => Err(Answer::plain(405, "Method Not Allowed")),
        _ => Err(Answer::plain(404, "Not Found")),
    }
}

fn done(work: impl FnOnce()) -> Answer {
    work();
    Answer::ok(json!({"ok": true}))
}

fn faults(body: &Body) -> Result<Vec<Fault>, Refusal> {
    let faults: Vec<Fault> = parsed_list(body, MOST_FAULTS, "faults")?;
    for fault in &faults {
        check_answer(fault.status, &fault.headers)?;
    }
    Ok(faults)
}

/// The clones that were not deleted.
pub(super) fn voices(world: &World) -> Value {
    let shown = world.voices.all().into_iter().map(
        |voice| json!({"voice_id": voice.id, "name": voice.name, "created_at": rfc3339(voice.created_at)}),
    );
    Value::Array(shown.collect())
}

/// Every conversation, oldest first.
pub(super) fn conversations(world: &World) -> Value {
    Value::Array(world.conversations.all().map(shown).collect())
}

fn shown(conversation: &Conversation) -> Value {
    let about = &conversation.about;
    let number = matches!(about.carrier, Carrier::Phone(_)).then_some(&about.external_number);
    json!({
        "conversation_id": conversation.id,
        "agent_id": about.agent_id,
        "user_id": conversation.user_id(),
        "to_number": number,
        "status": conversation.status.name(),
        "voice_id": conversation.voice_id(),
    })
}

fn conversation(world: &World, id: &str) -> Result<Answer, Answer> {
    let found = world.conversations.get(id).ok_or_else(|| Answer::plain(404, "Not Found"))?;
    let mut shown = shown(found);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("socket".to_owned(), json!(report(world, id)));
    }
    Ok(Answer::ok(shown))
}

/// What came through the WebSocket of a conversation.
pub(super) fn report(world: &World, id: &str) -> Option<SessionReport> {
    let session = world.sessions.get(world.conversations.get(id)?.number)?;
    Some(SessionReport::of(session, Instant::now()))
}

/// What came through every WebSocket, oldest first.
pub(super) fn reports(world: &World) -> Vec<SessionReport> {
    let now = Instant::now();
    world.sessions.all().map(|session| SessionReport::of(session, now)).collect()
}

/// The first of what the agent heard through the WebSocket of a conversation.
pub(super) fn heard(world: &World, id: &str) -> Option<Heard> {
    Some(world.sessions.get(world.conversations.get(id)?.number)?.heard())
}

fn audio(world: &World, id: &str) -> Result<Answer, Answer> {
    let heard = heard(world, id).ok_or_else(|| Answer::plain(404, "Not Found"))?;
    let samples: Vec<u8> = heard.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let body = AnswerBody::Whole("audio/wav", wav(heard.rate, &samples).into());
    Ok(Answer { status: 200, headers: Vec::new(), body })
}
