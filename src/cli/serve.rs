//! `precall serve`: runs the service until SIGTERM or Ctrl-C.

use std::io::Write;
use std::time::Duration;

use precall_actors::runtime::fault_injection::Faults;
use slog::{info, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, database_look, env_file, unusable};
use crate::app::Application;
use crate::config::{Config, ConfigSource};
use crate::logging::{self, Format};

/// Time limit for stopping when an actor has ended that nothing works without.
const BROKEN_STOP: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Give up the live calls of the last start: their callers go to FALLBACK_DESTINATION. For settings that do not
    /// lead to their legs any more
    #[arg(long)]
    abandon_live_calls: bool,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let mut config = match Config::read(ConfigSource::Environment(env_file())) {
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
    // Before anything is started: without a receiver a signal ends the process as a kill does.
    let mut signals = match Signals::receive() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("precall: signals cannot be received: {error}");
            return Exit::Failed;
        }
    };
    // Both at once: callers on the line must not wait for the look. The engine itself uses no wrong database.
    let building = Application::build(&config, log.clone(), Faults::default());
    let looking = async {
        tokio::select! {
            wrong = database_look::wrong(&config) => (wrong, false),
            () = signals.asked_to_stop() => (Vec::new(), true),
        }
    };
    let (built, (wrong, is_asked)) = tokio::join!(building, looking);
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
    app.set_log_level(logging.level());
    println!("listening on {}", app.url());
    let _ = std::io::stdout().flush();
    let end = if is_asked { End::Asked } else { until_stopped(&app, &mut signals).await };
    if matches!(end, End::Asked) {
        info!(log, "stopping");
    }
    match end {
        End::Asked => app.stop().await,
        End::Superseded => app.stop_now().await,
        End::Broken(actor) => {
            slog::error!(log, "an actor has panicked too often, and precall ends with it"; "actor" => actor);
            // Who would answer may be the one that has ended.
            let _ = tokio::time::timeout(BROKEN_STOP, app.stop_now()).await;
        }
        End::Refused(ref words) => {
            slog::error!(log, "precall cannot start"; "error" => words);
            eprintln!("precall: {words}");
            app.stop_now().await;
        }
    }
    drop(logging);
    match end {
        End::Asked => Exit::Good,
        End::Superseded | End::Broken(_) => Exit::Failed,
        End::Refused(_) => Exit::Unusable,
    }
}

/// Why the service ends.
#[derive(Clone)]
enum End {
    /// By a signal or the API.
    Asked,
    /// Another process acts on the database. Restarted, this process is a standby.
    Superseded,
    /// This actor has panicked too often.
    Broken(&'static str),
    /// The settings would leave live callers behind.
    Refused(String),
}

/// The signals that the service receives.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn receive() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// SIGTERM or Ctrl-C.
    async fn asked_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn until_stopped(app: &Application, signals: &mut Signals) -> End {
    let engine = app.engine();
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return End::Asked,
            _ = signals.interrupt.recv() => return End::Asked,
            () = app.asked_to_stop() => return End::Asked,
            () = engine.superseded() => return End::Superseded,
            actor = engine.vital_actor_ended() => return End::Broken(actor),
            words = engine.start_refused() => return End::Refused(words),
            _ = signals.hang_up.recv() => app.begin_reload("SIGHUP"),
        }
    }
}
