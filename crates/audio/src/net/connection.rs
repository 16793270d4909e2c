//! A connection to the PBX: TCP, TLS when its address says so, and HTTP/1.1 on it, for one audio stream.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use precall_providers::threecx::address::LegAddress;
use precall_providers::tls_roots::TlsRoots;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use url::Url;

use super::socket::{Address, Socket};
use crate::MediaError;
use crate::net::upload_body::{Outlet, OutletBody};

/// TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Of the caller's audio and of answers, a connection. The head of an answer must fit; audio comes in pieces of some 320 bytes.
const READ_BUFFER: usize = 4 * 1024;

/// How the PBX is reached.
#[derive(Clone)]
pub(crate) struct Route {
    base: Url,
    address: Address,
    authority: HeaderValue,
}

impl Route {
    pub(crate) fn to(base: &Url, extra_ca: Option<&Path>) -> Result<Self, MediaError> {
        let host = base.host().ok_or(MediaError::Base)?;
        let authority = base.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::try_from(authority).map_err(|_| MediaError::Base)?;
        let trust = match base.scheme() {
            "http" => None,
            "https" => Some(TlsRoots::load(extra_ca).map_err(|error| MediaError::Tls(error.to_string()))?),
            _another => return Err(MediaError::Base),
        };
        let address = Address::of(base, trust.as_ref()).ok_or(MediaError::Base)?;
        Ok(Self { base: base.clone(), address, authority })
    }

    /// The `Host` header.
    pub(crate) fn authority(&self) -> HeaderValue {
        self.authority.clone()
    }

    /// The path of a leg's streams, below the base's own.
    pub(crate) fn stream_path(&self, leg: &LegAddress) -> Result<hyper::Uri, MediaError> {
        let mut url = self.base.clone();
        let participant = leg.participant.to_string();
        url.path_segments_mut().map_err(|()| MediaError::Base)?.pop_if_empty().extend([
            "callcontrol",
            leg.dn.as_str(),
            "participants",
            &participant,
            "stream",
        ]);
        url.path().parse().map_err(|_| MediaError::Base)
    }

    /// A new connection, ready for a request.
    pub(crate) async fn connect(&self) -> io::Result<Line> {
        tokio::time::timeout(CONNECT_WITHIN, self.connect_somehow())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect_somehow(&self) -> io::Result<Line> {
        let socket = self.address.connect().await?;
        let outlet = Rc::new(Outlet::new());
        let wire = Wire { socket, outlet: Rc::clone(&outlet) };
        let (sender, connection) = Builder::new()
            .read_buf_exact_size(Some(READ_BUFFER))
            .handshake(TokioIo::new(wire))
            .await
            .map_err(io::Error::other)?;
        // How it ends is told to whoever sent the request.
        let driver = Driver(tokio::task::spawn_local(async { drop(connection.await) }));
        Ok(Line { sender, outlet, _driver: driver })
    }
}

/// A connection and its outlet. Dropping it closes the socket.
pub(crate) struct Line {
    pub(crate) sender: SendRequest<OutletBody>,
    pub(crate) outlet: Rc<Outlet>,
    _driver: Driver,
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The socket, telling the outlet what it takes.
struct Wire {
    socket: Socket,
    outlet: Rc<Outlet>,
}

impl Wire {
    fn refused(&self) -> Option<Poll<io::Result<usize>>> {
        self.outlet.is_shut().then(|| Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())))
    }

    fn took(&self, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &taken {
            self.outlet.on_taken(*bytes);
        }
        taken
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(refused) = self.refused() {
            return refused;
        }
        let taken = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.took(taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(refused) = self.refused() {
            return refused;
        }
        let taken = Pin::new(&mut self.socket).poll_write_vectored(context, buffers);
        self.took(taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outlet.is_shut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.outlet.on_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
