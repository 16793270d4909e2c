//! CPU time and memory of processes, from /proc. Figures by process stay true on a shared machine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Outcome;

/// `USER_HZ`: /proc counts CPU time in hundredths of a second on every Linux that Rust supports.
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

/// CPU time of one process: all threads, user and system.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = Stat::read(pid).ok_or("a process has ended")?;
    Ok(TICK * stat.own)
}

/// The same with all child processes, also ended ones. PostgreSQL has one for each connection.
pub fn cpu_with_children(pid: u32) -> Outcome<Duration> {
    let stat = Stat::read(pid).ok_or("a process has ended")?;
    let mut ticks = stat.own.saturating_add(stat.ended_children);
    for child in children(pid)? {
        // It may have ended meanwhile.
        ticks = ticks.saturating_add(Stat::read(child).map_or(0, |child| child.own));
    }
    Ok(TICK * ticks)
}

/// The processes that this one has started and that have not ended.
pub fn children(pid: u32) -> Outcome<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let other = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        children.extend(other.filter(|other| Stat::read(*other).is_some_and(|stat| stat.parent == pid)));
    }
    Ok(children)
}

/// How many files and sockets a process has open.
pub fn descriptors(pid: u32) -> Outcome<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// How many threads a process has.
pub fn threads(pid: u32) -> Outcome<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// Resident memory in KiB: all of it, and the part that is not backed by files.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// `VmRSS`.
    pub resident: u64,
    /// `RssAnon`.
    pub anonymous: u64,
}

/// The memory of one process.
pub fn memory(pid: u32) -> Outcome<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
        Ok::<u64, Box<dyn std::error::Error>>(line.trim().trim_end_matches(" kB").trim().parse()?)
    };
    Ok(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

/// The process id of the PostgreSQL server of this data directory.
pub fn postmaster(data: &Path) -> Outcome<u32> {
    let papers = fs::read_to_string(data.join("postmaster.pid"))?;
    Ok(papers.lines().next().ok_or("no process id")?.trim().parse()?)
}

/// The number of cores and the load of the machine.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    format!("{cores} cores, load average before {load}")
}
