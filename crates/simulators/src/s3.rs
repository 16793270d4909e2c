//! A simulator of an S3 store over HTTP, on loopback only: one bucket in memory, with versions and delete markers,
//! addressed by path. It checks signatures in URLs as the store does, and refuses other forms. All is bounded.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use bytes::Bytes;

use crate::shared::server::{self as http, SmallWrites};
use faults::Faults;
use objects::Objects;

pub use faults::Fault;
pub use objects::Versioning;
pub use options::{Args, Options};

mod faults;
mod list;
mod objects;
mod options;
mod server;
mod signature;
#[cfg(test)]
mod tests;

/// Requests that are remembered; the oldest go first.
const REQUESTS_KEPT: usize = 1_000;

/// A running simulator. It runs until `stop`, or until its thread ends; dropping it does not stop it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    objects: Objects,
    faults: Faults,
    requests: VecDeque<String>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn note(&mut self, request: String) {
        if self.requests.len() >= REQUESTS_KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}

/// Starts a simulator on 127.0.0.1 with one thread of its own. Must be called inside an actix system or a tokio
/// `LocalSet`.
///
/// # Errors
/// When no port can be had.
pub async fn start(options: Options) -> io::Result<Simulator> {
    let world = World {
        objects: Objects::new(options.versioning),
        faults: Faults::default(),
        requests: VecDeque::new(),
    };
    let shared = Arc::new(Shared { options, world: Mutex::new(world) });
    let data = Data::from(Arc::clone(&shared));
    let (address, handle) = http::start(shared.options.port, SmallWrites::MayWait, move |config| {
        config.app_data(data.clone()).default_service(web::to(server::serve));
    })?;
    Ok(Simulator { address, shared, handle })
}

/// Runs a simulator until it is told to end by SIGINT or SIGTERM: `precall simulate s3`.
///
/// # Errors
/// When the port or the signals cannot be had.
pub async fn run(options: Options) -> io::Result<()> {
    let simulator = start(options).await?;
    http::until_signal(&simulator.url()).await?;
    simulator.stop().await;
    Ok(())
}

impl Simulator {
    /// Its base address, for `S3_ENDPOINT`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts an object, as another client would.
    pub fn put(&self, key: &str, content: impl Into<Bytes>) {
        // A full bucket refuses over HTTP; here a test notices it when it reads.
        let _kept = self.shared.world().objects.put(key, content.into());
    }

    /// Every version and delete marker that is still there, as `KEY ID`.
    #[must_use]
    pub fn versions(&self) -> Vec<String> {
        let world = self.shared.world();
        world.objects.all().map(|(key, version)| format!("{key} {}", version.id)).collect()
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.world().faults.set(faults);
    }

    /// The requests, as `METHOD /path`, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.world().requests.iter().cloned().collect()
    }

    /// Stops at once.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}
