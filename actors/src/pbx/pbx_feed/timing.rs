//! Intervals and waits of the feed.

use std::time::Duration;

use precall_providers::threecx::socket::SocketTiming;
use precall_providers::threecx::token_keeper::KeeperTiming;

/// Intervals and waits of the feed. The defaults suit a real PBX; tests are faster.
#[derive(Clone, Debug)]
pub struct FeedPace {
    /// Keep-alive of the socket.
    pub socket: SocketTiming,
    /// Timing of the token keeper.
    pub keeper: KeeperTiming,
    /// First and longest wait before the socket is opened again. Short for as long as it takes: one small request in
    /// one to two seconds costs a PBX less than one call does, and a caller who rings meanwhile hears nothing.
    pub reconnect: (Duration, Duration),
    /// The same, for the socket and the list, after an answer that only a changed setting changes (403, 404), or that
    /// asks for fewer requests (429).
    pub refused: (Duration, Duration),
    /// Interval of list requests while the socket is closed or doubtful; half of it at least.
    pub unsure_every: Duration,
    /// The same while a PBX that answers no pings is silent: nothing says that something is wrong.
    pub quiet_every: Duration,
    /// After a connection of this length the next wait is the first one again.
    pub stable_after: Duration,
    /// Interval of list requests while the connection works.
    pub reconcile_every: Duration,
    /// Shortest time between list requests for possibly lost events.
    pub hint_interval_min: Duration,
    /// First and longest wait after a failed list request.
    pub list_retry: (Duration, Duration),
}

impl Default for FeedPace {
    fn default() -> Self {
        Self {
            socket: SocketTiming::default(),
            keeper: KeeperTiming::default(),
            reconnect: (Duration::from_millis(500), Duration::from_secs(2)),
            refused: (Duration::from_millis(500), Duration::from_secs(30)),
            unsure_every: Duration::from_secs(1),
            quiet_every: Duration::from_secs(10),
            stable_after: Duration::from_secs(10),
            reconcile_every: Duration::from_secs(45),
            hint_interval_min: Duration::from_secs(5),
            list_retry: (Duration::from_millis(500), Duration::from_secs(2)),
        }
    }
}
