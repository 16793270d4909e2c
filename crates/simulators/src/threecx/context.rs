//! What the server's thread holds: the shared world and the client for webhooks and trunks, which cannot leave its
//! thread.

use std::cell::Cell;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use awc::{Client, Connector};

use super::world::{Shared, World};

/// How long one exchange of ours may take, answer included: a 3CX flow waits 3 s (facts page, section 2.1).
pub(super) const EXCHANGE: Duration = Duration::from_secs(3);
/// Connections to one service at once.
const MOST_CONNECTIONS: usize = 256;
/// Shorter than a server keeps its side open, so that no request meets a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(2);

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
        let connector = Connector::new().limit(MOST_CONNECTIONS).conn_keep_alive(IDLE_CONNECTION);
        // A redirect could lead away from this machine.
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .timeout(Duration::from_secs(15))
            .finish();
        Self { shared, client, polling: Cell::new(false) }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}
