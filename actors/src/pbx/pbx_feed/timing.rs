//! When the feed does what.

use std::time::Duration;

use precall_providers::threecx::socket::SocketTiming;
use precall_providers::threecx::token_keeper::KeeperTiming;

/// When the feed does what. The defaults are for a PBX; tests are quicker.
#[derive(Clone, Debug)]
pub struct FeedPace {
    /// Signs of life of the socket.
    pub socket: SocketTiming,
    /// Of the token.
    pub keeper: KeeperTiming,
    /// Waits before the socket is opened again, from the first to the longest.
    pub reconnect: (Duration, Duration),
    /// A connection that lived so long was a good one: the next wait is a first one.
    pub good_after: Duration,
    /// How often the list is compared while all seems well.
    pub reconcile_every: Duration,
    /// Hints that something was missed lead to no more than one list within this.
    pub hints_apart: Duration,
    /// Waits before a list that could not be had is asked for again.
    pub list_retry: (Duration, Duration),
}

impl Default for FeedPace {
    fn default() -> Self {
        Self {
            socket: SocketTiming::default(),
            keeper: KeeperTiming::default(),
            reconnect: (Duration::from_millis(500), Duration::from_secs(30)),
            good_after: Duration::from_secs(10),
            reconcile_every: Duration::from_secs(45),
            hints_apart: Duration::from_secs(5),
            list_retry: (Duration::from_millis(500), Duration::from_secs(10)),
        }
    }
}
