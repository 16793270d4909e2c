//! A simulator of a 3CX v20 PBX over HTTP, on loopback only: tokens, call control, events over a WebSocket, audio both
//! ways, scripted transfers, signed webhooks, and a control API that places calls, shows what callers heard and sets
//! faults.
//!
//! It follows the facts page on 3CX; where that page is unsure, there is an option. All tables and logs are bounded.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use serde_json::Value;

use crate::shared::options::Target;
use crate::shared::server::{self as http, SmallWrites};
use context::Context;
use world::Shared;

pub use call::{Attached, Direction, EndedBy, Mode, NewCall, State, Transfer, TrunkCall, WebhookMode};
pub use caller_sound::Speaks;
pub use ear::Arrival;
pub use faults::{EventFault, Fault, StreamFault, WebhookFault, WsFault};
pub use front_door::{DoorReport, FrontDoor, Routed, RoutedBecause, Told};
pub use grants::Grants;
pub use life::Placed;
pub use options::{
    Args, Codes, ExpiresIn, Noise, OldTokens, Options, SecondClient, SecondPost, StreamEnd, Trunk, TrunkError,
};
pub use report::CallReport;
pub use ring::{Args as RingArgs, RingError, ring};
pub use script::{Outcome, RemoveOrder, Turn};
pub use silence::Silence;

mod actions;
mod answer;
mod call;
mod caller_sound;
mod calls;
mod context;
mod control;
mod directory;
mod door_script;
mod ear;
mod ending;
mod errand;
mod events;
mod faults;
mod front_door;
mod get_stream;
mod grants;
mod leg;
mod life;
mod options;
mod order;
mod post_stream;
mod report;
mod ring;
mod routes;
mod script;
mod server;
mod silence;
mod socket;
#[cfg(test)]
mod tests;
mod tick;
mod token_endpoint;
mod tokens;
mod transfer;
mod trunk;
mod webhook;
mod world;

/// A simulated PBX that runs until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

/// Runs a simulator until it is told to end by SIGINT or SIGTERM: `precall simulate threecx`.
///
/// # Errors
/// When the port or the signals cannot be had.
pub async fn run(options: Options) -> io::Result<()> {
    let simulator = Simulator::start(options).await?;
    http::until_signal(&simulator.base_url()).await?;
    simulator.stop().await;
    Ok(())
}

impl Simulator {
    /// Starts one on 127.0.0.1 with one thread of its own. Must be called inside an actix system or a tokio
    /// `LocalSet`.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let shared = Arc::new(Shared::new(options));
        let for_thread = Arc::clone(&shared);
        let (address, handle) = http::start(port, SmallWrites::AtOnce, move |config| {
            let context = Data::new(Context::new(Arc::clone(&for_thread)));
            actix_web::rt::spawn(tick::run(context.clone()));
            config.app_data(context).default_service(web::to(server::serve));
        })?;
        Ok(Self { address, shared, handle })
    }

    /// Its base address, for `THREECX_BASE_URL`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Places a call, as `POST /sim/calls`.
    ///
    /// # Errors
    /// Why the call cannot be placed.
    pub fn place_call(&self, call: NewCall) -> Result<Placed, String> {
        self.shared.change(|world| world.place(call, Instant::now()))
    }

    /// The caller hangs up; false when the call is over or unknown.
    pub fn hang_up(&self, call_id: &str) -> bool {
        self.shared.change(|world| {
            let serial = control::serial(world, call_id);
            serial.is_some_and(|serial| world.end(serial, EndedBy::Caller, Instant::now()))
        })
    }

    /// The caller presses keys. False when no leg can receive them.
    pub fn dtmf(&self, call_id: &str, digits: &str) -> bool {
        self.shared.change(|world| {
            let serial = control::serial(world, call_id);
            serial.is_some_and(|serial| world.press(serial, digits, Instant::now()))
        })
    }

    /// The report on a call, as `GET /sim/calls/{call_id}`.
    #[must_use]
    pub fn call(&self, call_id: &str) -> Option<CallReport> {
        control::report(&self.shared.world(), call_id)
    }

    /// The reports on all calls that are kept, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallReport> {
        control::reports(&self.shared.world())
    }

    /// What the caller heard: a WAV file.
    #[must_use]
    pub fn audio(&self, call_id: &str) -> Option<Vec<u8>> {
        control::audio(&self.shared.world(), call_id)
    }

    /// Replaces the faults, as `PUT /sim/faults`.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.change(|world| world.misbehave(faults, Instant::now()));
    }

    /// Sets the outcomes of transfers, as `PUT /sim/routeto`.
    pub fn set_routeto(&self, turns: Vec<Turn>) {
        self.shared.world().transfers.set(turns);
    }

    /// Sets the outcomes of the client's own calls, as `PUT /sim/makecall`.
    pub fn set_makecall(&self, turns: Vec<Turn>) {
        self.shared.world().dials.set(turns);
    }

    /// Sets where webhooks go. A demo knows the service's port only after the simulator has started.
    pub fn set_webhook(&self, target: Option<Target>) {
        self.shared.world().webhook = target;
    }

    /// Sets what the API client may do, as `PUT /sim/grants`.
    pub fn set_grants(&self, grants: Grants) {
        self.shared.world().grants = grants;
    }

    /// Revokes every token.
    pub fn revoke_tokens(&self) {
        self.shared.world().tokens.revoke_all();
    }

    /// All calls vanish, ids start again, WebSockets are dropped.
    pub fn restart(&self) {
        self.shared.change(|world| world.restart(Instant::now()));
    }

    /// Legs that the client can act on. There must be none when all calls are over.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.shared.world().calls.live_calls().map(|call| call.legs.len()).sum()
    }

    /// How many WebSockets are open.
    #[must_use]
    pub fn websockets(&self) -> usize {
        self.shared.world().hub.open_now()
    }

    /// The requests to the PBX's API, as `GET /sim/requests`.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.shared.world().requests.shown()
    }

    /// Every webhook posted, as `GET /sim/webhooks`.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Value> {
        self.shared.world().deliveries.shown()
    }

    /// Stops at once, and waits for the end.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The server gets the order at once; a drop cannot wait for its end.
        drop(self.handle.stop(false));
    }
}
