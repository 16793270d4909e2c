//! What processes used, as the kernel counts it. A bench says whose time it was: a shared machine has others on it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Outcome;

/// `USER_HZ`: what /proc counts in on every Linux that Rust knows.
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    own: u32,
    ended_children: u32,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, brackets too.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u32>().ok();
        let sum = |a: usize, b: usize| Some(number(a)?.saturating_add(number(b)?));
        Some(Self { parent: number(1)?, own: sum(11, 12)?, ended_children: sum(13, 14)? })
    }
}

/// Processor time of one process, all its threads, user and system.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = Stat::read(pid).ok_or("a process has ended")?;
    Ok(TICK * stat.own)
}

/// The same of a process and all its children, ended ones too: PostgreSQL has one for each connection.
pub fn cpu_with_children(pid: u32) -> Outcome<Duration> {
    let stat = Stat::read(pid).ok_or("a process has ended")?;
    let mut ticks = stat.own.saturating_add(stat.ended_children);
    for entry in fs::read_dir("/proc")? {
        let child = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Stat::read);
        if let Some(child) = child.filter(|child| child.parent == pid) {
            ticks = ticks.saturating_add(child.own);
        }
    }
    Ok(TICK * ticks)
}

/// Resident memory in KiB: all of it, and the part that is no file.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// `VmRSS`.
    pub resident: u64,
    /// `RssAnon`.
    pub anonymous: u64,
}

/// Of one process.
pub fn memory(pid: u32) -> Outcome<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
        Ok::<u64, Box<dyn std::error::Error>>(line.trim().trim_end_matches(" kB").trim().parse()?)
    };
    Ok(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

/// The id of the server whose data directory this is.
pub fn postmaster(data: &Path) -> Outcome<u32> {
    let papers = fs::read_to_string(data.join("postmaster.pid"))?;
    Ok(papers.lines().next().ok_or("no process id")?.trim().parse()?)
}

/// What the machine is, and how busy with other things.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    format!("{cores} cores, load average before {load}")
}
