//! The two programs: `initdb`, which makes the data, and `postgres`, which serves them.

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

/// In the command line of every server of ours, so that one left behind is known for what it is.
pub(super) const MARK: &str = "cluster_name=precall";

const INITDB_PATIENCE: Duration = Duration::from_secs(120);
/// An immediate stop only has to end processes.
const IMMEDIATE_PATIENCE: Duration = Duration::from_secs(5);
const STATUS_LINE: usize = 7;

/// How the server came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It closed its books; the next start needs no recovery.
    Cleanly,
    /// It did not stop in time and was made to; the next start recovers from the log.
    Forcibly,
    /// It had ended by itself before.
    Already,
}

/// Fills a new data directory. It appears under its name only when it is whole: an initdb cut short leaves a
/// PG_VERSION behind, which looks like a cluster and is none.
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
    // The new name has to survive a power cut as surely as the files.
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

    /// A clean stop within the patience, else an immediate one.
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

    /// Our child, not yet reaped: its id cannot be anybody else's.
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

/// Ours first: what the caller sets comes later on the command line and wins.
fn settings(options: &Options) -> Vec<(String, String)> {
    let mut all = vec![
        // The socket's directory, mode 0700, is the whole access control: no port to clash with, no other user.
        ("listen_addresses", ""),
        ("port", "5432"),
        ("unix_socket_permissions", "0700"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("logging_collector", "off"),
        // The log file is bounded by saying little, and what it says of a failed statement holds no one's number.
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
