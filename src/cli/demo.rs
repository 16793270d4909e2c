//! `precall demo`: the service with simulated callers, 3CX, ElevenLabs and a database, in one process.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, said, unusable};
use crate::demo::{Demo, Interrupt, Judge, Plan};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How greeting and handoff reach the caller.
    #[arg(long, value_enum, default_value_t = Route::Bridge)]
    route: Route,
    /// Stop after this many calls; without it, run until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: Option<u32>,
    /// New calls a second.
    #[arg(long, default_value_t = 5.0, value_parser = rate)]
    rate: f64,
    /// Keep the database in this folder; by default it is temporary.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Record what each caller heard: a WAV file a call (mono, 16 bits, 8 kHz). The folder is created when missing.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Skip the timing checks, for a busy machine: check what callers heard and its order, not gaps and delays.
    #[arg(long, alias = "order-alone")]
    skip_timing: bool,
    /// Also write the summary to this file, as JSON.
    #[arg(long)]
    summary_json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Route {
    Bridge,
    Transfer,
    Callback,
}

impl From<Route> for precall_call::Route {
    fn from(route: Route) -> Self {
        match route {
            Route::Bridge => Self::Bridge,
            Route::Transfer => Self::Transfer,
            Route::Callback => Self::Callback,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1_000.0 => Ok(rate),
        _ => Err("must be a number of calls a second, above 0 and at most 1000".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let route = arguments.route.into();
    let judge = if arguments.skip_timing { Judge::OrderAlone } else { Judge::Timing };
    let Arguments { calls, rate, data_dir, record, .. } = arguments;
    let plan = Plan { route, calls, rate, data_dir, record, judge };
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => return said(Err(error)),
    };
    let started = tokio::select! {
        started = Demo::start(plan, interrupt.clone()) => started,
        () = interrupt.told() => return Exit::Good,
    };
    let demo = match started {
        Ok(demo) => demo,
        Err(error) => return unusable_or_failed(&error),
    };
    let summary = demo.run().await;
    let outcome = match &summary {
        Ok(summary) => {
            println!("{summary}");
            write_json(arguments.summary_json.as_deref(), summary)
        }
        Err(error) => Err(error.to_string()),
    };
    demo.stop().await;
    match (said(outcome), summary) {
        (Exit::Good, Ok(summary)) if summary.all_completed() => Exit::Good,
        // The demo was told to end and ended every call. What was wrong stands in the summary.
        (Exit::Good, Ok(_)) if interrupt.is_told() => Exit::Good,
        _ => Exit::Failed,
    }
}

fn unusable_or_failed(error: &crate::demo::DemoError) -> Exit {
    match error {
        crate::demo::DemoError::Config(error) => unusable(error),
        other => said(Err(other)),
    }
}

fn write_json(path: Option<&std::path::Path>, summary: &crate::demo::Summary) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(summary).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
}
