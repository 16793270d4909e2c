//! A simulator of ElevenLabs over HTTP, on loopback only: voices, text to speech, outbound calls, conversations by
//! telephone and by WebSocket, signed post-call webhooks, and a control API that shows requests and sets faults.
//!
//! Every agent, phone number and voice id exists unless it was deleted here or `PUT /sim/account` names those that
//! exist. Headers state the limit of concurrent
//! requests, but only a fault enforces it. All tables and logs are bounded.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use serde_json::Value;

use crate::shared::options::Target;
use crate::shared::server::{self as http, SmallWrites};
use context::Context;
use world::Shared;

pub use account::{Account, NumberProvider, PhoneNumber, Settings, WorkspaceWebhook};
pub use audio::voice_tone_hz;
pub use dialogue::{Role, Turn};
pub use faults::{CallFate, Fault, ReportFate};
pub use options::{Args, CloneDelay, DelayError, Options};
pub use overrides::OverrideRefusal;
pub use report_script::{CallResult, CallSuccess, ReportScript};
pub use session::act::{Act, Pace, Say, StallAt, Until};
pub use session::agent_session::Heard;
pub use session::agent_settings::{Access, Agent, LostVoice, OnViolation};
pub use session::ear::UserAudio;
pub use session::end::{End, EndedBy};
pub use session::format::{AgentAudio, NoSuchFormat};
pub use session::pings::PingFigures;
pub use session::queue::Queue;
pub use session::report::SessionReport;
pub use session::script::{Script, Step};
pub use session::steps::Said;
pub use session::tools::{ToolAnswer, ToolCall};

mod account;
mod agent_endpoint;
mod answer;
mod audio;
mod calls;
mod context;
mod control;
mod conversation;
mod conversation_endpoints;
mod conversation_forms;
mod conversations;
mod dialogue;
mod faults;
mod ids;
mod inbound;
mod lifecycle;
mod options;
mod overrides;
mod report_script;
mod request;
mod routes;
mod server;
mod session;
mod signed_url_endpoint;
mod speech;
#[cfg(test)]
mod tests;
mod voice_endpoints;
mod voices;
mod webhook;
mod workspace_endpoints;
mod world;

/// A running simulator. It runs until `stop`, or until its thread ends; dropping it does not stop it.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

/// Starts a simulator on 127.0.0.1 with one thread of its own. Must be called inside an actix system or a tokio
/// `LocalSet`.
///
/// # Errors
/// When the port cannot be had.
pub async fn start(options: Options) -> io::Result<Simulator> {
    let port = options.port;
    let shared = Arc::new(Shared::new(options));
    let for_thread = Arc::clone(&shared);
    let (address, handle) = http::start(port, SmallWrites::MayWait, move |config| {
        config
            .app_data(Data::new(Context::new(Arc::clone(&for_thread))))
            .default_service(web::to(server::serve));
    })?;
    Ok(Simulator { address, shared, handle })
}

/// Runs a simulator until it is told to end by SIGINT or SIGTERM: `precall simulate elevenlabs`.
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
    /// Its base address, for `ELEVENLABS_API_BASE`: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets where post-call webhooks go. A demo knows the service's port only after the simulator has started.
    pub fn set_webhook(&self, target: Option<Target>) {
        self.shared.world().webhook = target;
    }

    /// Replaces the API key that requests must have.
    pub fn set_api_key(&self, key: &str) {
        self.shared.world().api_key = key.parse().ok();
    }

    /// Sets the initiation webhook that is asked about inbound calls.
    pub fn set_initiation(&self, target: Option<Target>) {
        self.shared.world().initiation = target;
    }

    /// Replaces the faults, as `PUT /sim/faults`.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.world().faults.set(faults);
    }

    /// The requests to the provider's API, as `GET /sim/requests`.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.world().requests.shown()
    }

    /// The clones that were not deleted, as `GET /sim/voices`.
    pub fn voices(&self) -> Value {
        control::voices(&self.shared.world())
    }

    /// Makes every clone a day older.
    pub fn age_voices(&self) {
        self.shared.world().voices.age();
    }

    /// Every conversation, as `GET /sim/conversations`.
    pub fn conversations(&self) -> Value {
        control::conversations(&self.shared.world())
    }

    /// Replaces the agent, as `PUT /sim/agent`. Live conversations keep the agent that they have.
    pub fn set_agent(&self, agent: Agent) {
        self.shared.world().agent = Arc::new(agent);
    }

    /// The open WebSockets stay open; nothing is read or sent any more.
    pub fn freeze_sockets(&self) {
        self.shared.world().sessions.freeze();
    }

    /// Replaces the account, as `PUT /sim/account`.
    pub fn set_account(&self, account: Account) {
        self.shared.world().set_account(account, self.shared.voice_slots);
    }

    /// The reports on the WebSockets of all conversations that are kept, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionReport> {
        control::reports(&self.shared.world())
    }

    /// The beginning of the audio that the agent heard through the WebSocket of a conversation.
    #[must_use]
    pub fn heard(&self, conversation_id: &str) -> Option<Heard> {
        control::heard(&self.shared.world(), conversation_id)
    }

    /// Ends a conversation, as `POST /sim/conversations/{id}/hangup`. False when it is not live.
    pub fn hang_up(&self, conversation_id: &str) -> bool {
        lifecycle::hang_up(&self.shared, conversation_id)
    }

    /// Every attempt to deliver a webhook, as `GET /sim/webhooks`.
    pub fn webhooks(&self) -> Vec<Value> {
        self.shared.world().deliveries.shown()
    }

    /// Stops at once: closes all connections; live conversations and pending webhooks are lost.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}
