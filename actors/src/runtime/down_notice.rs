//! A field that tells another actor, when it is dropped, that its own actor is gone: after a normal stop, a panic or a
//! cancelled task.

use actix::{Message, Recipient};

/// Sends one message when it is dropped. Sending never fails and never panics: it also happens while unwinding.
pub(crate) struct DownNotice<M>
where
    M: Message<Result = ()> + Send + 'static,
{
    to: Recipient<M>,
    message: Option<Box<dyn FnOnce(bool) -> M + Send>>,
}

impl<M> DownNotice<M>
where
    M: Message<Result = ()> + Send + 'static,
{
    /// A notice to `to`. `message` gets whether the actor ends with a panic.
    pub fn new(to: Recipient<M>, message: impl FnOnce(bool) -> M + Send + 'static) -> Self {
        Self { to, message: Some(Box::new(message)) }
    }
}

impl<M> Drop for DownNotice<M>
where
    M: Message<Result = ()> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.to.do_send(message(std::thread::panicking()));
        }
    }
}
