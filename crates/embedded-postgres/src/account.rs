//! The account that PostgreSQL runs as. initdb and postgres refuse root, and both look up the name of their account.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use super::error::{EmbeddedError, io_error};
use super::process;

/// The account of the server's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    /// We are an ordinary user: so is the server.
    Ourselves,
    /// We are root: the server runs as another account.
    Other {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl RunAs {
    /// `postgres` where the account exists, else `nobody`, when we are root.
    pub(super) fn decide() -> Result<Self, EmbeddedError> {
        let ours = Uid::effective();
        if !ours.is_root() {
            return match User::from_uid(ours) {
                Ok(Some(_)) => Ok(Self::Ourselves),
                Ok(None) | Err(_) => Err(EmbeddedError::NoAccount(format!(
                    "user id {ours} has no entry in the passwd database, which initdb insists on"
                ))),
            };
        }
        for name in ["postgres", "nobody"] {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Self::Other { uid: user.uid.as_raw(), gid: user.gid.as_raw() });
            }
        }
        Err(EmbeddedError::NoAccount(
            "it refuses to run as root, and there is neither an account `postgres` nor `nobody`".to_owned(),
        ))
    }

    /// A command that runs as this account, without the environment variables that PostgreSQL reads.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Our own working directory may be one that the account cannot enter.
        command.current_dir("/");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("PG")
                || text.starts_with("LC_")
                || matches!(&*text, "LANG" | "LANGUAGE" | "TZ")
            {
                command.env_remove(&name);
            }
        }
        // Without it, postgres on macOS refuses to start, and its messages come in the user's language.
        command.env("LC_ALL", "C");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file or directory to the account.
    pub(super) fn give(self, path: &Path) -> Result<(), EmbeddedError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(io_error("cannot give away", path))
            }
        }
    }

    /// Whether the account can enter `dir`. The kernel answers this: mode bits are not enough, because
    /// access lists and mounts count too.
    pub(super) fn can_enter(self, dir: &Path) -> bool {
        if self == Self::Ourselves {
            return true;
        }
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
        process::run_within(&mut command, process::QUICK).is_ok_and(|status| status.success())
    }
}
