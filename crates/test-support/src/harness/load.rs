//! Bounded loops of requests. Open: at a fixed rate, independent of the answers. Closed: each request follows an
//! answer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use precall_base::clock;
use serde_json::Value;
use tokio::task::JoinSet;

use super::Outcome;
use super::client::{Answer, Connection};

/// With more unanswered requests than this, an open loop fails.
const IN_FLIGHT_MAX: usize = 1_000;

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    /// The index of its request.
    pub ordinal: usize,
    /// When it was written; microseconds since 1970.
    pub sent_at: i64,
    /// From writing to the last byte of the answer.
    pub took: Duration,
    /// The answer.
    pub answer: Answer,
}

type Idle = Rc<RefCell<Vec<Connection>>>;

/// Sends all requests at `rate` a second, each on an idle or a new connection.
pub async fn open_loop(address: SocketAddr, rate: u32, requests: Vec<Vec<u8>>) -> Outcome<Vec<Exchange>> {
    let idle: Idle = Rc::default();
    let mut under_way = JoinSet::new();
    let mut exchanges = Vec::with_capacity(requests.len());
    let begun = tokio::time::Instant::now();
    for (ordinal, request) in requests.into_iter().enumerate() {
        let due = begun + Duration::from_secs_f64(ordinal as f64 / f64::from(rate));
        tokio::time::sleep_until(due).await;
        if under_way.len() >= IN_FLIGHT_MAX {
            return Err(format!("{IN_FLIGHT_MAX} requests are unanswered at {rate}/s").into());
        }
        let idle = Rc::clone(&idle);
        under_way.spawn_local(async move { exchange(address, &idle, ordinal, &request).await });
        while let Some(done) = under_way.try_join_next() {
            exchanges.push(done??);
        }
    }
    while let Some(done) = under_way.join_next().await {
        exchanges.push(done??);
    }
    Ok(exchanges)
}

async fn exchange(address: SocketAddr, idle: &Idle, ordinal: usize, request: &[u8]) -> Outcome<Exchange> {
    let connection = idle.borrow_mut().pop();
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let (sent_at, begun) = (clock::now().0, Instant::now());
    let answer = connection.exchange(request).await?;
    let took = begun.elapsed();
    idle.borrow_mut().push(connection);
    Ok(Exchange { ordinal, sent_at, took, answer })
}

/// The result of a closed loop.
pub struct Closed {
    /// All exchanges.
    pub exchanges: Vec<Exchange>,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Closed {
    /// Exchanges a second.
    pub fn rate(&self) -> f64 {
        self.exchanges.len() as f64 / self.took.as_secs_f64()
    }
}

/// Sends all requests over this many connections, each as soon as the one before is answered.
pub async fn closed_loop(address: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> Outcome<Closed> {
    let count = requests.len();
    let queue: Rc<RefCell<VecDeque<_>>> = Rc::new(RefCell::new(requests.into_iter().enumerate().collect()));
    let mut lanes = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let queue = Rc::clone(&queue);
        lanes.spawn_local(async move {
            let idle: Idle = Rc::default();
            let mut done = Vec::new();
            loop {
                let next = queue.borrow_mut().pop_front();
                let Some((ordinal, request)) = next else { return Outcome::Ok(done) };
                done.push(exchange(address, &idle, ordinal, &request).await?);
            }
        });
    }
    let mut exchanges = Vec::with_capacity(count);
    while let Some(lane) = lanes.join_next().await {
        exchanges.extend(lane??);
    }
    Ok(Closed { exchanges, took: begun.elapsed() })
}

/// Fails unless every answer has this `status`.
pub fn all_say(exchanges: &[Exchange], status: &str) -> Outcome<()> {
    for exchange in exchanges {
        let answer = exchange.answer.json()?;
        if answer.get("status").and_then(Value::as_str) != Some(status) {
            return Err(format!("expected {status}, got {} {answer}", exchange.answer.status).into());
        }
    }
    Ok(())
}
