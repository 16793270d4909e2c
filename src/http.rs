//! The HTTP server: webhooks, health, metrics, API and live board. The rules of a call are in the engine.

mod api;
pub(crate) mod inbound;
mod ops;
mod pages;
mod status;
pub(crate) mod webhooks;

mod app_state;
mod audit_trail;
mod body_limits;
mod client_address;
mod clock;
mod engine;
mod error;
mod fair_share;
mod key_ring;
mod line_ends;
mod openapi;
mod outcome_metrics;
mod own_headers;
mod refusals;
mod request_id;
mod response;
mod routes;
mod secret_uses;
mod sessions;
mod settings;
mod shed;
mod unsupported;
mod write_deadline;

#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol, Request};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use actix_web::{App, web};
use precall_actors::api::EngineHandle;
use precall_store::reads::replica::ReadPools;

use app_state::AppState;
pub(crate) use engine::Engine;
use fair_share::Connections;
pub(crate) use fair_share::Rates;
use line_ends::CheckedStream;
pub(crate) use settings::{CurrentSettings, Figures, Settings};
pub(crate) use status::health::not_ready;
use webhooks::state::WebhookState;

use crate::reload::ReloadDesk;

/// Open connections of one worker. More connections wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// The kernel's queue of connections that are not accepted yet.
const BACKLOG: u32 = 1_024;
/// Time limit for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// An idle connection is kept this long: longer than the pause between two webhooks of a busy PBX.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// A connection is kept this long after its last response, so that a client that is still sending can read it.
const DISCONNECT_TIME: Duration = Duration::from_secs(3);
/// Seconds that open requests have to finish when the server stops.
const SHUTDOWN_SECONDS: u64 = 5;
/// Threads of one worker for large bodies.
const BLOCKING_THREADS: usize = 2;
/// Heads of requests that actix-http keeps on a thread to use them again, at most.
const HEADS_KEPT: usize = 128;

/// The OpenAPI document, as `/api/v1/openapi.json` sends it.
#[must_use]
pub fn openapi_json() -> &'static str {
    openapi::json().unwrap_or_default()
}

/// The configured server on `listener`. It serves when awaited or spawned. The caller handles signals.
///
/// # Errors
/// The listener cannot be used.
pub(crate) fn server(
    settings: CurrentSettings,
    reloads: ReloadDesk,
    engine: EngineHandle,
    pools: impl Into<ReadPools>,
    listener: TcpListener,
    workers: usize,
) -> io::Result<Server> {
    server_of(settings, reloads, Arc::new(engine), pools, listener, workers)
}

/// [`server`] with any [`Engine`], for tests.
///
/// # Errors
/// The listener cannot be used.
pub(crate) fn server_of(
    settings: CurrentSettings,
    reloads: ReloadDesk,
    engine: Arc<dyn Engine>,
    pools: impl Into<ReadPools>,
    listener: TcpListener,
    workers: usize,
) -> io::Result<Server> {
    let state = AppState::new(settings, reloads, engine, pools);
    state.keys.keep_up();
    start(state, routes::routes, listener, workers)
}

/// The server for management (`METRICS_ADDR`): `/metrics` and `/health`, with all figures and without keys.
///
/// # Errors
/// The listener cannot be used.
pub(crate) fn management_server(
    settings: CurrentSettings,
    reloads: ReloadDesk,
    engine: EngineHandle,
    pools: impl Into<ReadPools>,
    listener: TcpListener,
) -> io::Result<Server> {
    management_server_of(settings, reloads, Arc::new(engine), pools, listener)
}

/// [`management_server`] with any [`Engine`], for tests.
///
/// # Errors
/// The listener cannot be used.
pub(crate) fn management_server_of(
    settings: CurrentSettings,
    reloads: ReloadDesk,
    engine: Arc<dyn Engine>,
    pools: impl Into<ReadPools>,
    listener: TcpListener,
) -> io::Result<Server> {
    let mut state = AppState::new(settings, reloads, engine, pools);
    state.figures = Figures::Open;
    start(state, routes::management_routes, listener, 1)
}

fn start(
    app: AppState,
    routes: fn(&mut ServiceConfig, &Settings),
    listener: TcpListener,
    workers: usize,
) -> io::Result<Server> {
    let app = web::Data::new(app);
    let webhooks = web::Data::new(WebhookState::new(&app.settings()));
    let connections = Connections::default();
    let address = listener.local_addr()?;
    // As `HttpServer` of actix-web, which takes no stream but its own.
    let server = Server::build();
    let stopping = server.graceful_shutdown_signal();
    app.live_feed.run({
        let stopping = stopping.clone();
        async move { stopping.notified().await }
    });
    let server = server
        .workers(workers.max(1))
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_concurrent_connections(CONNECTIONS_MAX)
        .backlog(BACKLOG)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
    let server = server.listen("precall", listener, move || {
        take_heads();
        let (state, webhooks) = (app.clone(), webhooks.clone());
        let app = App::new()
            .app_data(state.clone())
            .app_data(webhooks)
            .configure(|config| routes(config, &state.settings()))
            .wrap(routes::method_problems())
            .wrap(routes::headers())
            .wrap(from_fn(unsupported::upgrade_offer))
            .wrap(from_fn(request_id::identified))
            .wrap(from_fn(own_headers::copied));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let (connections, stopping) = (connections.clone(), stopping.clone());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(HEAD_TIME)
            .client_disconnect_timeout(DISCONNECT_TIME)
            .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
            .local_addr(address)
            .on_connect_ext(move |connection: &CheckedStream, data: &mut _| {
                connections.opened(connection.stream(), data);
                data.insert(connection.upgraded());
            })
            .finish(map_config(app, |_| AppConfig::default()));
        fn_service(|stream: TcpStream| async {
            let client = stream.peer_addr().ok();
            Ok((CheckedStream::new(stream), Protocol::Http1, client))
        })
        .and_then(http)
    })?;
    Ok(server.run())
}

/// Takes the memory that this thread would keep of its busiest moment: the heads of as many requests as were ever open
/// at once, 0.9 MiB in all. Taken later, it looks like a leak for hours.
fn take_heads() {
    drop((0..HEADS_KEPT).map(|_| Request::new()).collect::<Vec<_>>());
}
