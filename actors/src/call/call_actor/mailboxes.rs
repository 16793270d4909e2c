//! How long messages wait for the actors of the call.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, AsyncContext, Context, Handler};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};

use super::CallActor;
use crate::call::supervision::{ActorMailbox, SupervisionAnswer};
use crate::runtime::mailbox_age::{AreYouThere, wait_of};

impl CallActor {
    /// Asks all actors of the call at once. The answer comes later: this actor's own mailbox is asked too.
    pub(super) fn look_at_mailboxes(
        &self,
        answer: SupervisionAnswer<Vec<ActorMailbox>>,
        ctx: &Context<Self>,
    ) {
        let mut asked: Vec<LocalBoxFuture<'static, ActorMailbox>> = Vec::with_capacity(5);
        asked.push(mailbox("call", ctx.address()));
        asked.extend(running(&self.clone_worker).map(|actor| mailbox("clone worker", actor)));
        asked.extend(running(&self.greeting).map(|actor| mailbox("greeting", actor)));
        asked.extend(running(&self.player).map(|actor| mailbox("player", actor)));
        asked.extend(running(&self.handoff).map(|actor| mailbox("handoff", actor)));
        actix::spawn(async move {
            let _ = answer.send(Ok(join_all(asked).await));
        });
    }
}

/// Of an actor that has stopped only the address is left.
fn running<A: Actor>(actor: &Option<Addr<A>>) -> Option<Addr<A>> {
    actor.clone().filter(Addr::connected)
}

fn mailbox<A>(name: &'static str, actor: Addr<A>) -> LocalBoxFuture<'static, ActorMailbox>
where
    A: Actor + Handler<AreYouThere>,
    A::Context: ToEnvelope<A, AreYouThere>,
{
    async move { ActorMailbox { actor: name, waits: wait_of(actor).await } }.boxed_local()
}

impl Handler<AreYouThere> for CallActor {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}
