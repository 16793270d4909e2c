//! A server for one test, on its own port.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use actix_web::dev::{Server, ServerHandle};
use precall_actors::voices::samples::{SampleStore, UploadPlace};
use precall_base::phone_number::Region;
use precall_call::{At, VoiceId};
use slog::{Discard, Logger, o};

use super::client::{Answer, send};
use super::scripted::{Scripted, nowhere};
use crate::config::{ApiKeys, Config, CorsOrigins, Scope, Secret, Sender, WebhookAuth};
use crate::http::app_state::AppState;
use crate::http::{CurrentSettings, Figures, Rates, Settings, management_server_of, server_of};
use crate::reload::ReloadDesk;
use crate::signature::{Kind, sign};
use crate::trusted_addresses::AddressList;

pub const SECRET: &str = "a secret of the tests";
pub const ADMIN: &str = "admin-key-admin-key-admin-key-admin";
pub const READER: &str = "reader-key-reader-key-reader-key-1";
pub const OPERATOR: &str = "operator-key-operator-key-operator";
pub const THREECX: &str = "/webhook/3cx";
pub const POSTCALL: &str = "/webhook/elevenlabs/postcall";

pub fn sender() -> Sender {
    Sender { auth: WebhookAuth::Signed(Secret::new(SECRET)), previous: None, trusted_ips: None }
}

pub fn addresses(entries: &[&str]) -> AddressList {
    AddressList::parse(entries).unwrap()
}

/// The token of unsigned 3CX webhooks.
pub(super) const TOKEN: &str = "token-token-token-token-token-1234";

/// A configuration whose API keys are those of the tests.
fn config() -> Config {
    let entries =
        [("board", Scope::Read, READER), ("desk", Scope::Operate, OPERATOR), ("boss", Scope::Admin, ADMIN)];
    let entries: Vec<String> =
        entries.iter().map(|(name, scope, key)| ApiKeys::entry(name, *scope, key).unwrap()).collect();
    let mut variables = std::collections::BTreeMap::new();
    for (name, value) in
        [("API_KEYS", entries.join(",").as_str()), ("ENVIRONMENT", "development"), ("HOST", "127.0.0.1")]
    {
        variables.insert(name.to_owned(), value.to_owned());
    }
    for name in
        ["ELEVENLABS_API_KEY", "ELEVENLABS_AGENT_ID", "ELEVENLABS_PHONE_NUMBER_ID", "GREETING_VOICE_ID"]
    {
        variables.insert(name.to_owned(), "test-value-test-value".to_owned());
    }
    Config::from_map(&variables).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        threecx: sender(),
        elevenlabs: sender(),
        initiation_secret: Some(Secret::new("knock knock")),
        initiation_secret_previous: None,
        threecx_token: Some(Secret::new(TOKEN)),
        trusted_proxies: AddressList::default(),
        persons: ["sales".to_owned()].into(),
        supervision: true,
        sample_playback: true,
        has_fallback: true,
        source_limit: NonZeroU32::new(1_000).unwrap(),
        rates: Arc::new(Rates::new(NonZeroU32::new(1_000).unwrap())),
        body_limit: 1024 * 1024,
        transcription_limit: 16 * 1024 * 1024,
        recordings: None,
        samples: SampleStore::new("/nowhere", None, UploadPlace::Folder),
        fallback_voice: Some(VoiceId::new("fallback-voice")),
        region: Region::UNKNOWN,
        cors_origins: CorsOrigins::These(vec!["https://desk.example".to_owned()]),
        api_keys: config().api_keys,
        figures: Figures::Open,
        log: Logger::root(Discard, o!()),
    }
}

/// The state of a server without a listener.
pub fn app_state(settings: Settings, engine: Arc<Scripted>) -> AppState {
    let (reloads, _) = ReloadDesk::new(config());
    AppState::new(CurrentSettings::new(settings), reloads, engine, nowhere())
}

/// A running server. Dropping it stops the server.
pub struct Running {
    pub address: SocketAddr,
    pub engine: Arc<Scripted>,
    handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

pub fn run() -> Running {
    run_with(settings())
}

pub fn run_with(settings: Settings) -> Running {
    let settings = Settings { rates: Arc::new(Rates::new(settings.source_limit)), ..settings };
    let (reloads, _) = ReloadDesk::new(config());
    let settings = CurrentSettings::new(settings);
    start(|engine, listener| server_of(settings, reloads, engine, nowhere(), listener, 1))
}

/// The server for management.
pub fn run_management() -> Running {
    let (reloads, _) = ReloadDesk::new(config());
    let settings = CurrentSettings::new(Settings { figures: Figures::WithKey, ..settings() });
    start(|engine, listener| management_server_of(settings, reloads, engine, nowhere(), listener))
}

fn start(build: impl FnOnce(Arc<Scripted>, TcpListener) -> std::io::Result<Server>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let engine = Scripted::new();
    let server = build(engine.clone(), listener).unwrap();
    let handle = server.handle();
    actix_rt::spawn(server);
    Running { address, engine, handle }
}

pub fn now_plus(seconds: i64) -> At {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    At(i64::try_from(now.as_micros()).unwrap() + seconds * 1_000_000)
}

impl Running {
    /// Stops the server as at the end of the program, and waits for it.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }

    /// Posts a body with a signature time `seconds` from now.
    pub async fn post_at(&self, path: &str, seconds: i64, body: &[u8]) -> Answer {
        let kind = if path == THREECX { Kind::ThreeCx } else { Kind::ElevenLabs };
        let (name, value) = sign(kind, SECRET.as_bytes(), body, now_plus(seconds));
        send(self.address, "POST", path, &[(name, &value)], body).await
    }

    /// Posts a signed body.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_at(path, 0, body.as_bytes()).await
    }
}
