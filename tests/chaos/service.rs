//! precall's own process, and what can happen to it.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use precall_test_support::harness::usage;

use crate::program::{Program, Run};
use crate::table::ProcessFault;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub pid: u32,
    pub resident_kb: u64,
    pub descriptors: usize,
    pub threads: usize,
}

/// The running program.
pub struct Service {
    run: Run,
    program: Option<Program>,
    /// The file with the error of the host's clock.
    clock: PathBuf,
    /// What earlier processes said on standard error, its end.
    said: String,
    pub starts: usize,
}

/// Names a file with the seconds by which the host's clock is off. Only programs that are built for tests read it.
const CLOCK_STEP_FILE: &str = "INJECTED_CLOCK_STEP_FILE";
const HOUR_SECONDS: i64 = 3_600;
/// How much is kept of what a process said.
const SAID: usize = 20_000;

impl Service {
    /// `folder` is for files of the test.
    pub async fn start(run: Run, folder: &Path) -> Self {
        let clock = folder.join("clock");
        let run = run.env(CLOCK_STEP_FILE, clock.to_str().unwrap());
        let mut service = Self { run, program: None, clock, said: String::new(), starts: 0 };
        service.begin_again().await;
        service
    }

    /// Whether it has ended, which nobody has asked for.
    pub fn has_ended(&self) -> bool {
        // Until it is reaped, an ended process has an id and no memory.
        self.program.as_ref().is_none_or(|program| usage::memory(program.pid()).is_err())
    }

    pub async fn begin(&mut self, fault: ProcessFault) {
        match fault {
            ProcessFault::Killed => self.end_by(Signal::SIGKILL).await,
            ProcessFault::Terminated => self.end_by(Signal::SIGTERM).await,
            ProcessFault::Frozen => self.signal(Signal::SIGSTOP),
            ProcessFault::ClockAhead => self.step_clock(HOUR_SECONDS),
            ProcessFault::ClockBehind => self.step_clock(-HOUR_SECONDS),
        }
    }

    pub async fn end(&mut self, fault: ProcessFault) {
        match fault {
            ProcessFault::Killed | ProcessFault::Terminated => self.begin_again().await,
            ProcessFault::Frozen => self.signal(Signal::SIGCONT),
            ProcessFault::ClockAhead | ProcessFault::ClockBehind => self.step_clock(0),
        }
    }

    /// Starts it again after it ended by itself.
    pub async fn revive(&mut self) {
        if let Some(ended) = self.program.take() {
            self.keep(&ended.end().await.stderr);
        }
        self.begin_again().await;
    }

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        let pid = self.program.as_ref().unwrap().pid();
        Usage {
            pid,
            resident_kb: usage::memory(pid).unwrap().resident,
            descriptors: usage::descriptors(pid).unwrap(),
            threads: usage::threads(pid).unwrap(),
        }
    }

    /// The last lines that it and the processes before it have logged.
    pub fn log_tail(&self, lines: usize) -> String {
        let said = self.program.as_ref().map(|program| program.said("stderr")).unwrap_or_default();
        let all = format!("{}{said}", self.said);
        let all: Vec<&str> = all.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    pub async fn stop(mut self) {
        self.end_by(Signal::SIGTERM).await;
    }

    /// The host's clock is off by this, as precall sees it.
    fn step_clock(&self, seconds: i64) {
        std::fs::write(&self.clock, seconds.to_string()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        if let Some(program) = &self.program {
            program.signal(signal);
        }
    }

    async fn end_by(&mut self, signal: Signal) {
        self.signal(signal);
        if let Some(program) = self.program.take() {
            self.keep(&program.end().await.stderr);
        }
    }

    async fn begin_again(&mut self) {
        let mut program = self.run.clone().start();
        program.listening().await;
        self.program = Some(program);
        self.starts += 1;
    }

    fn keep(&mut self, said: &str) {
        self.said.push_str(said);
        let mut from = self.said.len().saturating_sub(SAID);
        while !self.said.is_char_boundary(from) {
            from += 1;
        }
        self.said.drain(..from);
    }
}
