//! Looks up a conversation at ElevenLabs when the answer to its dial or its report is missing.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};
use precall_base::clock;
use precall_call::{At, CallPart, ConversationId, Event, GreetingEnd, HandoffFailure, Purpose};
use precall_providers::elevenlabs::ConversationDetail;
use precall_providers::wire_record::tapped;

use crate::call::call_context::CallContext;
use crate::call::messages::{CallEvent, PartDown, PartParent};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before ElevenLabs is asked again, while it cannot be reached.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// After this time the call's deadline decides.
const ASKED_FOR: Duration = Duration::from_secs(120);
/// Delays before each try: ElevenLabs may not list a new conversation at once.
const RETRY_DELAYS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// Allowed difference between ElevenLabs' clock and ours. Its times are whole seconds.
const CLOCK_SLACK_SECONDS: i64 = 5;

/// Why nothing was dialled after [`LookupResult::Unavailable`].
pub(crate) const UNAVAILABLE: &str = "an earlier dial could not be looked up at ElevenLabs";

/// Status of a conversation whose telephone call goes on (ElevenLabs facts, section 6).
const IN_PROGRESS: &str = "in-progress";

/// The conversation to look up.
#[derive(Clone, Debug)]
pub struct LookupQuery {
    /// The conversation's purpose.
    pub purpose: Purpose,
    /// The handoff attempt that it would belong to.
    pub attempt: u8,
    /// Its id, if known: then only the report is missing.
    pub id: Option<ConversationId>,
    /// The call's conversations that are already known.
    pub known: Vec<ConversationId>,
    /// The earliest possible start.
    pub since: At,
}

/// One look-up for one call.
pub struct ConversationLookup {
    query: LookupQuery,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    _notice: DownNotice<PartDown>,
}

impl ConversationLookup {
    /// A look-up of one conversation. A panic in it counts as "nothing found", not as a panic of the call.
    #[must_use]
    pub fn new(
        query: LookupQuery,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
    ) -> Self {
        let part = match query.purpose {
            Purpose::Greeting => CallPart::Greeting,
            Purpose::Agent => CallPart::Handoff,
        };
        let notice = DownNotice::new(call.down.clone(), move |_| PartDown { part, panicked: false });
        Self { query, context, services, call, _notice: notice }
    }
}

impl Actor for ConversationLookup {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (query, context) = (self.query.clone(), Arc::clone(&self.context));
        let (services, call) = (Arc::clone(&self.services), self.call.events.clone());
        let tap = self.services.wire.tap(self.context.id);
        let lookup = tapped(tap, async move { look_up(&query, &context, &services, &call).await });
        ctx.spawn(lookup.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

async fn look_up(
    query: &LookupQuery,
    context: &CallContext,
    services: &CallServices,
    call: &Recipient<CallEvent>,
) {
    let clients = services.clients.here();
    let id = match &query.id {
        Some(id) => id.clone(),
        None => {
            match find(&clients, context, &query.known, query.since).await {
                LookupResult::Found(id) => {
                    call.do_send(CallEvent::part(found_event(query, id.clone())));
                    id
                }
                LookupResult::NotFound => return call.do_send(CallEvent::part(nothing_found(query))),
                // The call's deadline handles this case.
                LookupResult::Unavailable => return,
            }
        }
    };
    let detail = clients.bulk.conversation(&id, REQUEST_TIMEOUT).await;
    services.provider.note(&detail);
    match detail {
        Ok(ConversationDetail::Reported(report)) => {
            let event = Event::Reported(report.fact());
            call.do_send(CallEvent { payload: Payload::Report(report), ..CallEvent::part(event) });
        }
        Ok(ConversationDetail::NotYet { status })
            if query.purpose == Purpose::Greeting && status == IN_PROGRESS =>
        {
            call.do_send(CallEvent::part(Event::GreetingRuns));
        }
        Ok(ConversationDetail::NotYet { .. }) | Err(_) => {}
    }
}

fn found_event(query: &LookupQuery, id: ConversationId) -> Event {
    match query.purpose {
        Purpose::Greeting => Event::GreetingStarted { conversation: Some(id) },
        Purpose::Agent => Event::HandoffSucceeded { attempt: query.attempt, conversation: Some(id) },
    }
}

/// ElevenLabs lists no conversation seconds after it would have started. The call stops waiting, but does not dial an
/// agent a second time.
fn nothing_found(query: &LookupQuery) -> Event {
    match query.purpose {
        Purpose::Greeting => Event::GreetingEnded { end: GreetingEnd::Failed },
        Purpose::Agent => Event::HandoffFailed { attempt: query.attempt, why: HandoffFailure::Unknown },
    }
}

/// The result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// This conversation.
    Found(ConversationId),
    /// ElevenLabs lists no matching conversation.
    NotFound,
    /// ElevenLabs could not be reached: nothing is known.
    Unavailable,
}

/// Whether an earlier process may already have dialled this conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierDial {
    /// No, or a look-up could not tell: dial at once.
    None,
    /// Possibly: it may have stopped before it recorded the dial, or its spool may be lost. Look up before dialling.
    Possible,
}

/// Finds the conversation that an earlier process started: one that ElevenLabs lists and that is not in `known`.
pub async fn find_earlier(
    clients: &Clients,
    context: &CallContext,
    known: &[ConversationId],
) -> LookupResult {
    let agent = Some(context.line.agent_id.as_str());
    let Ok(list) = clients.bulk.conversations_of(context.id, agent, REQUEST_TIMEOUT).await else {
        return LookupResult::Unavailable;
    };
    let found = list.conversations.into_iter().find(|c| !known.contains(&c.conversation));
    found.map_or(LookupResult::NotFound, |found| LookupResult::Found(found.conversation))
}

/// Finds a conversation of this call (`user_id`) that started after `since` and is not in `known`. While ElevenLabs
/// cannot be reached it is asked again and again: until it answers, the call can only wait.
pub async fn find(
    clients: &Clients,
    context: &CallContext,
    known: &[ConversationId],
    since: At,
) -> LookupResult {
    let give_up_at = clock::now().plus(ASKED_FOR);
    loop {
        let found = find_now(clients, context, known, since).await;
        if found != LookupResult::Unavailable || clock::now() >= give_up_at {
            return found;
        }
        tokio::time::sleep(ASKED_AGAIN_AFTER).await;
    }
}

async fn find_now(
    clients: &Clients,
    context: &CallContext,
    known: &[ConversationId],
    since: At,
) -> LookupResult {
    let mut answered = false;
    // ElevenLabs' times are compared with the host's clock, not with precall's own.
    let earliest = clock::on_the_wall(since).0.div_euclid(1_000_000).saturating_sub(CLOCK_SLACK_SECONDS);
    for pause in RETRY_DELAYS {
        tokio::time::sleep(pause).await;
        let agent = Some(context.line.agent_id.as_str());
        let Ok(list) = clients.bulk.conversations_of(context.id, agent, REQUEST_TIMEOUT).await else {
            continue;
        };
        answered = true;
        let found = list.conversations.into_iter().find(|c| {
            !known.contains(&c.conversation) && c.started_at_unix.is_none_or(|started| started >= earliest)
        });
        if let Some(found) = found {
            return LookupResult::Found(found.conversation);
        }
    }
    if answered { LookupResult::NotFound } else { LookupResult::Unavailable }
}
