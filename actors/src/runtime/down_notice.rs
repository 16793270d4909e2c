//! A field whose drop tells somebody that its actor is gone: after a normal stop, a panic, or a cancelled task alike.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// Sends `message` when it is dropped. Sending never fails and never panics: it also happens while unwinding.
pub struct DeathNotice<A, M>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    to: Addr<A>,
    message: Option<Box<dyn FnOnce(bool) -> M + Send>>,
}

impl<A, M> DeathNotice<A, M>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    /// To be sent to `to`; `message` is told whether the actor dies of a panic.
    pub fn new(to: Addr<A>, message: impl FnOnce(bool) -> M + Send + 'static) -> Self {
        Self { to, message: Some(Box::new(message)) }
    }
}

impl<A, M> Drop for DeathNotice<A, M>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = ()> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.to.do_send(message(std::thread::panicking()));
        }
    }
}
