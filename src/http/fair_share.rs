//! Limits for one source: requests per second, memory for unverified bodies, connections. A flood of one source does
//! not shut out the others.
//!
//! A source is an IPv4 address or an IPv6 network of 64 bits, because one sender can use every address of such a
//! network. Call webhooks, reports and the API are counted separately.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::error::{Code, Problem};

/// Reports get this multiple of the rate: they come in bursts after a database outage.
const REPORTS_MORE: u32 = 2;
/// Above this number of sources, idle ones are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Connections of one source, for example a proxy.
const CONNECTIONS_MAX: usize = 2_048;
/// Memory for unverified webhook bodies, in pieces of [`BODY_PIECE`].
pub(super) const BODY_PIECES: usize = 2048;
/// Bytes.
pub(super) const BODY_PIECE: usize = 64 * 1024;
/// A body of up to this many bytes is not counted. Most bodies are smaller.
const FREE_BYTES: usize = 8 * 1024;

/// Kind of request; each kind has its own rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// `/webhook/3cx`.
    Calls,
    /// `/webhook/elevenlabs/...`.
    Reports,
    /// `/api/...`.
    Api,
}

impl Lane {
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/webhook/3cx") {
            Self::Calls
        } else if path.starts_with("/webhook/") {
            Self::Reports
        } else {
            Self::Api
        }
    }
}

/// The source that an address belongs to.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

type Keyed = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// Requests per second, by source and lane.
pub(crate) struct Rates {
    calls: Rate,
    reports: Rate,
    api: Rate,
}

struct Rate {
    per_second: NonZeroU32,
    limiter: Keyed,
}

impl Rate {
    fn of(per_second: NonZeroU32) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_second(per_second)).with_middleware();
        Self { per_second, limiter }
    }
}

/// What a source may ask after this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Its rate.
    pub(super) per_second: u32,
    /// Requests that would be admitted now.
    pub(super) left: u32,
    /// How long to wait before the next request; none if this one is admitted.
    pub(super) wait: Option<Duration>,
}

impl Rates {
    /// `per_second` for calls and for the API, twice that for reports. The same number may come at once.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self {
            calls: Rate::of(per_second),
            reports: Rate::of(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(REPORTS_MORE - 1))),
            api: Rate::of(per_second),
        }
    }

    /// Counts a request.
    pub(super) fn ask(&self, lane: Lane, source: IpAddr) -> Allowance {
        let Rate { per_second, limiter } = match lane {
            Lane::Calls => &self.calls,
            Lane::Reports => &self.reports,
            Lane::Api => &self.api,
        };
        if limiter.len() > REMEMBERED_MAX {
            limiter.retain_recent();
        }
        let (left, wait) = match limiter.check_key(&source) {
            Ok(admitted) => (admitted.remaining_burst_capacity(), None),
            Err(refused) => (0, Some(refused.wait_time_from(limiter.clock().now()))),
        };
        Allowance { per_second: per_second.get(), left, wait }
    }
}

/// Open connections by source.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One open connection. It is counted until it is dropped.
pub(crate) struct Connection {
    all: Connections,
    address: IpAddr,
    pub(super) is_one_too_many: bool,
}

impl Connections {
    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one_more(&self, address: IpAddr) -> Connection {
        let mut counts = self.counts();
        let count = counts.entry(address).or_default();
        *count = count.saturating_add(1);
        Connection { all: self.clone(), address, is_one_too_many: *count > CONNECTIONS_MAX }
    }

    /// Call it for every accepted connection.
    pub(crate) fn opened(&self, connection: &TcpStream, data: &mut Extensions) {
        if let Ok(address) = connection.peer_addr() {
            data.insert(self.one_more(source_of(address.ip())));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Memory for bodies whose signature is not checked yet, in pieces of [`BODY_PIECE`].
#[derive(Debug)]
pub(crate) struct BodyRoom {
    all: usize,
    of_source: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl BodyRoom {
    /// Room for `pieces` in total, half of them for one source.
    pub(super) fn new(pieces: usize) -> Arc<Self> {
        Arc::new(Self { all: pieces, of_source: pieces.div_ceil(2), taken: Mutex::default() })
    }

    /// The share of one body, empty at first.
    pub(crate) fn share(self: &Arc<Self>, address: Option<IpAddr>) -> Share {
        let source = address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), source_of);
        Share { room: Arc::clone(self), source, pieces: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory held by one body. Dropping it releases the memory.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<BodyRoom>,
    source: IpAddr,
    pieces: usize,
}

impl Share {
    /// Reserves memory for a body of `bytes`.
    ///
    /// # Errors
    /// `too_many_at_once` when the room is full.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        let needed = if bytes <= FREE_BYTES { 0 } else { bytes.div_ceil(BODY_PIECE) };
        let more = needed.saturating_sub(self.pieces);
        if more == 0 {
            return Ok(());
        }
        let mut taken = self.room.taken();
        let all = taken.all.saturating_add(more);
        let own = taken.by_source.get(&self.source).copied().unwrap_or(0).saturating_add(more);
        if all > self.room.all || own > self.room.of_source {
            return Err(Problem::of(Code::TooManyAtOnce));
        }
        taken.all = all;
        taken.by_source.insert(self.source, own);
        self.pieces = needed;
        Ok(())
    }

    /// Releases all memory.
    pub(crate) fn release(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces == 0 {
            return;
        }
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(pieces);
        let left = taken.by_source.get(&self.source).map_or(0, |own| own.saturating_sub(pieces));
        if left == 0 {
            taken.by_source.remove(&self.source);
        } else {
            taken.by_source.insert(self.source, left);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests;
