//! One connection to the PBX: TCP, TLS for an https address, and HTTP/1.1 on it, for one audio stream.

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
use crate::error::MediaError;
use crate::net::upload_body::{RequestBody, UploadBody};

/// For TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Read buffer of a connection. The head of an answer must fit; audio comes in chunks of about 320 bytes.
const READ_BUFFER: usize = 4 * 1024;

/// How to reach the PBX.
#[derive(Clone)]
pub(crate) struct PbxEndpoint {
    base: Url,
    address: Address,
    authority: HeaderValue,
}

impl PbxEndpoint {
    /// The PBX at an http or https address. `extra_ca` is a PEM file of certificates to trust as well.
    pub(crate) fn new(base: &Url, extra_ca: Option<&Path>) -> Result<Self, MediaError> {
        let host = base.host().ok_or(MediaError::Base)?;
        let authority = base.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::try_from(authority).map_err(|_| MediaError::Base)?;
        let trust = match base.scheme() {
            "http" => None,
            "https" => Some(TlsRoots::load(extra_ca).map_err(|error| MediaError::Tls(error.to_string()))?),
            _another => return Err(MediaError::Base),
        };
        let address = Address::from_url(base, trust.as_ref()).ok_or(MediaError::Base)?;
        Ok(Self { base: base.clone(), address, authority })
    }

    /// The `Host` header.
    pub(crate) fn authority(&self) -> HeaderValue {
        self.authority.clone()
    }

    /// The path of a leg's streams, below the path of the base address.
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

    /// Opens a connection, ready for a request.
    pub(crate) async fn connect(&self) -> io::Result<AudioConnection> {
        tokio::time::timeout(CONNECT_WITHIN, self.connect_without_limit())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect_without_limit(&self) -> io::Result<AudioConnection> {
        let socket = self.address.connect().await?;
        let upload = Rc::new(UploadBody::new());
        let socket = UploadSocket { socket, upload: Rc::clone(&upload) };
        let (sender, connection) = Builder::new()
            .read_buf_exact_size(Some(READ_BUFFER))
            .handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        // The sender of the request gets the error too, so it is dropped here.
        let driver = Driver(tokio::task::spawn_local(async { drop(connection.await) }));
        Ok(AudioConnection { sender, upload, _driver: driver })
    }
}

/// An open connection and the body of its upload. Dropping it closes the socket.
pub(crate) struct AudioConnection {
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) upload: Rc<UploadBody>,
    _driver: Driver,
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The socket. Reports to the upload how many bytes it takes, and refuses writes once the upload is shut.
struct UploadSocket {
    socket: Socket,
    upload: Rc<UploadBody>,
}

impl UploadSocket {
    fn refusal(&self) -> Option<Poll<io::Result<usize>>> {
        self.upload.is_shut().then(|| Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())))
    }

    fn report_taken(&self, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &taken {
            self.upload.on_taken(*bytes);
        }
        taken
    }
}

impl AsyncRead for UploadSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for UploadSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let taken = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.report_taken(taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let taken = Pin::new(&mut self.socket).poll_write_vectored(context, buffers);
        self.report_taken(taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.upload.is_shut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.upload.on_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
