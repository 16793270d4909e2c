//! Runs `initdb`, which makes the data, and `postgres`, which serves them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::RunAs;
use super::binaries::Binaries;
use super::cluster_dir::{ClusterDir, create_private};
use super::error::{EmbeddedError, io_error};
use super::guardian::Guardian;
use super::process::{self, status_text};
use super::{Durability, Options};

/// In the command line of every server that we start, so that a later run recognises it.
pub(super) const MARK: &str = "cluster_name=precall";

const INITDB_PATIENCE: Duration = Duration::from_secs(120);
/// How long an immediate stop may take: it only ends processes.
const IMMEDIATE_PATIENCE: Duration = Duration::from_secs(5);
const STATUS_LINE: usize = 7;

/// How the server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Cleanly; the next start needs no recovery.
    Cleanly,
    /// It was ended after the timeout; the next start recovers from the write-ahead log.
    Forcibly,
    /// It had stopped before.
    Already,
}

/// Makes a new data directory. It gets its name only when initdb has finished: an interrupted initdb leaves a
/// PG_VERSION behind, which looks like a complete cluster.
pub(super) fn initdb(
    dir: &ClusterDir,
    binaries: &Binaries,
    run_as: RunAs,
    durability: Durability,
    guardian: &mut Guardian,
) -> Result<(), EmbeddedError> {
    let unfinished = dir.unfinished_pgdata();
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(io_error("cannot remove", &unfinished))?;
    }
    create_private(&unfinished, run_as)?;
    let log = dir.new_log()?;
    let log_again = log.try_clone().map_err(io_error("cannot share the log in", dir.base()))?;
    let mut command = run_as.command(&binaries.dir.join("initdb"));
    command
        .args(["-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-instructions", "-D"])
        .arg(&unfinished)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_again)
        .process_group(0);
    if durability == Durability::NoFsync {
        command.arg("--no-sync");
    }
    let mut child = command.spawn().map_err(io_error("cannot run initdb in", &binaries.dir))?;
    guardian.look_after(child.id());
    let ended = process::wait_for(&mut child, INITDB_PATIENCE);
    if !matches!(&ended, Ok(Some(status)) if status.success()) {
        let _ended_already = child.kill();
        let _reaped = child.wait();
        let how = match ended {
            Ok(Some(status)) => status_text(status),
            Ok(None) => format!("no end after {} s", INITDB_PATIENCE.as_secs()),
            Err(error) => error.to_string(),
        };
        return Err(EmbeddedError::Initdb(format!("{how}: {}", dir.log_tail())));
    }
    let pgdata = dir.pgdata();
    fs::rename(&unfinished, &pgdata).map_err(io_error("cannot rename", &unfinished))?;
    // The new name must survive a power failure, as the files do.
    fs::File::open(dir.base())
        .and_then(|parent| parent.sync_all())
        .map_err(io_error("cannot write through", dir.base()))
}

/// A running `postgres`. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    patience: Duration,
}

impl Server {
    /// Starts the server and waits until it takes connections.
    pub(super) fn start(
        dir: &ClusterDir,
        binaries: &Binaries,
        run_as: RunAs,
        options: &Options,
        guardian: &mut Guardian,
    ) -> Result<Self, EmbeddedError> {
        let log = dir.new_log()?;
        let log_again = log.try_clone().map_err(io_error("cannot share the log in", dir.base()))?;
        let mut command = run_as.command(&binaries.dir.join("postgres"));
        command.arg("-D").arg(dir.pgdata()).arg("-k").arg(dir.socket_dir()).args(["-c", MARK]);
        for (name, value) in settings(options) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: Ctrl-C must not stop the database before the application has drained.
        command.stdin(Stdio::null()).stdout(log).stderr(log_again).process_group(0);
        let child = command.spawn().map_err(io_error("cannot run postgres in", &binaries.dir))?;
        guardian.look_after(child.id());
        let mut server = Self { child, patience: options.stop_timeout };
        server.wait_until_ready(dir, options.start_timeout)?;
        Ok(server)
    }

    /// Stops cleanly within the timeout, else at once.
    pub(super) fn stop(&mut self) -> Stopped {
        if self.has_ended(Duration::ZERO) {
            return Stopped::Already;
        }
        self.send(Signal::SIGINT);
        if self.has_ended(self.patience) {
            return Stopped::Cleanly;
        }
        self.send(Signal::SIGQUIT);
        if !self.has_ended(IMMEDIATE_PATIENCE) {
            let _ended_meanwhile = self.child.kill();
            let _reaped = self.child.wait();
        }
        Stopped::Forcibly
    }

    /// postmaster.pid of *this* process says `ready`. A file of an earlier one may say so too.
    fn wait_until_ready(&mut self, dir: &ClusterDir, patience: Duration) -> Result<(), EmbeddedError> {
        let papers = dir.pgdata().join("postmaster.pid");
        let child = &mut self.child;
        let ready = process::poll(patience, || {
            let ended = child.try_wait().map_err(io_error("cannot wait for the server in", dir.base()))?;
            if let Some(status) = ended {
                return Err(EmbeddedError::Ended { status: status_text(status), log: dir.log_tail() });
            }
            Ok(says_ready(&papers, child.id()).then_some(()))
        })?;
        ready.ok_or_else(|| EmbeddedError::NotReady { waited: patience, log: dir.log_tail() })
    }

    fn has_ended(&mut self, patience: Duration) -> bool {
        matches!(process::wait_for(&mut self.child, patience), Ok(Some(_)))
    }

    /// Our child is not reaped yet, so its process id belongs to no other process.
    fn send(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ended_meanwhile = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn says_ready(papers: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(papers) else { return false };
    let of_this_process = text.lines().next().and_then(|line| line.trim().parse().ok()) == Some(pid);
    let status = text.lines().nth(STATUS_LINE).map(str::trim);
    of_this_process && status == Some("ready")
}

/// Our settings come first: the caller's come later on the command line and override them.
fn settings(options: &Options) -> Vec<(String, String)> {
    let mut all = vec![
        // The socket's directory, mode 0700, is the whole access control: no port to clash with, no other user.
        ("listen_addresses", ""),
        ("port", "5432"),
        ("unix_socket_permissions", "0700"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("logging_collector", "off"),
        // A terse log stays small, and its lines about failed statements hold no telephone number.
        ("log_min_messages", "log"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("log_checkpoints", "off"),
    ];
    if options.durability == Durability::NoFsync {
        all.extend([("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]);
    }
    let ours = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.chain(options.settings.iter().cloned()).collect()
}
