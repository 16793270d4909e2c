//! What an earlier run left in the data directory: a running server, or the lock files of one that is gone.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster_dir::{ClusterDir, SOCKET_NAME};
use super::error::{EmbeddedError, io_error};
use super::process;
use super::server::MARK;

/// The process that a recorded process id belongs to now.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// No process, a zombie, or a process that does not use these data.
    Gone,
    /// A server that we started and that outlived its precall.
    Ours,
    /// A server on these data that we did not start.
    Foreign,
}

/// Stops a server that was left behind and removes the files that would make a new one refuse to start.
/// The caller holds the lock of the directory, so no running precall uses it.
pub(super) fn clear(dir: &ClusterDir, patience: Duration) -> Result<(), EmbeddedError> {
    let pgdata = dir.pgdata();
    if let Some(pid) = recorded_pid(&pgdata) {
        match holder(pid, &pgdata) {
            Holder::Gone => {}
            Holder::Ours => stop(pid, &pgdata, patience)?,
            Holder::Foreign => return Err(EmbeddedError::InUse { dir: pgdata, holder: Some(pid) }),
        }
    }
    remove(&pgdata.join("postmaster.pid"))?;
    remove(&dir.socket_dir().join(SOCKET_NAME))?;
    remove(&dir.socket_dir().join(format!("{SOCKET_NAME}.lock")))
}

fn recorded_pid(pgdata: &Path) -> Option<u32> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)
}

/// The kernel reuses process ids. So the command line and the working directory are compared too.
fn holder(pid: u32, pgdata: &Path) -> Holder {
    let Some(command_line) = command_line(pid) else { return Holder::Gone };
    let path = pgdata.to_string_lossy();
    if command_line.contains(&*path) {
        return if command_line.contains(MARK) { Holder::Ours } else { Holder::Foreign };
    }
    // Started by hand with PGDATA, or by a path through another link.
    let works_here = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == pgdata);
    if works_here { Holder::Foreign } else { Holder::Gone }
}

/// Empty for a zombie, hence `None`.
fn command_line(pid: u32) -> Option<String> {
    let text = if Path::new("/proc/self").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    } else {
        let mut ps = Command::new("ps");
        process::output_within(ps.args(["-o", "command=", "-p", &pid.to_string()]), process::QUICK).ok()?
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Its guardian may do the same at this moment, which is harmless.
fn stop(pid: u32, pgdata: &Path, patience: Duration) -> Result<(), EmbeddedError> {
    let Ok(raw) = i32::try_from(pid) else { return Ok(()) };
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
        let _gone_meanwhile = kill(Pid::from_raw(raw), signal);
        let gone = process::poll(patience, || {
            Ok::<_, EmbeddedError>((holder(pid, pgdata) == Holder::Gone).then_some(()))
        })?;
        if gone.is_some() {
            return Ok(());
        }
    }
    Err(EmbeddedError::Leftover(pid))
}

fn remove(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("cannot remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
