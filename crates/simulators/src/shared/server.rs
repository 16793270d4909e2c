//! The HTTP server of a simulator, on 127.0.0.1 alone, with one thread.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

use super::body;
use super::requests::Head;

/// How long an idle connection is kept: longer than our clients keep theirs, so that none is closed under them.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Receive buffer of a server for audio, doubled by Linux: about two seconds. A server that stops to read is noticed
/// only once it is full, and the system would let it grow to megabytes.
const AUDIO_BUFFER: u32 = 16 * 1024;

/// Whether small writes wait for each other (Nagle's algorithm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SmallWrites {
    /// As the system does it.
    MayWait,
    /// Each is sent at once: audio frames are small.
    AtOnce,
}

/// Starts a server. Must be called inside an actix system or a tokio `LocalSet`. `configure` runs on the thread of
/// the server, so that what it makes may be bound to that thread, as awc's client is.
pub(crate) fn start(
    port: u16,
    small_writes: SmallWrites,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<(SocketAddr, ServerHandle)> {
    let mut server = HttpServer::new(move || App::new().configure(&configure))
        .workers(1)
        .disable_signals()
        .keep_alive(KEEP_ALIVE)
        // Otherwise a handler that waits is not dropped when its client leaves, and `hang` would outlive it.
        .h1_allow_half_closed(false)
        .shutdown_timeout(1);
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    if small_writes == SmallWrites::AtOnce {
        server = server.tcp_nodelay(true);
        socket.set_recv_buffer_size(AUDIO_BUFFER)?;
    }
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let server = server.listen(socket.listen(BACKLOG)?.into_std()?)?;
    let address = server.addrs().first().copied().ok_or_else(|| io::Error::other("no address was bound"))?;
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    Ok((address, handle))
}

/// Says where the simulator listens, as the first line of standard output, and waits for SIGINT or SIGTERM.
pub(crate) async fn until_signal(url: &str) -> io::Result<()> {
    println!("listening on {url}");
    io::stdout().flush()?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// What the log keeps of a request's head.
pub(crate) fn head_of(http: &HttpRequest, path: &str) -> Head {
    Head {
        at: Timestamp::now(),
        method: http.method().as_str().to_owned(),
        path: path.to_owned(),
        query: http.query_string().to_owned(),
        content_type: body::content_type(http.headers()),
        traceparent: http.headers().get("traceparent").and_then(|v| v.to_str().ok()).map(str::to_owned),
    }
}

/// Closes the connection without an answer: a body that fails before its first byte takes the head with it.
pub(crate) fn hang_up() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::once(async {
        Err::<Bytes, io::Error>(io::Error::new(io::ErrorKind::ConnectionAborted, "told to close"))
    }))
}
