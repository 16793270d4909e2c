//! A real PgBouncer in front of a database of the tests.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;

use crate::support::until;

/// Where Debian and others install it.
const PROGRAMS: [&str; 3] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];

/// What the configuration needs for every client of this project.
pub const TAKES_OPTIONS: &str = "ignore_startup_parameters = options";

/// A running PgBouncer. Dropping it stops it.
pub struct PgBouncer {
    child: Child,
    dir: TempDir,
    port: u16,
    server: String,
}

impl PgBouncer {
    /// `None`, and loud words, where it is not installed. `url` leads to the database behind it, over a socket.
    pub async fn start(url: &str, mode: &str, settings: &str) -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|path| fs::metadata(path).is_ok()) else {
            println!(
                "SKIPPED: PgBouncer is not installed (apt-get install pgbouncer); POOLERS ARE NOT TESTED"
            );
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Free now, and nobody else here takes a port by its number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (address, _) = url.strip_prefix("postgresql://postgres@").unwrap().split_once(":5432/").unwrap();
        let server = address.replace("%2F", "/");
        let config = dir.path().join("pgbouncer.ini");
        fs::write(&config, text(&server, port, mode, settings)).unwrap();
        let mut command = Command::new(program);
        command.arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root, and the socket of the server is for the server's account.
        if Uid::effective().is_root() {
            let account =
                ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).unwrap()).unwrap();
            chown(dir.path(), Some(account.uid.as_raw()), None).unwrap();
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        let child = command.spawn().unwrap();
        until("PgBouncer listens", || async { TcpStream::connect(("127.0.0.1", port)).is_ok() }).await;
        Some(Self { child, dir, port, server })
    }

    /// The same database through PgBouncer.
    pub fn url(&self, database: &str) -> String {
        let name = database.rsplit_once('/').unwrap().1;
        format!("postgresql://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Changes the mode while it runs. Clients that have a server keep it until they let go of it.
    pub fn change_to(&self, mode: &str) {
        let text = text(&self.server, self.port, mode, TAKES_OPTIONS);
        fs::write(self.dir.path().join("pgbouncer.ini"), text).unwrap();
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGHUP).unwrap();
    }
}

fn text(server: &str, port: u16, mode: &str, settings: &str) -> String {
    format!(
        "[databases]\n* = host={server} port=5432 user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{settings}\n"
    )
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
