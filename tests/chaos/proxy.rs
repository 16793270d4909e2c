//! The proxies themselves: each trouble does to a connection what its name says.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::proxy::{Affliction, Proxies, Proxy, Trouble, Upstream};
use crate::support::{PATIENCE, until};

const LANE: &str = "echo";
/// Nothing has come in this time, where nothing may come.
const A_WHILE: Duration = Duration::from_millis(300);

/// Sends back what it receives.
async fn echo_server() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            actix::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _left = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    Upstream::Tcp(address)
}

/// A proxy of such a server.
async fn echo(proxies: &Proxies) -> Proxy {
    proxies.open(echo_server().await, |_| Some(LANE)).unwrap()
}

fn all(trouble: Trouble) -> Affliction {
    Affliction { trouble, percent: 100 }
}

struct Client(TcpStream);

impl Client {
    /// A connection that has carried something.
    async fn of(proxy: &Proxy) -> Self {
        let mut client = Self(TcpStream::connect(proxy.address()).await.unwrap());
        client.say("hello").await;
        assert_eq!(client.hear(5).await.as_deref(), Ok("hello"));
        client
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next bytes; fewer at the end of the connection. The kind of the error when it was broken.
    async fn hear(&mut self, bytes: usize) -> Result<String, std::io::ErrorKind> {
        let mut heard = Vec::new();
        while heard.len() < bytes {
            let mut piece = vec![0; bytes - heard.len()];
            let read = timeout(PATIENCE, self.0.read(&mut piece)).await.expect("something is heard");
            match read.map_err(|error| error.kind())? {
                0 => break,
                read => heard.extend_from_slice(&piece[..read]),
            }
        }
        Ok(String::from_utf8(heard).unwrap())
    }

    async fn hears_nothing(&mut self) -> bool {
        timeout(A_WHILE, self.0.read_u8()).await.is_err()
    }
}

#[actix::test]
async fn a_delay_comes_before_each_piece_and_goes_again() {
    let proxies = Proxies::new(1);
    let proxy = echo(&proxies).await;
    let mut client = Client::of(&proxy).await;
    proxy.afflict(LANE, all(Trouble::Delay(Duration::from_millis(150))));
    let begun = Instant::now();
    client.say("late").await;
    assert_eq!(client.hear(4).await.as_deref(), Ok("late"));
    assert!(begun.elapsed() >= Duration::from_millis(300), "both ways");
    proxy.afflict(LANE, all(Trouble::Jitter(Duration::from_millis(50))));
    client.say("soon").await;
    assert_eq!(client.hear(4).await.as_deref(), Ok("soon"));
}

#[actix::test]
async fn a_stalled_connection_goes_on_and_one_in_a_black_hole_does_not() {
    let proxies = Proxies::new(1);
    let proxy = echo(&proxies).await;
    for (trouble, goes_on) in [(Trouble::Stall, true), (Trouble::BlackHole, false)] {
        let mut old = Client::of(&proxy).await;
        proxy.afflict(LANE, all(trouble));
        old.say("old").await;
        let mut new = Client(TcpStream::connect(proxy.address()).await.unwrap());
        new.say("new").await;
        assert!(old.hears_nothing().await && new.hears_nothing().await, "{trouble:?}");
        proxy.heal(LANE);
        if goes_on {
            assert_eq!(old.hear(3).await.as_deref(), Ok("old"));
            assert_eq!(new.hear(3).await.as_deref(), Ok("new"));
        } else {
            assert!(old.hears_nothing().await && new.hears_nothing().await, "also after its end");
        }
        // Another connection is not hit.
        Client::of(&proxy).await;
    }
    until("the proxy lets go of connections that were left", || async { proxy.open_now() == 0 }).await;
}

#[actix::test]
async fn a_reset_is_no_end_and_a_half_closed_connection_still_takes() {
    let proxies = Proxies::new(1);
    let proxy = echo(&proxies).await;
    let mut client = Client::of(&proxy).await;
    proxy.afflict(LANE, all(Trouble::Reset));
    assert_eq!(client.hear(1).await, Err(std::io::ErrorKind::ConnectionReset));
    proxy.heal_all();
    let mut client = Client::of(&proxy).await;
    proxy.afflict(LANE, all(Trouble::HalfClose));
    assert_eq!(client.hear(1).await.as_deref(), Ok(""));
    client.say("is taken").await;
}

#[actix::test]
async fn a_trickle_brings_a_little_and_a_cut_brings_half() {
    let proxies = Proxies::new(1);
    let proxy = echo(&proxies).await;
    let mut client = Client::of(&proxy).await;
    proxy.afflict(LANE, all(Trouble::Trickle));
    client.say("a little at a time").await;
    assert_eq!(client.hear(3).await.as_deref(), Ok("a l"));
    assert!(client.hears_nothing().await);
    proxy.heal(LANE);
    assert_eq!(client.hear(15).await.as_deref(), Ok("ittle at a time"));
    proxy.afflict(LANE, all(Trouble::Cut));
    client.say("abcdefgh").await;
    assert_eq!(client.hear(8).await.as_deref(), Ok("abcd"));
}

#[actix::test]
async fn only_some_connections_are_hit_and_only_in_their_lane() {
    let proxies = Proxies::new(1);
    let proxy = echo(&proxies).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(Client::of(&proxy).await);
    }
    proxy.afflict("another", all(Trouble::Reset));
    proxy.afflict(LANE, Affliction { trouble: Trouble::Reset, percent: 50 });
    until("some are reset", || async { proxy.open_now() < 40 }).await;
    proxy.heal_all();
    let mut alive = 0;
    for client in &mut clients {
        if client.0.write_all(b"x").await.is_ok() && client.hear(1).await.as_deref() == Ok("x") {
            alive += 1;
        }
    }
    assert!((5..35).contains(&alive), "{alive} of 40");
    assert!(proxy.opened() >= 40);
}

#[actix::test]
async fn a_connection_that_is_used_again_changes_its_lane() {
    let proxies = Proxies::new(1);
    let upstream = echo_server().await;
    let lane_of = |piece: &[u8]| match piece {
        b"events" => Some("events"),
        b"hello" => Some("requests"),
        _ => None,
    };
    let proxy = proxies.open(upstream, lane_of).unwrap();
    let mut client = Client::of(&proxy).await;
    proxy.afflict("events", all(Trouble::Reset));
    client.say("more").await;
    assert_eq!(client.hear(4).await.as_deref(), Ok("more"));
    client.say("events").await;
    assert_eq!(client.hear(6).await, Err(std::io::ErrorKind::ConnectionReset));
}
