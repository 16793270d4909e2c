//! Everything around precall: its database, its simulated peers, a proxy in front of each, and the program itself.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use precall_simulators::Target;
use precall_simulators::elevenlabs::{self, Act, Agent, Say, Script, Step};
use precall_simulators::threecx;
use serde_json::Value;
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::program::{API_KEY, Run, free_port};
use crate::service::Service;
use crate::support::proxy::{Lane, Proxies, Proxy, Upstream};
use crate::support::{CLIENT, KEY, SECRET, allowing_agent, connect_to, http_client, until, write_sample};
use crate::table::Peer;

/// How callers are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Bridge,
    Callback,
}

impl Route {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Callback => "callback",
        }
    }
}

/// Callers: more than are on the line at once. One of three is known, and speaks with a cloned voice.
const CALLERS: usize = 150;
const KNOWN: usize = 3;
/// Short, so that voices are cloned again and again.
const CACHE_TTL_SECONDS: &str = "20";
/// A conversation by telephone. On the bridge the agent's script ends it, or the caller.
const TALK: Duration = Duration::from_millis(400);
const LONGEST_TALK: Duration = Duration::from_secs(600);

/// The site of a run.
pub struct Site {
    pub route: Route,
    pub postgres: Postgres,
    pub service: Service,
    pub pbx: Rc<threecx::Simulator>,
    pub provider: Rc<elevenlabs::Simulator>,
    pub url: String,
    database: Proxy,
    elevenlabs: Proxy,
    threecx: Proxy,
    _proxies: Proxies,
    _samples: TempDir,
}

/// Speaks nearly all the time, for longer than any call.
fn talkative() -> Agent {
    let sentence = [
        Act::Say(Say { ms: Some(2_000), text: "On and on.".to_owned(), ..Say::default() }),
        Act::Wait { ms: 300 },
    ];
    let script = sentence.into_iter().cycle().take(200).map(Step::Act).collect();
    // What the agent hears is not looked at: no audio is kept.
    Agent { script: Script::new(script).unwrap(), record_ms: 0, ..allowing_agent() }
}

/// The number of caller `n`, who calls again later.
pub fn caller(n: usize) -> String {
    format!("+1202{}", 2_000_000 + n % CALLERS)
}

/// The path of a request that begins here.
fn path_of(head: &[u8]) -> Option<String> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = str::from_utf8(line).ok().filter(|line| line.ends_with(" HTTP/1.1"))?;
    line.split(' ').nth(1).map(ToOwned::to_owned)
}

fn lane_at_threecx(head: &[u8]) -> Option<Lane> {
    let peer = match path_of(head)? {
        path if path.starts_with("/callcontrol/ws") => Peer::PbxEvents,
        path if path.ends_with("/stream") => Peer::PbxAudio,
        _ => Peer::PbxHttp,
    };
    Some(peer.name())
}

fn lane_at_elevenlabs(head: &[u8]) -> Option<Lane> {
    let is_socket = path_of(head)?.starts_with("/v1/convai/conversation?");
    Some(if is_socket { Peer::AgentSocket.name() } else { Peer::ProviderHttp.name() })
}

fn upstream(url: &str) -> Upstream {
    Upstream::Tcp(url.strip_prefix("http://").unwrap().parse().unwrap())
}

