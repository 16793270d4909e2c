//! An HTTP client whose connections do not outlive their use.
//!
//! awc looks at an idle connection only when the next request takes one. After a burst of requests it would keep as
//! many descriptors open as the burst had needed, for hours, and the sockets that the server closed as well. So this
//! client lets its whole pool go when nobody used it for a while, or when far fewer connections are used than are open.
//! Requests under way keep the old pool until they end.

#[cfg(test)]
mod tests;
mod usage;

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::time::Duration;

use awc::Client;

use self::usage::Usage;
use crate::request_watch::RequestWatch;

/// Time between two looks at a pool.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Clients of one kind, one after the other. Not `Send`, like awc's.
#[derive(Clone)]
pub(super) struct HttpClient {
    pools: Rc<Pools>,
    watch: Option<RequestWatch>,
}

struct Pools {
    build: Box<dyn Fn() -> Client>,
    look_every: Duration,
    open: RefCell<Option<Open>>,
}

struct Open {
    client: Client,
    usage: Usage,
}

impl HttpClient {
    /// Clients that `build` makes. Call it on the arbiter that will use them.
    pub(super) fn new(build: impl Fn() -> Client + 'static) -> Self {
        Self::looked_at(LOOK_EVERY, build)
    }

    fn looked_at(look_every: Duration, build: impl Fn() -> Client + 'static) -> Self {
        let pools = Rc::new(Pools { build: Box::new(build), look_every, open: RefCell::default() });
        Self { pools, watch: None }
    }

    /// The same, with an observer of its requests.
    pub(super) fn watched(self, watch: Option<RequestWatch>) -> Self {
        Self { watch, ..self }
    }

    /// The observer of its requests.
    pub(super) fn watch(&self) -> Option<&RequestWatch> {
        self.watch.as_ref()
    }

    /// A client with a pool of its own, for a connection that stays open: it would keep a shared pool alive.
    pub(super) fn alone(&self) -> Client {
        (self.pools.build)()
    }

    /// Lets the kept connections go: one of them is dead, and so may be the others. Requests under way go on.
    pub(super) fn renew(&self) {
        *self.pools.open.borrow_mut() = None;
    }

    /// The client, for one exchange.
    pub(super) fn lease(&self) -> Lease {
        let mut open = self.pools.open.borrow_mut();
        if open.is_none() {
            tokio::task::spawn_local(look(Rc::downgrade(&self.pools), self.pools.look_every));
        }
        let open = open.get_or_insert_with(|| Open { client: (self.pools.build)(), usage: Usage::default() });
        Lease { client: open.client.clone(), _use: open.usage.begin() }
    }
}

/// Looks at a pool until it is let go.
async fn look(pools: Weak<Pools>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pools) = pools.upgrade() else { return };
        let mut open = pools.open.borrow_mut();
        if open.as_ref().is_none_or(|open| open.usage.is_over()) {
            *open = None;
            return;
        }
    }
}

/// A client while it is used.
pub(super) struct Lease {
    client: Client,
    _use: usage::InUse,
}

impl Deref for Lease {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
