//! `precall serve`: runs the service until SIGTERM or Ctrl-C.

use std::io::Write;

use precall_actors::runtime::fault_injection::Faults;
use slog::{info, warn};
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, database_look, environment, unusable};
use crate::app::Application;
use crate::config::Config;
use crate::logging::{self, Format};

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Give up the live calls of the last start: their callers go to FALLBACK_DESTINATION. For settings that do not
    /// lead to their legs any more
    #[arg(long)]
    abandon_live_calls: bool,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let mut config = match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => config,
        Err(error) => return unusable(&error),
    };
    config.abandon_live_calls = arguments.abandon_live_calls;
    let logging = logging::start(&config.log, Format::choose(config.environment));
    let log = logging.logger().clone();
    for warning in config.warnings() {
        warn!(log, "{}", warning);
    }
    for notice in config.notices() {
        warn!(log, "{}", notice);
    }
    // Both at once: callers on the line must not wait for the look. The engine itself uses no wrong database.
    let building = Application::build(&config, log.clone(), Faults::default());
    let (built, wrong) = tokio::join!(building, database_look::wrong(&config));
    for finding in &wrong {
        slog::error!(log, "precall cannot start"; "error" => format!("{}: {}", finding.name, finding.words));
        eprintln!("precall: {}: {}", finding.name, finding.words);
    }
    let app = match built {
        Ok(app) if wrong.is_empty() => app,
        Ok(app) => {
            app.stop_now().await;
            return Exit::Unusable;
        }
        Err(error) => {
            slog::error!(log, "precall cannot start"; "error" => %error);
            eprintln!("precall: {error}");
            return if wrong.is_empty() { Exit::Failed } else { Exit::Unusable };
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
        End::Refused(ref words) => {
            slog::error!(log, "precall cannot start"; "error" => words);
            eprintln!("precall: {words}");
            app.stop_now().await;
        }
    }
    drop(logging);
    match end {
        End::Asked => Exit::Good,
        End::Superseded => Exit::Failed,
        End::Refused(_) => Exit::Unusable,
    }
}

/// Why the service ends.
#[derive(Clone)]
enum End {
    /// By a signal.
    Asked,
    /// Another process acts on the database. Restarted, this process is a standby.
    Superseded,
    /// The settings would leave live callers behind.
    Refused(String),
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
            words = engine.start_refused() => return Ok(End::Refused(words)),
            _ = hang_up.recv() => app.reload_lines().await,
        }
    }
    info!(log, "stopping");
    Ok(End::Asked)
}
