//! A link between one process and the database that a test can cut, while other processes still reach the database.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Passes everything on.
    Open,
    /// Passes nothing on, and nobody notices: as a network that loses every packet.
    Silent,
    /// Every connection is closed, and none is accepted: as a firewall that refuses.
    Closed,
}

/// A relay in front of the socket of PostgreSQL.
pub struct DatabaseLink {
    url: String,
    state: watch::Sender<Link>,
    running: JoinHandle<()>,
    _folder: TempDir,
}

impl DatabaseLink {
    /// A link to the database at this address, which names the folder of a socket.
    pub fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (host, database) = rest.split_once(':').unwrap();
        let target = PathBuf::from(decoded(host)).join(".s.PGSQL.5432");
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let host = folder.path().to_str().unwrap().replace('/', "%2F");
        let state = watch::Sender::new(Link::Open);
        let running = tokio::spawn(serve(listener, target, state.subscribe()));
        Self { url: format!("{user}@{host}:{database}"), state, running, _folder: folder }
    }

    /// The address of the database over this link.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes how the link is.
    pub fn set(&self, link: Link) {
        self.state.send_replace(link);
    }
}

impl Drop for DatabaseLink {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn decoded(host: &str) -> String {
    let mut parts = host.split('%');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_at(2);
        let letter = char::from(u8::from_str_radix(code, 16).unwrap());
        format!("{text}{letter}{rest}")
    })
}

async fn serve(listener: UnixListener, target: PathBuf, state: watch::Receiver<Link>) {
    loop {
        let Ok((near, _)) = listener.accept().await else { return };
        let (target, mut state) = (target.clone(), state.clone());
        tokio::spawn(async move {
            if !passes(&mut state).await {
                return;
            }
            let Ok(far) = UnixStream::connect(target).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::select! {
                () = relay(near_in, far_out, state.clone()) => {}
                () = relay(far_in, near_out, state) => {}
            }
        });
    }
}

/// Waits while the link is silent. Whether it is open then.
async fn passes(state: &mut watch::Receiver<Link>) -> bool {
    state.wait_for(|link| *link != Link::Silent).await.is_ok_and(|link| *link == Link::Open)
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Link>,
) {
    let mut bytes = [0; 8192];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = state.changed() => if passes(&mut state).await { continue } else { return },
        };
        let Ok(1..) = read else { return };
        if !passes(&mut state).await || to.write_all(&bytes[..read.unwrap()]).await.is_err() {
            return;
        }
    }
}
