//! The life of a conversation: ringing, answered, over, processed, reported.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use jiff::Timestamp;

use super::context::Context;
use super::conversation::{Ending, Status};
use super::dialogue::Spoken;
use super::faults::{CallFate, Fates, ReportFate};
use super::webhook;
use super::world::{Shared, World};

/// How long a phone rings here.
const RINGING: Duration = Duration::from_millis(50);
/// How long a conversation is processed after its end.
const PROCESSING: Duration = Duration::from_millis(20);

/// Runs one conversation by telephone to its end. A refused override lets it fail to start once it is answered.
pub(super) async fn conduct(context: Data<Context>, id: String, fates: Fates, refusal: Option<String>) {
    tokio::time::sleep(RINGING.min(context.shared.conversation)).await;
    match fates.call {
        Some(CallFate::Busy) => return not_reached(&context, &id, "busy", fates).await,
        Some(CallFate::NoAnswer) => return not_reached(&context, &id, "no-answer", fates).await,
        Some(CallFate::Unknown) => return not_reached(&context, &id, "unknown", fates).await,
        Some(CallFate::Failed) => {
            return cannot_start(&context, &id, Ending::cannot_start("conversation could not start"), fates)
                .await;
        }
        None => {}
    }
    if let Some(message) = refusal.or_else(|| missing_variable(&context, &id)) {
        return cannot_start(&context, &id, Ending::cannot_start(&message), fates).await;
    }
    if voice_is_gone(&context, &id) {
        return cannot_start(&context, &id, Ending::cannot_start("voice_id_does_not_exist"), fates).await;
    }
    session(&context, &id).await;
    settle_and_report(context, id, fates.report).await;
}

/// Processes and reports a conversation that is over.
pub(super) async fn settle_and_report(context: Data<Context>, id: String, fate: ReportFate) {
    tokio::time::sleep(PROCESSING).await;
    settle(&context, &id);
    webhook::report_machine(&context, &id, fate).await;
    webhook::report(&context, &id, fate).await;
}

fn missing_variable(context: &Context, id: &str) -> Option<String> {
    let world = context.world();
    let variables = world.conversations.get(id)?.variables();
    world.agent.missing_variable(&variables)
}

fn voice_is_gone(context: &Context, id: &str) -> bool {
    let world = context.world();
    let voice = world.conversations.get(id).and_then(|conversation| conversation.voice_id());
    voice.is_some_and(|voice| world.voices.is_missing(voice))
}

/// From picking up to hanging up.
async fn session(context: &Context, id: &str) {
    let longest = context.shared.conversation;
    let (length, ending, end_now) = {
        let mut world = context.world();
        let longest_of_agent = Duration::from_millis(world.agent.max_duration_ms);
        let Some(conversation) = world.conversations.get_mut(id) else { return };
        conversation.status = Status::InProgress;
        conversation.started_at = Some(Timestamp::now());
        let maximum = conversation.maximum(longest_of_agent);
        let ending = if maximum < longest { Ending::max_duration() } else { Ending::hung_up() };
        (longest.min(maximum), ending, conversation.end_now.clone())
    };
    let picked_up = tokio::time::Instant::now();
    let ended_early = tokio::time::timeout(length, end_now.notified()).await.is_ok();

    let mut world = context.world();
    let agent = Arc::clone(&world.agent);
    let Some(conversation) = world.conversations.get_mut(id) else { return };
    conversation.length = if ended_early { picked_up.elapsed() } else { length };
    if !agent.never_speaks {
        let spoken = agent.script.spoken(conversation.first_message(), &conversation.variables());
        conversation.turns = spoken.into_iter().map(Spoken::from).collect();
    }
    conversation.status = Status::Processing;
    // An early end has set the reason.
    conversation.ending.get_or_insert(ending);
}

fn settle(context: &Context, id: &str) {
    let mut world = context.world();
    let Some(conversation) = world.conversations.get_mut(id) else { return };
    let broke = conversation.ending.as_ref().is_some_and(|ending| ending.error.is_some());
    conversation.status = if broke { Status::Failed } else { Status::Done };
}

async fn not_reached(context: &Data<Context>, id: &str, reason: &'static str, fates: Fates) {
    fail(context, id, Ending::not_reached(reason));
    webhook::report_not_reached(context, id, reason, fates.report).await;
}

async fn cannot_start(context: &Data<Context>, id: &str, ending: Ending, fates: Fates) {
    fail(context, id, ending);
    webhook::report(context, id, fates.report).await;
}

fn fail(context: &Context, id: &str, ending: Ending) {
    if let Some(conversation) = context.world().conversations.get_mut(id) {
        conversation.status = Status::Failed;
        conversation.ending = Some(ending);
    }
}

/// Ends every conversation whose voice was deleted. The provider's behaviour is not documented, but a service that
/// deletes a voice in use must notice it.
pub(super) fn voice_deleted(context: &Context, voice_id: &str) {
    let mut world = context.world();
    let World { conversations, sessions, .. } = &mut *world;
    for conversation in conversations.live_mut() {
        if conversation.status != Status::InProgress || conversation.voice_id() != Some(voice_id) {
            continue;
        }
        match sessions.get_mut(conversation.number) {
            Some(session) => session.voice_lost(Instant::now()),
            None => {
                conversation.ending = Some(Ending::voice_lost());
                conversation.end_now.notify_one();
            }
        }
    }
}

/// The person hangs up; false when the conversation is not going on.
pub(super) fn hang_up(shared: &Shared, id: &str) -> bool {
    let mut world = shared.world();
    let World { conversations, sessions, .. } = &mut *world;
    let Some(conversation) = conversations.get_mut(id) else { return false };
    let live = matches!(conversation.status, Status::Initiated | Status::InProgress);
    if let Some(session) = sessions.get_mut(conversation.number).filter(|_| live) {
        // The next tick tells the client.
        session.hang_up(Instant::now());
    } else if live {
        conversation.ending = Some(Ending::hung_up());
        conversation.end_now.notify_one();
    }
    live
}
