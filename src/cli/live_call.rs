//! `precall check --live-call`: one real call with the 3CX settings, without database and ElevenLabs.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use precall_base::clock;
use precall_base::phone_number::{CallerNumber, Region};
use precall_base::redact::hide;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::check::Options;
use super::{Exit, environment, unusable};
use crate::config::{CallControl, Config};
use crate::live_check::{Access, Plan, Report, Verdict, Way, run as measure};

/// Value of `--live-call` that waits for an incoming call.
const WAIT: &str = "wait";
const NUMBER_CHARS_MAX: usize = 64;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Make one real call to NUMBER and print how the PBX behaves where 3CX's documents are silent. With `wait`: take
    /// one call to the route point instead. Rings a telephone, and takes two new access tokens.
    #[arg(long, value_name = "NUMBER|wait")]
    live_call: Option<String>,
    /// DN that rings and is not picked up. Measures the default timeout of routeto, in up to two and a half minutes
    #[arg(long, value_name = "DN", requires = "live_call")]
    routeto: Option<String>,
    /// Also write the result to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "live_call")]
    json: Option<PathBuf>,
    /// Version of the PBX as its admin console shows it, for the file
    #[arg(long, value_name = "TEXT", requires = "live_call")]
    pbx_version: Option<String>,
    /// Do not ask 3CX. Its answer is a new access token: a running precall needs a new one too, and audio may be cut
    #[arg(long = "skip-3cx", conflicts_with = "live_call")]
    skip_threecx: bool,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t, conflicts_with = "live_call")]
    format: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line each.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl Arguments {
    pub(super) fn is_live(&self) -> bool {
        self.live_call.is_some()
    }

    /// Options of the check without a call.
    pub(super) fn options(&self) -> Options {
        Options { threecx: !self.skip_threecx, ..Options::default() }
    }

    /// Whether to print JSON.
    pub(super) fn as_json(&self) -> bool {
        self.format == Format::Json
    }
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let control = match environment().and_then(|set| Config::threecx_from_map(&set)) {
        Ok(threecx) => threecx.call_control,
        Err(error) => return unusable(&error),
    };
    let Some(control) = control else {
        return unusable(
            &"set THREECX_BASE_URL, THREECX_CLIENT_ID and THREECX_CLIENT_SECRET for --live-call",
        );
    };
    let plan = match plan(&arguments, &control) {
        Ok(plan) => plan,
        Err(why) => return unusable(&why),
    };
    warn(&plan.way);
    let report = measure(plan, told_to_stop(), |finding| say(format_args!("{finding}"))).await;
    conclude(&arguments, &report)
}

/// If the output is closed, precall still ends the call and writes the file.
fn say(line: fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Waits for Ctrl-C or SIGTERM. If signals cannot be received, the call ends by itself.
async fn told_to_stop() {
    let signals = signal(SignalKind::interrupt()).and_then(|one| Ok((one, signal(SignalKind::terminate())?)));
    let Ok((mut interrupt, mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn plan(arguments: &Arguments, control: &CallControl) -> Result<Plan, String> {
    let dialled = dialled(arguments.live_call.as_deref().unwrap_or_default().trim());
    let is_number = |text: &str| {
        !text.is_empty() && text.len() <= NUMBER_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    for number in [Some(dialled.as_str()), arguments.routeto.as_deref()].into_iter().flatten() {
        if !is_number(number) {
            return Err("a number or DN is one word of at most 64 characters".to_owned());
        }
        if number.eq_ignore_ascii_case(&control.client_id) {
            return Err("the route point cannot call itself: name another telephone".to_owned());
        }
    }
    let way = if dialled.eq_ignore_ascii_case(WAIT) { Way::Wait } else { Way::Ring(dialled) };
    Ok(Plan { access: Access::of(control)?, way, routeto: arguments.routeto.clone() })
}

/// What the PBX dials: one word as it is, because a PBX has codes of its own; a number in another spelling as its
/// digits.
fn dialled(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'*' | b'#' | b'_' | b'-'))
    {
        return text.to_owned();
    }
    // Without a region: the PBX completes a national number.
    let digits = CallerNumber::prefix(text, Region::UNKNOWN);
    digits.filter(|digits| digits.len() > 1).unwrap_or_else(|| text.to_owned())
}

/// Prints a warning before the call. It asks nothing, so the command can run unattended.
fn warn(way: &Way) {
    let what = match way {
        Way::Ring(number) => format!("rings {} now, at the price of that call", hide(number)),
        Way::Wait => "takes the next call to the route point; dial it within 60 s".to_owned(),
    };
    say(format_args!("This {what}."));
    say(format_args!(
        "It takes new access tokens for the client. A running `precall serve`, or another program with this client,\n\
         may lose calls and take this call. Stop it first: this command does not look for it."
    ));
    say(format_args!(
        "Please pick up, stay on the line for half a minute, and listen for one tone of a second.\n"
    ));
}

fn conclude(arguments: &Arguments, report: &Report) -> Exit {
    let count =
        |verdict: Verdict| report.findings.iter().filter(|finding| finding.verdict == verdict).count();
    say(format_args!(
        "\n{} as the facts expect, {} differ, {} not measured",
        count(Verdict::AsExpected),
        count(Verdict::Differs),
        count(Verdict::NotMeasured)
    ));
    let mut exit = Exit::Good;
    if let Some(problem) = &report.problem {
        say(format_args!("not everything was measured: {}", hide(problem)));
        exit = Exit::Failed;
    }
    if let Some(why) = &report.left_behind {
        say(format_args!("WRONG  the call may still be there, look at the PBX: {}", hide(why)));
        exit = Exit::Failed;
    }
    if let Some(path) = &arguments.json
        && let Err(error) = write(path, arguments, report)
    {
        eprintln!("precall: {} cannot be written: {error}", path.display());
        exit = Exit::Failed;
    }
    exit
}

fn write(path: &Path, arguments: &Arguments, report: &Report) -> std::io::Result<()> {
    let is_wait = arguments.live_call.as_deref().is_some_and(|text| text.trim().eq_ignore_ascii_case(WAIT));
    let measured_at = Timestamp::from_microsecond(clock::wall().0).map(|at| at.to_string()).ok();
    let whole = json!({
        "precall": env!("CARGO_PKG_VERSION"),
        "measured_at": measured_at,
        "pbx_version": arguments.pbx_version,
        "call": if is_wait { "inbound" } else { "outbound" },
        "findings": report.findings,
        "problem": report.problem.as_deref().map(hide),
        "left_behind": report.left_behind.as_deref().map(hide),
    });
    let text = serde_json::to_string_pretty(&whole).map_err(std::io::Error::other)?;
    std::fs::write(path, text + "\n")
}

#[cfg(test)]
mod tests;
