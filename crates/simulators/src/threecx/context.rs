//! What the server's thread holds: the shared world and the client for webhooks and trunks, which cannot leave its
//! thread.

use std::cell::Cell;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use awc::Client;

use super::world::{Shared, World};
use crate::shared::posting;

/// How long one exchange of ours may take, answer included: a 3CX flow waits 3 s (facts page, section 2.1).
pub(super) const EXCHANGE: Duration = Duration::from_secs(3);
/// One request of any kind.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(15);

/// One per server thread.
pub(super) struct Context {
    pub shared: Arc<Shared>,
    pub client: Client,
    /// Whether the trunks are being asked.
    pub polling: Cell<bool>,
}

impl Context {
    /// Must be called on the thread that will use it.
    pub fn new(shared: Arc<Shared>) -> Self {
        let client = posting::client(CLIENT_TIMEOUT);
        Self { shared, client, polling: Cell::new(false) }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}
