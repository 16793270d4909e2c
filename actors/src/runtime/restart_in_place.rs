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
use std::time::{Duration, Instant};

use actix::dev::ContextFut;
use actix::dev::channel::{AddressReceiver, channel};
use actix::{Actor, Addr, ArbiterHandle, Context, Supervised};
use tokio::sync::watch;

/// After this many restarts in a row the actor ends. The receiver of its down notice takes over, or the process ends
/// ([`VitalActors`]).
const RESTARTS_MAX: u32 = 3;
/// An actor that has not panicked for so long may be restarted as often as a new one: a panic now and then over weeks
/// is no reason to end.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);
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

/// The name of an actor's type.
fn name_of<A>() -> &'static str {
    std::any::type_name::<A>().rsplit("::").next().unwrap_or_default()
}

fn count_restart<A>() {
    let mut restarts = held_restarts();
    let count = restarts.entry(name_of::<A>()).or_default();
    *count = count.saturating_add(1);
}

/// Actors without which nothing works: the only ones of their kind, that nobody starts again. When one of them has
/// panicked too often, the process must end. Its next start goes on with the calls.
#[derive(Clone, Debug)]
pub struct VitalActors(watch::Sender<Option<&'static str>>);

impl Default for VitalActors {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl VitalActors {
    /// Waits until one of them has ended, and names it.
    pub async fn ended(&self) -> &'static str {
        let mut changes = self.0.subscribe();
        loop {
            if let Some(name) = *changes.borrow_and_update() {
                return name;
            }
            // The sender is in `self`, so it exists while `self` is borrowed.
            let _ = changes.changed().await;
        }
    }
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
        self.run(arbiter, None, make);
    }

    /// As [`Self::start`], for an actor without which nothing works.
    pub(crate) fn start_vital<F>(self, arbiter: &ArbiterHandle, vital: &VitalActors, make: F)
    where
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        self.run(arbiter, Some(vital.clone()), make);
    }

    fn run<F>(self, arbiter: &ArbiterHandle, vital: Option<VitalActors>, make: F)
    where
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        let Self(receiver) = self;
        arbiter.spawn_fn(move || {
            let mut context = Context::with_receiver(receiver);
            let actor = make(&mut context);
            let running = Some(context.into_future(actor));
            actix::spawn(RestartInPlace { running, allowance: Allowance::default(), vital });
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

/// How often an actor may still be restarted.
#[derive(Default)]
struct Allowance {
    restarts: u32,
    last: Option<Instant>,
}

impl Allowance {
    /// Whether the actor that has panicked now may be restarted.
    fn may_restart(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.duration_since(last) >= FORGIVEN_AFTER) {
            self.restarts = 0;
        }
        self.last = Some(now);
        self.restarts = self.restarts.saturating_add(1);
        self.restarts <= RESTARTS_MAX
    }
}

/// Owns the actor's future and polls it where a panic can be caught.
struct RestartInPlace<A: Actor<Context = Context<A>>> {
    running: Option<ContextFut<A, Context<A>>>,
    allowance: Allowance,
    /// Who must know when the actor has panicked too often.
    vital: Option<VitalActors>,
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
                Err(_) if this.allowance.may_restart(Instant::now()) => {
                    count_restart::<A>();
                    let restarted = catch_unwind(AssertUnwindSafe(|| running.restart())).unwrap_or(false);
                    if !restarted {
                        return this.give_up();
                    }
                }
                Err(_) => return this.give_up(),
            }
        }
    }
}

impl<A: Actor<Context = Context<A>>> RestartInPlace<A> {
    fn give_up(&mut self) -> Poll<()> {
        self.end();
        if let Some(VitalActors(ended)) = &self.vital {
            ended.send_replace(Some(name_of::<A>()));
        }
        Poll::Ready(())
    }

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

#[cfg(test)]
mod tests {
    //! Tests of restarts.

    use actix::{Arbiter, Handler, Message};

    use super::*;

    #[test]
    fn panics_in_a_row_use_the_restarts_up_and_panics_far_apart_do_not() {
        let begun = Instant::now();
        let (mut in_a_row, mut apart) = (Allowance::default(), Allowance::default());
        for n in 0..10 {
            assert_eq!(in_a_row.may_restart(begun), n < RESTARTS_MAX);
            assert!(apart.may_restart(begun + n * FORGIVEN_AFTER));
        }
    }

    struct Fragile;

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Break;

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    impl Supervised for Fragile {}

    impl Handler<Break> for Fragile {
        type Result = ();

        fn handle(&mut self, _: Break, _: &mut Context<Self>) {
            panic!("asked to");
        }
    }

    #[actix::test]
    async fn a_vital_actor_that_panics_too_often_is_named() {
        let vital = VitalActors::default();
        let (address, reserved) = reserve::<Fragile>();
        reserved.start_vital(&Arbiter::current(), &vital, |_| Fragile);
        for _ in 0..RESTARTS_MAX {
            assert!(address.send(Break).await.is_err(), "it panics");
            assert!(vital.0.borrow().is_none(), "it was restarted");
        }
        assert!(address.send(Break).await.is_err());
        assert_eq!(vital.ended().await, "Fragile");
    }
}
