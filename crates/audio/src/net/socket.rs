//! A TCP or TLS socket that carries audio.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use precall_providers::tls_roots::TlsRoots;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

/// Send buffer of the kernel, about half a second of audio: a stalled peer is noticed once it is full. Linux doubles
/// this size.
const SEND_BUFFER: u32 = 8 * 1024;

/// Host, port and TLS settings of a peer.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Address {
    /// From a URL; with TLS when `trust` is given. None when the URL has no usable host.
    pub(crate) fn from_url(url: &Url, trust: Option<&TlsRoots>) -> Option<Self> {
        // A URL writes an IPv6 address in brackets; lookup and TLS want it without.
        let host = url.host()?.to_string().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default()?;
        let tls = match trust {
            None => None,
            Some(trust) => {
                Some((TlsConnector::from(trust.config()), ServerName::try_from(host.clone()).ok()?))
            }
        };
        Some(Self { host, port, tls })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> io::Result<Socket> {
        let tcp = self.connect_tcp().await?;
        Ok(match &self.tls {
            None => Socket::Plain(tcp),
            Some((connector, name)) => Socket::Tls(Box::new(connector.connect(name.clone(), tcp).await?)),
        })
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

/// An open socket.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, buffers),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

/// A socket that notes when bytes were last received, also those of an unfinished message.
pub(crate) struct HeardSocket {
    socket: Socket,
    heard: Rc<Cell<Instant>>,
}

impl HeardSocket {
    /// The socket, and when bytes were last received.
    pub(crate) fn new(socket: Socket) -> (Self, Rc<Cell<Instant>>) {
        let heard = Rc::new(Cell::new(Instant::now()));
        (Self { socket, heard: Rc::clone(&heard) }, heard)
    }
}

impl AsyncRead for HeardSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard.set(Instant::now());
        }
        read
    }
}

impl AsyncWrite for HeardSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
