//! Where the server programs of PostgreSQL are on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::account::RunAs;
use super::error::EmbeddedError;
use super::{download_cache, process};

#[cfg(test)]
mod tests;

const OLDEST_MAJOR: u32 = 15;

/// `initdb` and `postgres` of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds both.
    pub dir: PathBuf,
    /// Such as 17.
    pub major: u32,
    /// Such as `17.5`.
    pub version: String,
}

/// The folders to search. A value, so that a test can search others.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// PG_BIN_DIR: when it is set, no other folder is searched.
    pub(super) explicit: Option<PathBuf>,
    /// PATH.
    pub(super) path: OsString,
    /// The folders of the usual packages, best first.
    pub(super) known: Vec<PathBuf>,
}

impl Search {
    /// This machine as the environment and the usual packages describe it.
    pub(super) fn of_this_machine() -> Self {
        let mut known = Vec::new();
        known.extend(pg_config_bindir());
        known.extend(versioned("/usr/lib/postgresql", "", "bin"));
        known.extend(versioned("/usr", "pgsql-", "bin"));
        for prefix in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
            known.extend(versioned(prefix, "postgresql@", "bin"));
            known.push(Path::new(prefix).join("postgresql/bin"));
        }
        known.extend(versioned("/Applications/Postgres.app/Contents/Versions", "", "bin"));
        for cache in download_cache::dirs() {
            known.extend(versioned(cache, "postgres-", download_cache::BIN_IN_WHEEL));
        }
        Self {
            explicit: env::var_os("PG_BIN_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from),
            path: env::var_os("PATH").unwrap_or_default(),
            known,
        }
    }

    /// The first installation that `run_as` can execute and that is of the major version `wanted`, or of any
    /// supported one.
    pub(super) fn find(&self, wanted: Option<u32>, run_as: RunAs) -> Result<Binaries, EmbeddedError> {
        if let Some(dir) = &self.explicit {
            let found =
                probe(dir, run_as).map_err(|reason| EmbeddedError::BinDir { dir: dir.clone(), reason })?;
            return match wanted {
                Some(major) if major != found.major => Err(EmbeddedError::BinDir {
                    dir: dir.clone(),
                    reason: format!(
                        "it holds PostgreSQL {}, but the data were written by PostgreSQL {major}",
                        found.version
                    ),
                }),
                Some(_) | None => Ok(found),
            };
        }
        let mut refused = Vec::new();
        for dir in self.candidates() {
            match probe(&dir, run_as) {
                Ok(found) if wanted.is_none_or(|major| major == found.major) => return Ok(found),
                Ok(found) => refused.push(format!("{} in {}", found.version, dir.display())),
                Err(reason) => refused.push(format!("{}: {reason}", dir.display())),
            }
        }
        Err(EmbeddedError::NotFound { wanted, found: refused })
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = Vec::new();
        for dir in env::split_paths(&self.path).chain(self.known.iter().cloned()) {
            // A link in /usr/local/bin leads to the folder that holds all programs of one version.
            let Ok(initdb) = fs::canonicalize(dir.join("initdb")) else { continue };
            let Some(home) = initdb.parent() else { continue };
            let complete = home.join("initdb").is_file() && home.join("postgres").is_file();
            if complete && !dirs.iter().any(|known| known == home) {
                dirs.push(home.to_owned());
            }
        }
        dirs
    }
}

/// Runs `postgres --version` as the account that will run the server: the only proof that it can.
fn probe(dir: &Path, run_as: RunAs) -> Result<Binaries, String> {
    let dir = fs::canonicalize(dir).map_err(|error| error.to_string())?;
    for program in ["initdb", "postgres"] {
        if !dir.join(program).is_file() {
            return Err(format!("no {program} in it"));
        }
    }
    let line = process::output_within(run_as.command(&dir.join("postgres")).arg("--version"), process::QUICK)
        .map_err(|error| format!("its postgres does not run: {error}"))?;
    let (version, major) = parse_version(&line).ok_or_else(|| format!("its version is {line:?}"))?;
    if major < OLDEST_MAJOR {
        return Err(format!("{version} is older than {OLDEST_MAJOR}"));
    }
    Ok(Binaries { dir, major, version })
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `postgres (PostgreSQL) 19beta1`.
fn parse_version(line: &str) -> Option<(String, u32)> {
    let version = line.split("(PostgreSQL)").nth(1)?.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((version.to_owned(), digits.parse().ok()?))
}

/// `parent/prefix<major>/rest` for every major version that is there, newest first.
fn versioned(parent: impl AsRef<Path>, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent.as_ref()) else { return Vec::new() };
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let numbers: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
            Some((numbers.ok()?, entry.path().join(rest)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

fn pg_config_bindir() -> Option<PathBuf> {
    let line = process::output_within(Command::new("pg_config").arg("--bindir"), process::QUICK).ok()?;
    Some(PathBuf::from(line))
}
