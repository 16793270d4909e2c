//! A connection to the PBX: TCP, TLS when its address says so, and HTTP/1.1 on it, for one audio stream.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::MediaError;
use super::outlet::{Outlet, OutletBody};
use crate::providers::threecx::address::LegAddress;
use crate::providers::trust::Trust;

/// TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What the kernel may hold back before a stalled PBX is noticed: about a second of audio; it doubles the figure itself.
const SEND_BUFFER: u32 = 16 * 1024;

/// Of the caller's audio and of answers, a connection.
const BUFFER: usize = 16 * 1024;

/// How the PBX is reached.
#[derive(Clone)]
pub(super) struct Route {
    base: Url,
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Route {
    pub(super) fn to(base: &Url, extra_ca: Option<&Path>) -> Result<Self, MediaError> {
        let host = base.host().ok_or(MediaError::Base)?;
        let port = base.port_or_known_default().ok_or(MediaError::Base)?;
        let authority = base.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::try_from(authority).map_err(|_| MediaError::Base)?;
        // An IPv6 address stands in brackets in an address, and without them everywhere else.
        let host = host.to_string().trim_matches(['[', ']']).to_owned();
        let tls = match base.scheme() {
            "http" => None,
            "https" => {
                let name = ServerName::try_from(host.clone()).map_err(|_| MediaError::Base)?;
                let trust =
                    Trust::of_host_and(extra_ca).map_err(|error| MediaError::Tls(error.to_string()))?;
                Some((TlsConnector::from(trust.config()), name))
            }
            _another => return Err(MediaError::Base),
        };
        Ok(Self { base: base.clone(), host, port, authority, tls })
    }

    /// The `Host` header.
    pub(super) fn authority(&self) -> HeaderValue {
        self.authority.clone()
    }

    /// The path of a leg's streams, below the base's own.
    pub(super) fn stream_path(&self, leg: &LegAddress) -> Result<hyper::Uri, MediaError> {
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
    pub(super) async fn connect(&self) -> io::Result<Line> {
        tokio::time::timeout(CONNECT_WITHIN, self.connect_somehow())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect_somehow(&self) -> io::Result<Line> {
        let tcp = self.connect_tcp().await?;
        let socket = match &self.tls {
            None => Socket::Plain(tcp),
            Some((connector, name)) => Socket::Tls(Box::new(connector.connect(name.clone(), tcp).await?)),
        };
        let outlet = Rc::new(Outlet::new());
        let wire = Wire { socket, outlet: Rc::clone(&outlet) };
        let (sender, connection) = Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(io::Error::other)?;
        // How it ends is told to whoever sent the request.
        let driver = Driver(tokio::task::spawn_local(async { drop(connection.await) }));
        Ok(Line { sender, outlet, _driver: driver })
    }

    async fn connect_tcp(&self) -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            match connect_to(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.connect(address).await
}

/// A connection and its outlet. Dropping it closes the socket.
pub(super) struct Line {
    pub(super) sender: SendRequest<OutletBody>,
    pub(super) outlet: Rc<Outlet>,
    _driver: Driver,
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The socket, telling the outlet what it takes.
struct Wire {
    socket: Socket,
    outlet: Rc<Outlet>,
}

impl Wire {
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
        match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Socket::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.outlet.is_shut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Socket::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        };
        self.took(taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.outlet.is_shut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, buffers),
            Socket::Tls(tls) => Pin::new(tls).poll_write_vectored(context, buffers),
        };
        self.took(taken)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(tcp) => tcp.is_write_vectored(),
            Socket::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outlet.is_shut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let flushed = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Socket::Tls(tls) => Pin::new(tls).poll_flush(context),
        };
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.outlet.on_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Socket::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