impl Site {
    /// Starts everything, and waits until precall takes calls.
    pub async fn start(route: Route, seed: u64) -> Self {
        let postgres = Postgres::start().await;
        let conversation = if route == Route::Bridge { LONGEST_TALK } else { TALK };
        let options = elevenlabs::Options {
            conversation,
            agent: if route == Route::Bridge { talkative() } else { allowing_agent() },
            clone_delay: "300..1500".parse().unwrap(),
            voice_slots: 1_000,
            retry_spacing: vec![Duration::from_secs(1); 300],
            ..Default::default()
        };
        let provider = elevenlabs::start(options).await.unwrap();
        let options = threecx::Options {
            record: Duration::ZERO,
            ..threecx::Options::new(CLIENT, SECRET.parse().unwrap())
        };
        let pbx = threecx::Simulator::start(options).await.unwrap();
        let proxies = Proxies::new(seed);
        let socket = Upstream::Unix(postgres.socket());
        let database = proxies.open(socket, |_| Some(Peer::Database.name())).unwrap();
        let elevenlabs = proxies.open(upstream(&provider.url()), lane_at_elevenlabs).unwrap();
        let threecx = proxies.open(upstream(&pbx.base_url()), lane_at_threecx).unwrap();
        let (port, samples) = (free_port(), tempfile::tempdir().unwrap());
        let url = format!("http://127.0.0.1:{port}");
        let target = |path: &str| Target {
            url: format!("{url}{path}").parse().unwrap(),
            secret: SECRET.parse().unwrap(),
        };
        provider.set_webhook(Some(target("/webhook/elevenlabs/postcall")));
        pbx.set_webhook(Some(target("/webhook/3cx")));
        let base = format!("postgresql://postgres@{}/postgres", database.address());
        let (to_provider, to_pbx) =
            (format!("http://{}", elevenlabs.address()), format!("http://{}", threecx.address()));
        let run = Run::of(&["serve"]);
        let run = match route {
            Route::Bridge => run.on_the_bridge(&base, &to_provider, &to_pbx, samples.path()),
            Route::Callback => run.in_production(&base, &to_provider, samples.path().to_str().unwrap()),
        };
        let run = run
            .env("PORT", &port.to_string())
            .env("ELEVENLABS_API_KEY", API_KEY)
            .env("ELEVENLABS_PROBE_SECONDS", "5")
            .env("POSTCALL_WAIT_SECONDS", "5")
            .without_limits()
            .env("CACHE_TTL", CACHE_TTL_SECONDS)
            // How long an agent may be silent before the caller hears music: the shortest time that there is.
            .env("AGENT_STALL_SECONDS", "1")
            .env("DRAIN_TIMEOUT_SECONDS", "1")
            .env("LOG_LEVEL", "warning");
        write_sample(&samples.path().join("known.wav"), 1);
        let service = Service::start(run, samples.path()).await;
        let site = Self {
            route,
            postgres,
            service,
            pbx: Rc::new(pbx),
            provider: Rc::new(provider),
            url,
            database,
            elevenlabs,
            threecx,
            _proxies: proxies,
            _samples: samples,
        };
        until("precall takes calls", || site.is_well()).await;
        site.map_known_callers().await;
        site
    }

    async fn map_known_callers(&self) {
        let client = connect_to(&self.postgres.url()).await;
        let callers: Vec<String> = (0..CALLERS).step_by(KNOWN).map(caller).collect();
        let map = "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name)
            select n, 'known.wav', 'Known' from unnest($1::text[]) n";
        client.execute(map, &[&callers]).await.unwrap();
    }

    /// The proxy that has the connections of a peer.
    pub fn proxy(&self, peer: Peer) -> &Proxy {
        match peer {
            Peer::Database => &self.database,
            Peer::ProviderHttp | Peer::AgentSocket => &self.elevenlabs,
            Peer::PbxHttp | Peer::PbxEvents | Peer::PbxAudio => &self.threecx,
        }
    }

    /// Whether precall says that it is ready, has its peers, and everything is in the database.
    pub async fn is_well(&self) -> bool {
        self.ailment().await.is_none()
    }

    /// What precall says is wrong.
    pub async fn ailment(&self) -> Option<String> {
        let (status, ready) = self.get("/health/ready").await;
        if status != 200 {
            return Some(format!("/health/ready answers {status}: {ready}"));
        }
        let (_, health) = self.get("/health").await;
        let direct = health["database"] == "ok" && health["spool"] == "ok" && health["queued_events"] == 0;
        let has_pbx = self.route == Route::Callback || health["threecx"] == "ok";
        (!direct || !has_pbx).then(|| format!("/health answers {health}"))
    }

    /// Status and body of an answer; status 0 without one.
    async fn get(&self, path: &str) -> (u16, Value) {
        let asked = http_client().get(format!("{}{path}", self.url)).bearer_auth(KEY).send();
        let Ok(mut answer) = asked.await else { return (0, Value::Null) };
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Ends everything, and waits for it.
    pub async fn stop(self) {
        self.service.stop().await;
        for proxy in [&self.database, &self.elevenlabs, &self.threecx] {
            proxy.heal_all();
        }
        if let Ok(pbx) = Rc::try_unwrap(self.pbx) {
            pbx.stop().await;
        }
        if let Ok(provider) = Rc::try_unwrap(self.provider) {
            provider.stop().await;
        }
        self.postgres.stop().await;
    }
}

/// The folder of the server's socket, in its URL.
pub fn socket_of(url: &str) -> PathBuf {
    let host = url.split(['@', ':']).nth(2).unwrap_or_default();
    PathBuf::from(host.replace("%2F", "/")).join(".s.PGSQL.5432")
}
