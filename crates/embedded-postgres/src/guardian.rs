//! The guardian: a small `sh` that stops PostgreSQL when our process is killed and cannot do so itself.
//!
//! PR_SET_PDEATHSIG does not work here: it fires when the *thread* that spawned the server
//! ends, and the threads of a runtime's blocking pool end all the time.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use super::account::RunAs;
use super::error::{EmbeddedError, io_error};
use super::process;

const SCRIPT: &str = include_str!("guardian.sh");
const FAREWELL: Duration = Duration::from_secs(5);

/// Holds the write end of a pipe. When it closes, by us or by the kernel after our death, the guardian acts.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Starts the guardian. `mark` is a text in the command line of every process that it will look after; the
    /// directories are removed at the end.
    pub(super) fn start(run_as: RunAs, mark: &Path, to_remove: &[PathBuf]) -> Result<Self, EmbeddedError> {
        let sh = Path::new("/bin/sh");
        let mut shell = run_as
            .command(sh)
            .args(["-c", SCRIPT, "precall-guardian"])
            .arg(mark)
            .args(to_remove)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(io_error("cannot run", sh))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// The guardian stops this process from now on.
    pub(super) fn look_after(&mut self, pid: u32) {
        if let Some(pipe) = &mut self.pipe {
            // Without a guardian the server can outlive us; that is no reason to fail the start.
            let _guardian_is_gone = pipe.write_all(format!("{pid}\n").as_bytes());
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.pipe.take());
        if !matches!(process::wait_for(&mut self.shell, FAREWELL), Ok(Some(_))) {
            let _already_gone = self.shell.kill();
            let _reaped = self.shell.wait();
        }
    }
}
