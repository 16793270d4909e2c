//! Carries the bytes of one connection as `trouble` says. It decides nothing itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::trouble::{Fate, Lane, Passage, Traveller, Way, Weather};
use super::{Figures, LaneOf, Upstream};

/// The most that is read at once.
const PIECE: usize = 16 * 1024;
/// How long a client may keep a connection ready before it says something, as servers do it.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);
/// How often a black hole looks whether the client has left it.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The longest life of a connection that is half closed, or in a black hole.
const HALF_LIFE: Duration = Duration::from_secs(120);

type Reader<'a> = Box<dyn AsyncRead + Send + Unpin + 'a>;
type Writer<'a> = Box<dyn AsyncWrite + Send + Unpin + 'a>;

/// From a proxy to its peer.
#[derive(Clone)]
pub(super) struct Route {
    pub upstream: Upstream,
    pub lane_of: LaneOf,
    pub weather: watch::Receiver<Weather>,
    pub figures: Arc<Figures>,
}

enum Server {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The connection is to be closed at once, both ways.
struct Cut;

impl Route {
    pub(super) async fn carry(self, client: TcpStream, seed: u64, number: u64) {
        self.figures.opened.fetch_add(1, Ordering::Relaxed);
        self.figures.open.fetch_add(1, Ordering::Relaxed);
        // Whatever ends a connection is what the test wants, or the end of the test.
        let _ended = self.carry_to_the_end(client, seed, number).await;
        self.figures.open.fetch_sub(1, Ordering::Relaxed);
    }

    async fn carry_to_the_end(&self, mut client: TcpStream, seed: u64, number: u64) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut first = vec![0; PIECE];
        let read = timeout(SILENT_AT_MOST, client.read(&mut first)).await??;
        first.truncate(read);
        if first.is_empty() {
            return Ok(());
        }
        let traveller = Traveller::new(seed, number);
        let (lane, seen) = watch::channel((self.lane_of)(&first).unwrap_or_default());
        let mut server = self.connect().await?;
        let fate = {
            let ((from_client, to_client), (from_server, to_server)) = (split(&mut client), server.split());
            let to_server = self.pump(from_client, to_server, Way::ToServer, traveller.clone(), &lane, first);
            let to_client =
                self.pump(from_server, to_client, Way::ToClient, traveller.clone(), &lane, Vec::new());
            tokio::select! {
                biased;
                fate = self.fate(&traveller, seen.clone()) => Some(fate),
                _ = async { tokio::try_join!(to_server, to_client) } => None,
            }
        };
        match fate {
            None => {}
            Some(Fate::Reset) => {
                client.set_zero_linger()?;
                server.set_zero_linger()?;
            }
            Some(Fate::BlackHole) => {
                let _long_enough = timeout(HALF_LIFE, self.swallow(&client, server, &traveller, &lane)).await;
            }
            Some(Fate::HalfClose) => {
                client.shutdown().await?;
                let ((mut from_client, _), (mut from_server, mut to_server)) =
                    (split(&mut client), server.split());
                let mut nowhere = tokio::io::sink();
                let sent = tokio::io::copy(&mut from_client, &mut to_server);
                let unheard = async {
                    let _ended = tokio::io::copy(&mut from_server, &mut nowhere).await;
                    // The server's end changes nothing for the client.
                    std::future::pending::<()>().await;
                };
                let left = async {
                    tokio::select! {
                        _ = sent => {}
                        () = unheard => {}
                    }
                };
                let _long_enough = timeout(HALF_LIFE, left).await;
            }
        }
        Ok(())
    }

    async fn connect(&self) -> io::Result<Server> {
        match &self.upstream {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Server::Tcp(stream))
            }
            Upstream::Unix(path) => Ok(Server::Unix(UnixStream::connect(path).await?)),
        }
    }

    async fn fate(&self, traveller: &Traveller, mut lane: watch::Receiver<Lane>) -> Fate {
        let mut weather = self.weather.clone();
        loop {
            if let Some(fate) = traveller.fate(&weather.borrow_and_update(), *lane.borrow_and_update()) {
                return fate;
            }
            tokio::select! {
                () = changed(&mut weather) => {}
                () = changed(&mut lane) => {}
            }
        }
    }

    /// Keeps the client's connection open and carries nothing, until the client has left. What it sends is not read, as
    /// if it was lost on its way. The server finds out when the network works again.
    async fn swallow(
        &self,
        client: &TcpStream,
        server: Server,
        traveller: &Traveller,
        lane: &watch::Sender<Lane>,
    ) {
        let left = async {
            loop {
                match timeout(LOOK_EVERY, client.ready(Interest::READABLE)).await {
                    Ok(Ok(ready)) if !ready.is_read_closed() => sleep(LOOK_EVERY).await,
                    Ok(_) => break,
                    Err(_nothing_new) => {}
                }
            }
        };
        let healed = async {
            let mut weather = self.weather.clone();
            while traveller.fate(&weather.borrow_and_update(), *lane.borrow()).is_some() {
                changed(&mut weather).await;
            }
            drop(server);
        };
        tokio::join!(left, healed);
    }

    /// Carries one way until its reader has ended, or one side is gone.
    async fn pump(
        &self,
        mut from: Reader<'_>,
        mut to: Writer<'_>,
        way: Way,
        mut traveller: Traveller,
        lane: &watch::Sender<Lane>,
        mut held: Vec<u8>,
    ) -> Result<(), Cut> {
        let mut weather = self.weather.clone();
        let mut buffer = vec![0; PIECE];
        loop {
            if held.is_empty() {
                let read = from.read(&mut buffer).await.unwrap_or(0);
                if read == 0 {
                    let _gone = to.shutdown().await;
                    return Ok(());
                }
                held.extend_from_slice(&buffer[..read]);
                if let Some(next) = (self.lane_of)(&held).filter(|_| way == Way::ToServer) {
                    lane.send_if_modified(|lane| std::mem::replace(lane, next) != next);
                }
            }
            let now = *lane.borrow();
            let passage = traveller.passage(&weather.borrow_and_update(), now, way, held.len());
            let (goes_on, wait) = match passage {
                Passage::Free => (held.len(), Duration::ZERO),
                Passage::After(time) => {
                    sleep(time).await;
                    (held.len(), Duration::ZERO)
                }
                Passage::Held => {
                    changed(&mut weather).await;
                    continue;
                }
                Passage::Piece(bytes, wait) => (bytes, wait),
                Passage::CutAfter(bytes) => {
                    let _cut = to.write_all(&held[..bytes]).await;
                    let _cut = to.flush().await;
                    return Err(Cut);
                }
            };
            let piece: Vec<u8> = held.drain(..goes_on).collect();
            if to.write_all(&piece).await.is_err() {
                return Ok(());
            }
            if !wait.is_zero() {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = changed(&mut weather) => {}
                }
            }
        }
    }
}

impl Server {
    fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        match self {
            Self::Tcp(stream) => split(stream),
            Self::Unix(stream) => {
                let (from, to) = stream.split();
                (Box::new(from), Box::new(to))
            }
        }
    }

    fn set_zero_linger(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_zero_linger(),
            // Such a socket has no reset: the server sees an end.
            Self::Unix(_) => Ok(()),
        }
    }
}

fn split(stream: &mut TcpStream) -> (Reader<'_>, Writer<'_>) {
    let (from, to) = stream.split();
    (Box::new(from), Box::new(to))
}

/// What can change no more has ended with the test.
async fn changed<T>(what: &mut watch::Receiver<T>) {
    if what.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
