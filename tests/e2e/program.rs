//! Runs the built program: the test alone sets its environment, and its output goes to files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use precall::config::{ApiKeys, Scope};

use crate::support::{CLIENT, KEY, PATIENCE, SECRET, pause, write_sample};

/// The result of a finished run.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The settings of a run.
#[derive(Clone, Default)]
pub struct Run {
    env: BTreeMap<String, String>,
    arguments: Vec<String>,
    input: String,
    dotenv: Option<String>,
}

impl Run {
    pub fn of(arguments: &[&str]) -> Self {
        Self::default().arguments(arguments)
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The settings of a production service.
    pub fn in_production(self, database: &str, provider: &str, samples: &str) -> Self {
        // A samples folder inside the run's folder.
        let is_there = Path::new(samples).is_dir();
        let spool = if is_there { format!("{samples}/spool") } else { "spool".to_owned() };
        // For the figures of /health.
        let key = ApiKeys::entry("tests", Scope::Admin, KEY).unwrap();
        let pairs = [
            ("ENVIRONMENT", "production"),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("METRICS_ADDR", "127.0.0.1:0"),
            ("API_KEYS", &key),
            ("HTTP_WORKERS", "1"),
            ("CALL_ARBITERS", "2"),
            ("CALL_ROUTE", "callback"),
            ("CONSENT_REQUIRED", "false"),
            ("INSTALLATION", "e2e"),
            ("DATABASE_URL", database),
            ("ELEVENLABS_API_BASE", provider),
            ("ELEVENLABS_API_KEY", API_KEY),
            ("ELEVENLABS_AGENT_ID", "agent_test"),
            ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_test"),
            ("FALLBACK_VOICE_ID", "voice_fallback"),
            ("LOCAL_VOICE_SAMPLES_PATH", samples),
            ("SPOOL_DIR", &spool),
            ("THREECX_WEBHOOK_SECRET", SECRET),
            ("WEBHOOK_SECRET", SECRET),
            ("DEFAULT_REGION", "US"),
            ("LOG_LEVEL", "trace"),
        ];
        pairs.into_iter().fold(self, |run, (name, value)| run.env(name, value))
    }

    /// The settings of a production service on the bridge: `in_production`, and a PBX. Writes the greeting.
    pub fn on_the_bridge(self, database: &str, provider: &str, pbx: &str, samples: &Path) -> Self {
        let folder = samples.to_str().unwrap();
        let greeting = samples.join("greeting.wav");
        write_sample(&greeting, 1);
        let pairs = [
            ("CALL_ROUTE", "bridge"),
            ("THREECX_BASE_URL", pbx),
            ("THREECX_CLIENT_ID", CLIENT),
            ("THREECX_CLIENT_SECRET", SECRET),
            ("NOTICE_GIVEN_BY", "pbx"),
            ("GREETING_AUDIO_FILE", greeting.to_str().unwrap()),
            ("PROMPT_CACHE_DIR", &format!("{folder}/prompts")),
            ("DRAIN_TIMEOUT_SECONDS", "1"),
            ("LOG_LEVEL", "warning"),
        ];
        let run = self.in_production(database, provider, folder);
        pairs.into_iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// No limit that a load of a test could reach.
    pub fn without_limits(self) -> Self {
        let pairs = [
            ("MAX_LIVE_CALLS", "100000"),
            ("SOURCE_LIMIT_PER_SECOND", "100000"),
            ("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000"),
            ("CALLBACK_LIMIT_PER_HOUR", "1000000"),
            ("CALLBACK_LIMIT_PER_DAY", "1000000"),
            ("CALLBACK_LIMIT_CONCURRENT", "100000"),
        ];
        pairs.into_iter().fold(self, |run, (name, value)| run.env(name, value))
    }

    pub fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Writes a `.env` file into the run's folder.
    pub fn dotenv(mut self, text: &str) -> Self {
        self.dotenv = Some(text.to_owned());
        self
    }

    pub fn start(self) -> Program {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = &self.dotenv {
            std::fs::write(folder.path().join(".env"), text).unwrap();
        }
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_precall"))
            .args(&self.arguments)
            .env_clear()
            .envs(kept())
            .envs(&self.env)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(self.input.as_bytes()).unwrap();
        Program { child, folder, what: self.arguments.join(" ") }
    }

    /// Runs the program until it ends.
    pub async fn end(self) -> Ended {
        self.start().end().await
    }
}

/// Variables passed on from the test's environment if set: `PATH`, in which the demo finds the PostgreSQL server
/// programs, and the two variables of `.ci/clock/at`, so that the program has the same wall clock as the test.
fn kept() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["PATH", "LD_PRELOAD", "CLOCK_SHIFT_SECONDS"];
    names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// The ElevenLabs key of every service in these tests.
pub const API_KEY: &str = "key-of-the-provider-0123456789";

/// A running program; it is killed when this value is dropped.
pub struct Program {
    child: Child,
    folder: TempDir,
    what: String,
}

impl Program {
    /// The address that the program listens on, from its first output line.
    pub async fn listening(&mut self) -> String {
        let begun = Instant::now();
        loop {
            let said = self.said("stdout");
            if let Some((first, _)) = said.split_once('\n') {
                let url = first.strip_prefix("listening on ").expect("the first line names the address");
                assert!(url.starts_with("http://127.0.0.1:"), "{url}");
                return url.to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended with {ended:?}: {}", self.what, self.said("stderr"));
            assert!(begun.elapsed() < PATIENCE, "{} does not listen: {}", self.what, self.said("stderr"));
            pause().await;
        }
    }

    /// Replaces the `.env` file in its folder.
    pub fn write_dotenv(&self, text: &str) {
        std::fs::write(self.folder.path().join(".env"), text).unwrap();
    }

    pub fn said(&self, stream: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(stream)).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// How many file descriptors it has open.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Waits until the program ends.
    pub async fn end(mut self) -> Ended {
        let status = self.ended().await;
        Ended { code: status.code(), stdout: self.said("stdout"), stderr: self.said("stderr") }
    }

    async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < 2 * PATIENCE, "{} does not end: {}", self.what, self.said("stderr"));
            pause().await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A free port outside the ephemeral range: the system gives it to no other process, so it can be used later, and again
/// after a kill.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 5_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
