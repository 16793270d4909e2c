//! `precall serve`: runs the service until SIGTERM or Ctrl-C.

use std::io::Write;

use precall_actors::runtime::fault_injection::Faults;
use slog::{info, warn};
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, database_look, environment, unusable};
use crate::app::Application;
use crate::config::Config;
use crate::logging::{self, Format};

pub(super) async fn run() -> Exit {
    let config = match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => config,
        Err(error) => return unusable(&error),
    };
    let logging = logging::start(&config.log, Format::choose(config.environment));
    let log = logging.logger().clone();
    for warning in config.warnings() {
        warn!(log, "{}", warning);
    }
    for notice in config.notices() {
        warn!(log, "{}", notice);
    }
    let wrong = database_look::wrong(&config).await;
    if !wrong.is_empty() {
        for finding in &wrong {
            slog::error!(log, "precall cannot start"; "error" => format!("{}: {}", finding.name, finding.words));
            eprintln!("precall: {}: {}", finding.name, finding.words);
        }
        return Exit::Unusable;
    }
    let app = match Application::build(&config, log.clone(), Faults::default()).await {
        Ok(app) => app,
        Err(error) => {
            slog::error!(log, "precall cannot start"; "error" => %error);
            eprintln!("precall: {error}");
            return Exit::Failed;
        }
    };
    println!("listening on {}", app.url());
    let _ = std::io::stdout().flush();
    let end = match until_stopped(&app, &log).await {
        Ok(end) => end,
        Err(error) => {
            eprintln!("precall: signals cannot be received: {error}");
            return Exit::Failed;
        }
    };
    match end {
        End::Asked => app.stop().await,
        End::Superseded => app.stop_now().await,
    }
    drop(logging);
    match end {
        End::Asked => Exit::Good,
        End::Superseded => Exit::Failed,
    }
}

/// Why the service ends.
#[derive(Clone, Copy)]
enum End {
    /// By a signal.
    Asked,
    /// Another process acts on the database. Restarted, this process is a standby.
    Superseded,
}

async fn until_stopped(app: &Application, log: &slog::Logger) -> std::io::Result<End> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let engine = app.engine();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = engine.superseded() => return Ok(End::Superseded),
            _ = hang_up.recv() => app.reload_lines().await,
        }
    }
    info!(log, "stopping");
    Ok(End::Asked)
}
