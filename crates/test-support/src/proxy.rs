//! A TCP proxy in front of a peer: it does to the connections what a network does when it is in trouble.
//!
//! `trouble` decides what happens to which connection, `carry` does it. All proxies of a test share one thread.

mod carry;
mod trouble;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};

pub use trouble::{Affliction, Dice, Fate, Lane, Passage, Traveller, Trouble, Way, Weather};

/// Small, so that a client notices a connection that takes nothing more: the system would take megabytes.
const RECEIVE_BUFFER: u32 = 8 * 1024;
const BACKLOG: u32 = 1_024;
const ACCEPTS_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Where a proxy leads.
#[derive(Clone, Debug)]
pub enum Upstream {
    Tcp(SocketAddr),
    /// The embedded PostgreSQL listens on nothing else.
    Unix(PathBuf),
}

/// Names the lane of a connection by what its client sends; `None` where that says nothing new, as in the middle of a
/// body.
pub type LaneOf = fn(&[u8]) -> Option<Lane>;

/// The thread of all proxies of a test. Dropping it ends them and their connections.
pub struct Proxies {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    seed: u64,
}

impl Proxies {
    pub fn new(seed: u64) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            // An error means that the sender is gone, which is an end as well.
            let _ended = runtime.block_on(ended);
        };
        let thread = std::thread::Builder::new().name("proxies".to_owned()).spawn(run).unwrap();
        Self { handle, end: Some(end), thread: Some(thread), seed }
    }

    /// A proxy on a free port of 127.0.0.1.
    pub fn open(&self, upstream: Upstream, lane_of: LaneOf) -> io::Result<Proxy> {
        let entered = self.handle.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        drop(entered);
        let (weather, seen) = watch::channel(Weather::default());
        let figures = Arc::new(Figures::default());
        let route = carry::Route { upstream, lane_of, weather: seen, figures: Arc::clone(&figures) };
        self.handle.spawn(accept(listener, route, self.seed));
        Ok(Proxy { address, weather, figures })
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic on that thread was printed.
            let _panicked = thread.join();
        }
    }
}

/// One proxy.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    figures: Arc<Figures>,
}

/// What a proxy has carried.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    opened: AtomicU64,
    open: AtomicU64,
}

impl Proxy {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins a trouble. It replaces the one that the lane had.
    pub fn afflict(&self, lane: Lane, affliction: Affliction) {
        self.weather.send_modify(|weather| weather.afflict(lane, affliction));
    }

    pub fn heal(&self, lane: Lane) {
        self.weather.send_modify(|weather| weather.heal(lane));
    }

    pub fn heal_all(&self) {
        self.weather.send_modify(Weather::heal_all);
    }

    /// How many connections there were in all.
    pub fn opened(&self) -> u64 {
        self.figures.opened.load(Ordering::Relaxed)
    }

    /// How many connections there are now.
    pub fn open_now(&self) -> u64 {
        self.figures.open.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, route: carry::Route, seed: u64) {
    for number in 0.. {
        let client = loop {
            match listener.accept().await {
                Ok((client, _)) => break client,
                // The client has left, or too many files are open: others will be closed.
                Err(_) => tokio::time::sleep(ACCEPTS_AGAIN_AFTER).await,
            }
        };
        let route = route.clone();
        tokio::spawn(async move { route.carry(client, seed, number).await });
    }
}
