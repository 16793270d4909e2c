//! Restarts an actor in place after a panic: same address, same mailbox, later messages still arrive.
//!
//! `actix::Supervisor` restarts after a deliberate stop and not after a panic. Calls need the opposite. The fields
//! survive as the panic left them. Timers and spawned futures are gone, so `started` runs again and arms them.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};

use actix::dev::ContextFut;
use actix::dev::channel::{AddressReceiver, channel};
use actix::{Actor, Addr, ArbiterHandle, Context, Supervised};

/// After this many restarts the actor ends. The receiver of its down notice takes over.
const RESTARTS_MAX: u32 = 3;
/// Capacity of the mailbox. It does not bound the queue, since each clone of an address adds its own; admission does.
const MAILBOX: usize = 64;

/// Restarts of this process by the name of the actor's type. There are as many names as actors in the code.
static RESTARTS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// How often actors of each type were restarted since the start of the process.
pub(crate) fn restarts() -> Vec<(&'static str, u64)> {
    held_restarts().iter().map(|(name, count)| (*name, *count)).collect()
}

fn held_restarts() -> MutexGuard<'static, BTreeMap<&'static str, u64>> {
    RESTARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count_restart<A>() {
    let name = std::any::type_name::<A>().rsplit("::").next().unwrap_or_default();
    let mut restarts = held_restarts();
    let count = restarts.entry(name).or_default();
    *count = count.saturating_add(1);
}

/// An actor that has its address but does not run yet. Two actors that need each other's address can be built
/// complete this way: both addresses exist before either actor.
pub struct Reserved<A: Actor<Context = Context<A>>>(AddressReceiver<A>);

/// The address of an actor that [`Reserved::start`] starts later. Messages wait until then.
#[must_use]
pub fn reserve<A>() -> (Addr<A>, Reserved<A>)
where
    A: Actor<Context = Context<A>> + Supervised,
{
    let (sender, receiver) = channel(MAILBOX);
    (Addr::new(sender), Reserved(receiver))
}

impl<A> Reserved<A>
where
    A: Actor<Context = Context<A>> + Supervised,
{
    /// Creates the actor on an arbiter and runs it. It restarts in place after a panic.
    pub fn start<F>(self, arbiter: &ArbiterHandle, make: F)
    where
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        let Self(receiver) = self;
        arbiter.spawn_fn(move || {
            let mut context = Context::with_receiver(receiver);
            let actor = make(&mut context);
            let running = Some(context.into_future(actor));
            actix::spawn(RestartInPlace { running, restarts_left: RESTARTS_MAX });
        });
    }
}

/// Starts an actor on an arbiter. It restarts in place after a panic.
pub(crate) fn start_in_place<A, F>(arbiter: &ArbiterHandle, make: F) -> Addr<A>
where
    A: Actor<Context = Context<A>> + Supervised,
    F: FnOnce(&mut Context<A>) -> A + Send + 'static,
{
    let (address, reserved) = reserve();
    reserved.start(arbiter, make);
    address
}

/// Owns the actor's future and polls it where a panic can be caught.
struct RestartInPlace<A: Actor<Context = Context<A>>> {
    running: Option<ContextFut<A, Context<A>>>,
    restarts_left: u32,
}

impl<A: Actor<Context = Context<A>> + Supervised> Future for RestartInPlace<A> {
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
                    count_restart::<A>();
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

impl<A: Actor<Context = Context<A>>> RestartInPlace<A> {
    /// Dropping the future runs the actor's stop handlers; a panic there must not reach the runtime.
    fn end(&mut self) {
        let running = self.running.take();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(running)));
    }
}

impl<A: Actor<Context = Context<A>>> Drop for RestartInPlace<A> {
    fn drop(&mut self) {
        self.end();
    }
}
