//! Restarts an actor in place after a panic: same address, same mailbox, later messages still delivered.
//!
//! `actix::Supervisor` restarts after a deliberate stop and not after a panic; calls need the opposite. The fields
//! survive as the panic left them; timers and spawned futures are gone, so `started` runs again and arms them anew.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::dev::ContextFut;
use actix::dev::channel::channel;
use actix::{Actor, Addr, ArbiterHandle, Context, Supervised};

/// After so many restarts the actor ends instead: whoever holds its death notice takes over.
const RESTARTS_MAX: u32 = 3;
/// Of the channel; not a bound (every clone of an address adds its own), admission is.
const MAILBOX: usize = 64;

/// Starts `make`'s actor on an arbiter, to be restarted in place when it panics.
pub fn start_resilient<A, F>(arbiter: &ArbiterHandle, make: F) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
    F: FnOnce(&mut Context<A>) -> A + Send + 'static,
{
    let (sender, receiver) = channel(MAILBOX);
    arbiter.spawn_fn(move || {
        let mut context = Context::with_receiver(receiver);
        let actor = make(&mut context);
        let running = Some(context.into_future(actor));
        actix::spawn(Resilient { running, restarts_left: RESTARTS_MAX });
    });
    Addr::new(sender)
}

/// Owns the actor's future and polls it where a panic can be caught.
struct Resilient<A: Actor<Context = Context<A>>> {
    running: Option<ContextFut<A, Context<A>>>,
    restarts_left: u32,
}

impl<A: Actor<Context = Context<A>> + Supervised> Future for Resilient<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let Some(running) = this.running.as_mut() else { return Poll::Ready(()) };
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *running).poll(cx)));
            match polled {
                Ok(poll) => return poll,
                Err(_) if this.restarts_left > 0 => {
                    this.restarts_left = this.restarts_left.saturating_sub(1);
                    let restarted = catch_unwind(AssertUnwindSafe(|| running.restart())).unwrap_or(false);
                    if !restarted {
                        this.end();
                        return Poll::Ready(());
                    }
                }
                Err(_) => {
                    this.end();
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl<A: Actor<Context = Context<A>>> Resilient<A> {
    /// Dropping the future runs the actor's last moments; a panic there must not reach the runtime.
    fn end(&mut self) {
        let running = self.running.take();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(running)));
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Resilient<A> {
    fn drop(&mut self) {
        self.end();
    }
}
