//! What one source may ask of the server, so that none can take it from the others: requests a second, bytes of bodies that
//! are not proven yet, connections.
//!
//! A source is an address; of IPv6 the network of 64 bits, of which one sender has as many addresses as it likes. Webhooks of calls, reports and
//! the API are counted apart: whoever floods one keeps nobody from the others.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::error::{Code, Problem};

/// Reports come in bursts, when a database was away; they are worth more than any request of the API.
const REPORTS_MORE: u32 = 2;
/// Sources that are remembered before those are forgotten that asked nothing lately.
const REMEMBERED_MAX: usize = 10_000;
/// Connections of one address, a proxy's for instance.
const CONNECTIONS_MAX: usize = 2_048;
/// Memory for webhook bodies that are not proven yet: so many pieces of [`BODY_PIECE`] in all.
pub(super) const BODY_PIECES: usize = 2048;
/// Bytes.
pub(super) const BODY_PIECE: usize = 64 * 1024;
/// A body takes nothing of the room until it has so many bytes: most never have.
const FREE_BYTES: usize = 8 * 1024;

/// What is asked for.
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

/// Who asks.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

type Keyed = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// Requests a second, by source and lane.
pub(crate) struct Rates {
    calls: Keyed,
    reports: Keyed,
    api: Keyed,
}

impl Rates {
    /// `per_second` of calls and of the API, twice that of reports. As many may come at once.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        let of = |quota| RateLimiter::hashmap(Quota::per_second(quota));
        Self {
            calls: of(per_second),
            reports: of(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(REPORTS_MORE - 1))),
            api: of(per_second),
        }
    }

    pub(super) fn admits(&self, lane: Lane, source: IpAddr) -> bool {
        let rates = match lane {
            Lane::Calls => &self.calls,
            Lane::Reports => &self.reports,
            Lane::Api => &self.api,
        };
        if rates.len() > REMEMBERED_MAX {
            rates.retain_recent();
        }
        rates.check_key(&source).is_ok()
    }
}

/// Connections that are open, by address.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them. It is counted until it is dropped.
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

    /// To be called with every connection that is taken.
    pub(crate) fn taken(&self, connection: &dyn Any, data: &mut Extensions) {
        let address = connection.downcast_ref::<TcpStream>().and_then(|stream| stream.peer_addr().ok());
        if let Some(address) = address {
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

/// Memory for bodies while nobody knows who sent them, in pieces of [`BODY_PIECE`].
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
    /// So many pieces together; half of them for one source.
    pub(super) fn new(pieces: usize) -> Arc<Self> {
        Arc::new(Self { all: pieces, of_source: pieces.div_ceil(2), taken: Mutex::default() })
    }

    /// For one body.
    pub(crate) fn share(self: &Arc<Self>, address: Option<IpAddr>) -> Share {
        let source = address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), source_of);
        Share { room: Arc::clone(self), source, pieces: 0 }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body takes. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<BodyRoom>,
    source: IpAddr,
    pieces: usize,
}

impl Share {
    /// Makes room for a body of so many bytes.
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

    /// Gives everything back.
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
