//! Finds out at the provider what became of a conversation whose answer or report is missing.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};
use precall_call::{At, CallPart, ConversationId, Event, GreetingEnd, HandoffFailure, Purpose};
use precall_providers::elevenlabs::ConversationDetail;

use crate::call::call_context::CallContext;
use crate::call::messages::{Happened, PartDown, PartParent};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;

/// One exchange.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// A conversation that was just begun may not be listed at once.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// The provider's clock and ours; its times are whole seconds.
const CLOCK_SLACK_SECONDS: i64 = 5;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the conversation is for.
    pub purpose: Purpose,
    /// The attempt it would belong to.
    pub attempt: u8,
    /// Its id, where it is known and only its report is missing.
    pub id: Option<ConversationId>,
    /// Conversations of this call that are known already.
    pub known: Vec<ConversationId>,
    /// It cannot have begun earlier.
    pub since: At,
}

/// See the file.
pub struct ConversationLookup {
    question: Question,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    _notice: DownNotice<PartDown>,
}

impl ConversationLookup {
    /// For one question of one call. A look-up that panics found nothing: that is no part of the call's panics.
    #[must_use]
    pub fn new(
        question: Question,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
    ) -> Self {
        let part = match question.purpose {
            Purpose::Greeting => CallPart::Greeting,
            Purpose::Agent => CallPart::Handoff,
        };
        let notice = DownNotice::new(call.down.clone(), move |_| PartDown { part, panicked: false });
        Self { question, context, services, call, _notice: notice }
    }
}

impl Actor for ConversationLookup {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (question, context) = (self.question.clone(), Arc::clone(&self.context));
        let (services, call) = (Arc::clone(&self.services), self.call.happened.clone());
        let asked = async move { ask(&question, &context, &services, &call).await };
        ctx.spawn(asked.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

async fn ask(
    question: &Question,
    context: &CallContext,
    services: &CallServices,
    call: &Recipient<Happened>,
) {
    let clients = services.clients.here();
    let id = match &question.id {
        Some(id) => id.clone(),
        None => {
            match find(&clients, context, &question.known, question.since).await {
                Found::Conversation(id) => {
                    call.do_send(Happened::part(found_event(question, id.clone())));
                    id
                }
                Found::Nothing => return call.do_send(Happened::part(nothing_found(question))),
                // The call's deadline answers for what cannot be known.
                Found::Unasked => return,
            }
        }
    };
    let detail = clients.bulk.conversation(&id, ASK_WITHIN).await;
    services.provider.note(&detail);
    if let Ok(ConversationDetail::Reported(report)) = detail {
        let event = Event::Reported(report.fact());
        call.do_send(Happened { payload: Payload::Report(report), ..Happened::part(event) });
    }
}

fn found_event(question: &Question, id: ConversationId) -> Event {
    match question.purpose {
        Purpose::Greeting => Event::GreetingStarted { conversation: Some(id) },
        Purpose::Agent => Event::HandoffSucceeded { attempt: question.attempt, conversation: Some(id) },
    }
}

/// Nothing is listed, seconds after it would have begun. The call does not wait for it any longer; an agent is not dialled
/// a second time all the same.
fn nothing_found(question: &Question) -> Event {
    match question.purpose {
        Purpose::Greeting => Event::GreetingEnded { end: GreetingEnd::Failed },
        Purpose::Agent => Event::HandoffFailed { attempt: question.attempt, why: HandoffFailure::Unknown },
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one.
    Conversation(ConversationId),
    /// The provider lists none.
    Nothing,
    /// The provider could not be asked, which says nothing.
    Unasked,
}

/// Whether an earlier start may have dialled what is about to be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// No: this one has had the call from its beginning.
    None,
    /// It may have, and not have lived to tell: what it knew may be on a disk that nobody reads.
    Perhaps,
}

/// The conversation that an earlier start began, if the provider lists one that is not one of `known`.
pub async fn begun_earlier(clients: &Clients, context: &CallContext, known: &[ConversationId]) -> Found {
    let agent = Some(context.line.agent_id.as_str());
    let Ok(list) = clients.bulk.conversations_of(context.id, agent, ASK_WITHIN).await else {
        return Found::Unasked;
    };
    let found = list.conversations.into_iter().find(|c| !known.contains(&c.conversation));
    found.map_or(Found::Nothing, |found| Found::Conversation(found.conversation))
}

/// The conversation of this call (`user_id`) that began after `since` and is not one of `known`.
pub async fn find(clients: &Clients, context: &CallContext, known: &[ConversationId], since: At) -> Found {
    let mut asked = false;
    let earliest = since.0.div_euclid(1_000_000).saturating_sub(CLOCK_SLACK_SECONDS);
    for pause in PAUSES {
        tokio::time::sleep(pause).await;
        let agent = Some(context.line.agent_id.as_str());
        let Ok(list) = clients.bulk.conversations_of(context.id, agent, ASK_WITHIN).await else { continue };
        asked = true;
        let found = list.conversations.into_iter().find(|c| {
            !known.contains(&c.conversation) && c.started_at_unix.is_none_or(|started| started >= earliest)
        });
        if let Some(found) = found {
            return Found::Conversation(found.conversation);
        }
    }
    if asked { Found::Nothing } else { Found::Unasked }
}
