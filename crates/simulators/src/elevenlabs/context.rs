//! What the server's thread holds: the shared state, and the HTTP client that posts webhooks. The client cannot leave
//! its thread.

use std::cell::Cell;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use awc::Client;

use super::options::CloneDelay;
use super::session::connections::Connections;
use super::world::{Shared, World};
use crate::shared::posting;

/// Timeout of one webhook, answer included. The provider's own limit is not known.
pub(super) const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// One per server thread.
#[derive(Debug)]
pub(super) struct Context {
    pub shared: Arc<Shared>,
    pub client: ClientBox,
    /// Requests of the provider's API that are not answered yet.
    pub under_way: AtomicU32,
    /// Webhooks that wait for another try.
    pub retrying: AtomicU32,
    /// Connections of clients to the agent.
    pub connections: Connections,
    /// Whether the clock of these connections runs.
    pub ticking: Cell<bool>,
}

/// awc's client has no Debug.
pub(super) struct ClientBox(pub Client);

impl std::fmt::Debug for ClientBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Context {
    /// Must be called on the thread that will use it.
    pub fn new(shared: Arc<Shared>) -> Self {
        let client = posting::client(POST_TIMEOUT);
        Self {
            shared,
            client: ClientBox(client),
            under_way: AtomicU32::new(0),
            retrying: AtomicU32::new(0),
            connections: Connections::default(),
            ticking: Cell::new(false),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    pub fn clone_delay(&self) -> CloneDelay {
        self.shared.clone_delay
    }
}
