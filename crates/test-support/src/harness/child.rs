//! A child process, which is killed when its value is dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::Outcome;

const START_WITHIN: Duration = Duration::from_secs(30);
const SAYS: &str = "listening on http://";

/// A server that has printed its address.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    log: PathBuf,
    // Kept open: a server that writes to a closed pipe fails.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `program` in `folder`, with only these environment variables. Its standard error goes to a file there.
    pub async fn start(
        program: &Path,
        arguments: &[&str],
        environment: &BTreeMap<&str, String>,
        folder: &Path,
    ) -> Outcome<Self> {
        let log = folder.join(format!("{}.log", arguments.first().unwrap_or(&"server")));
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        tokio::time::timeout(START_WITHIN, stdout.read_line(&mut line)).await??;
        let Some(address) = line.trim().strip_prefix(SAYS) else {
            return Err(format!("{arguments:?} does not start:\n{}", tail(&log)).into());
        };
        Ok(Self { address: address.parse()?, child, log, _stdout: stdout })
    }

    /// Its process id.
    pub fn pid(&self) -> Outcome<u32> {
        self.child.id().ok_or_else(|| format!("it has ended:\n{}", tail(&self.log)).into())
    }

    /// The last lines of its standard error.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Kills it and waits until it has ended.
    pub async fn kill(&mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }

    /// The same.
    pub async fn end(mut self) -> Outcome<()> {
        self.kill().await
    }

    /// Asks it to stop (SIGTERM), and waits until it has ended.
    pub async fn stop(mut self, within: Duration) -> Outcome<()> {
        let pid = self.pid()?.to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await?;
        if !sent.success() {
            return Err("the signal could not be sent".into());
        }
        let ended = tokio::time::timeout(within, self.child.wait()).await??;
        if ended.success() {
            Ok(())
        } else {
            Err(format!("it ended with {ended}:\n{}", self.log_tail()).into())
        }
    }
}

fn tail(log: &Path) -> String {
    const LINES: usize = 12;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
