//! The output of a session: messages for the client, and changes to the record of the conversation.

use std::time::Instant;

use actix_web::web::Data;

use crate::elevenlabs::context::Context;
use crate::elevenlabs::conversation::Status;
use crate::elevenlabs::lifecycle;
use crate::elevenlabs::world::World;

/// Sends the client's messages, and updates the record of the conversation.
pub(super) fn pass_on(context: &Data<Context>, number: u64) {
    let now = Instant::now();
    let mut world = context.world();
    let World { sessions, conversations, .. } = &mut *world;
    let Some(session) = sessions.get_mut(number).filter(|session| !session.is_frozen) else { return };
    while session.has_outgoing() && context.connections.is_ready(number) {
        if let Some(outgoing) = session.next_outgoing(now) {
            context.connections.give(number, outgoing);
        }
    }
    if !session.take_news() {
        return;
    }
    let id = session.conversation_id().to_owned();
    let fate = session.report_fate();
    if let Some(data) = session.client_data() {
        conversations.tell(&id, data);
    }
    let Some(conversation) = conversations.get_mut(&id) else { return };
    if conversation.status == Status::Initiated
        && let Some(began) = session.began()
    {
        conversation.status = Status::InProgress;
        conversation.started_at = conversation.created_at.checked_add(began).ok();
        conversation.text_only = session.is_text_only();
        conversation.queue_wait = session.queue_wait();
    }
    let Some((length, ending, turns)) = session.outcome() else { return };
    if !matches!(conversation.status, Status::Initiated | Status::InProgress) {
        return;
    }
    conversation.length = length;
    conversation.turns = turns;
    conversation.ending = Some(ending);
    conversation.status = Status::Processing;
    actix_web::rt::spawn(lifecycle::settle_and_report(context.clone(), id, fate));
}
