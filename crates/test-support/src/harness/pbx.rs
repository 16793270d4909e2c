//! A simulated 3CX in its own process. It reports what its callers heard.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::Path;
use std::time::{Duration, Instant};

use precall_providers::test_peers::tls_front::Front;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Outcome;
use super::child::Server;
use super::client::{once, plain};
use super::world::{LOCALHOST, SECRET, Tls};
use crate::sound::write_wav;
use crate::world::CALLED;

/// The API client of the service at the PBX, and the DN of its route point.
pub(super) const CLIENT_ID: &str = "900";
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Records a greeting of this many seconds: a tone, as a telephone plays it.
fn write_greeting(path: &Path, seconds: u32) {
    let sample = |n| ((f64::from(n) / 8_000.0 * TAU * 620.0).sin() * 8_000.0) as i16;
    write_wav(path, 8_000, (0..8_000 * seconds).map(sample));
}

/// A piece of audio that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Time after the first byte of the call.
    pub after_ms: f64,
    /// Bytes of audio.
    pub bytes: f64,
}

/// Ends when it is dropped.
pub struct Pbx {
    /// The process.
    pub server: Server,
    front: Option<Front>,
    _folder: TempDir,
}

impl Pbx {
    /// Starts a PBX without calls.
    pub async fn start(program: &str, tls: Tls) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let arguments = ["simulate", "threecx", "--client-id", CLIENT_ID, "--client-secret", SECRET];
        let server = Server::start(Path::new(program), &arguments, &BTreeMap::new(), folder.path()).await?;
        let front = (tls == Tls::With).then(|| Front::before(server.address, LOCALHOST));
        Ok(Self { server, front, _folder: folder })
    }

    /// What a service needs to serve legs of this PBX, with a recorded greeting of so many seconds in `folder`.
    pub fn variables(&self, folder: &Path, greeting_seconds: u32) -> BTreeMap<&'static str, String> {
        let (greeting, prompts) = (folder.join("greeting.wav"), folder.join("prompts"));
        write_greeting(&greeting, greeting_seconds);
        let base = match &self.front {
            Some(front) => format!("https://{LOCALHOST}:{}", front.port),
            None => format!("http://{}", self.server.address),
        };
        let ca_file =
            self.front.as_ref().map(|front| ("THREECX_CA_FILE", front.ca_file().display().to_string()));
        let variables = [
            ("THREECX_BASE_URL", base),
            ("THREECX_CLIENT_ID", CLIENT_ID.to_owned()),
            ("THREECX_CLIENT_SECRET", SECRET.to_owned()),
            ("NOTICE_GIVEN_BY", "pbx".to_owned()),
            ("GREETING_AUDIO_FILE", greeting.display().to_string()),
            ("PROMPT_CACHE_DIR", prompts.display().to_string()),
        ];
        variables.into_iter().chain(ca_file).collect()
    }

    /// A caller rings, and hangs up after `lasting_ms`. Returns the PBX's id of the call.
    pub async fn ring(&self, caller: &str, lasting_ms: u64) -> Outcome<String> {
        self.place(json!({"caller": caller, "called": CALLED, "hangup_after_ms": lasting_ms})).await
    }

    /// The same, with a caller who says nothing.
    ///
    /// # Errors
    /// As [`Self::ring`].
    pub async fn ring_silent(&self, caller: &str, lasting_ms: u64) -> Outcome<String> {
        self.place(json!({
            "caller": caller, "called": CALLED, "hangup_after_ms": lasting_ms, "speaks": "silence"
        }))
        .await
    }

    async fn place(&self, call: Value) -> Outcome<String> {
        let body = call.to_string();
        let request = format!(
            "POST /sim/calls HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = once(self.server.address, request.as_bytes()).await?;
        let placed = answer.json()?;
        let id = placed.get("call_id").and_then(Value::as_str);
        Ok(id.ok_or_else(|| format!("the PBX does not place the call: {placed}"))?.to_owned())
    }

    /// Reports of all calls so far.
    pub async fn calls(&self) -> Outcome<Vec<Value>> {
        match once(self.server.address, &plain("GET", "/sim/calls")).await?.json()? {
            Value::Array(calls) => Ok(calls),
            _ => Err("the PBX's calls are no list".into()),
        }
    }

    /// The audio that arrived for a caller.
    pub async fn arrivals(&self, id: &str) -> Outcome<Vec<Arrival>> {
        let path = format!("/sim/calls/{id}/arrivals");
        let Value::Array(arrivals) = once(self.server.address, &plain("GET", &path)).await?.json()? else {
            return Err("the PBX's arrivals are no list".into());
        };
        let number = |arrival: &Value, name: &str| arrival.get(name).and_then(Value::as_f64);
        let read = |arrival: &Value| {
            Some(Arrival { after_ms: number(arrival, "after_ms")?, bytes: number(arrival, "bytes")? })
        };
        Ok(arrivals.iter().filter_map(read).collect())
    }

    /// Waits until the service listens to the events of the PBX.
    pub async fn until_heard(&self, within: Duration) -> Outcome<()> {
        let begun = Instant::now();
        while self.listeners().await? == 0 {
            if begun.elapsed() > within {
                return Err("the service does not listen to the PBX".into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// How many clients listen to its events.
    pub async fn listeners(&self) -> Outcome<u64> {
        let state = once(self.server.address, &plain("GET", "/sim/state")).await?.json()?;
        state.get("websockets").and_then(Value::as_u64).ok_or_else(|| "no count of WebSockets".into())
    }
}
