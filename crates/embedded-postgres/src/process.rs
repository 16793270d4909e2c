//! Child processes with a deadline: none can make us wait for ever.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The deadline of programs that only print a line.
pub(super) const QUICK: Duration = Duration::from_secs(10);

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
const OUTPUT_LIMIT_BYTES: u64 = 64 * 1024;

/// Polls at growing intervals until there is an answer or `patience` is over.
pub(super) fn poll<T, E>(
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let started = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        let left = patience.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Waits for the end of a child; `None` when it outlasted `patience`.
pub(super) fn wait_for(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    poll(patience, || child.try_wait())
}

/// Runs a command to its end and kills it at the deadline (then an error of kind `TimedOut`).
/// It gets a process group of its own: Ctrl-C is ours to handle.
pub(super) fn run_within(command: &mut Command, patience: Duration) -> io::Result<ExitStatus> {
    let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
    end_within(&mut child, patience)
}

/// What a command prints on standard output (its first 64 KiB), or an error when it fails or is late.
pub(super) fn output_within(command: &mut Command, patience: Duration) -> io::Result<String> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn()?;
    let status = end_within(&mut child, patience)?;
    if !status.success() {
        return Err(io::Error::other(status_text(status)));
    }
    let mut text = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTPUT_LIMIT_BYTES).read_to_end(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// How a process ended, in words.
pub(super) fn status_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

fn end_within(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    if let Some(status) = wait_for(child, patience)? {
        return Ok(status);
    }
    child.kill()?;
    child.wait()?;
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", patience.as_secs())))
}
