//! The only place that reads the process environment and `.env`. Everything else works on a map.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use precall_base::invisible::{is_invisible, is_odd_space, is_utf16, without_mark};

use super::problem::{ConfigError, Problem};
use super::sources::{Place, Sources};
use super::table::find;
use super::unknown_variables;

/// A larger `.env` file is refused, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// All values that stand for a `$NAME` in a `.env` file have at most this many bytes together.
const SUBSTITUTED_MAX: usize = 4 * 1024 * 1024;

/// Where the configuration is read from, at the start and at each reload.
#[derive(Clone, Debug)]
pub enum ConfigSource {
    /// From this map, which never changes: the demo, and commands.
    Given(Sources),
    /// From a `.env` file alone.
    File(PathBuf),
    /// From the process environment and, where it sets nothing, from a `.env` file.
    Environment(PathBuf),
}

impl ConfigSource {
    /// Reads what is set now.
    ///
    /// # Errors
    /// As [`read_environment`].
    pub fn read(&self) -> Result<Sources, ConfigError> {
        match self {
            Self::Given(sources) => Ok(sources.clone()),
            Self::File(path) => read_sources(path, std::iter::empty()),
            Self::Environment(path) => read_sources(path, std::env::vars_os()),
        }
    }
}

/// The process environment and, where it sets nothing, the file at `dotenv`.
///
/// # Errors
/// A variable of precall that is not Unicode, or a file that exists and is not a readable `.env` file.
pub fn read_environment(dotenv: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    read_sources(dotenv, std::env::vars_os()).map(Sources::into_texts)
}

fn read_sources(
    dotenv: &Path,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Sources, ConfigError> {
    let mut problems = Vec::new();
    let mut sources = read_dotenv(dotenv, &mut problems);
    for (name, value) in environment {
        // Names of precall are ASCII. Other programs may use any.
        let Ok(name) = name.into_string() else { continue };
        if let Some(meant) = meant(&name) {
            problems.push(problem(&meant, "has an invisible character in its name", "the same name, typed"));
            continue;
        }
        match value.into_string() {
            // Empty counts as unset, so it does not hide the value in the file.
            Ok(value) if value.trim().is_empty() && sources.texts().contains_key(&name) => {}
            Ok(value) => sources.set(name, value, Place::Environment),
            Err(_) if find(name.strip_suffix("_FILE").unwrap_or(&name)).is_some() => {
                problems.push(problem(&name, "is not Unicode", "UTF-8 text"));
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() {
        Ok(sources)
    } else {
        let unknown = unknown_variables::warnings(sources.texts().keys().map(String::as_str));
        Err(ConfigError { problems, unknown })
    }
}

fn read_dotenv(path: &Path, problems: &mut Vec<Problem>) -> Sources {
    let file = path.display().to_string();
    let bytes = match content(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Sources::default(),
        Err(_) => {
            problems.push(problem(&file, "exists and cannot be opened", "a readable file, or none"));
            return Sources::default();
        }
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        problems.push(problem(&file, "is larger than 1 MiB", "a file of settings alone"));
        return Sources::default();
    }
    if without_mark(&bytes).len() < bytes.len() && !is_utf16(&bytes) {
        eprintln!("precall: {file} begins with a byte order mark (U+FEFF), which is ignored");
    }
    let (sources, found) = parse_file(&file, &bytes);
    problems.extend(found);
    sources
}

/// The variables of a `.env` file, and why the rest of it cannot be read. `file` is its name in the problem.
#[must_use]
pub fn parse_dotenv(file: &str, bytes: &[u8]) -> (BTreeMap<String, String>, Option<Problem>) {
    let (sources, problem) = parse_file(file, bytes);
    (sources.into_texts(), problem)
}

fn parse_file(file: &str, bytes: &[u8]) -> (Sources, Option<Problem>) {
    let mut sources = Sources::default();
    if is_utf16(bytes) {
        return (sources, Some(problem(file, "is UTF-16", "UTF-8 text")));
    }
    let mut last = String::new();
    // The mark is no part of the first name. Editors of Windows write it.
    let text = without_mark(bytes);
    let mut substitutions = Substitutions::of(text);
    let read = Cell::new(0);
    let mut pairs = dotenvy::from_read_iter(Lines { rest: text, read: &read });
    loop {
        // Before each line: one line alone could repeat the value of another for gigabytes.
        if substitutions.are_too_long() {
            let found = problem(file, "repeats values by $NAME without end", "values in single quotes");
            return (sources, Some(found));
        }
        let before: usize = read.get();
        match pairs.next() {
            None => return (sources, None),
            Some(Ok((name, value))) => {
                last.clone_from(&name);
                substitutions.longest = substitutions.longest.max(value.len());
                let line = line_of(&name, text, before, read.get());
                sources.set(name, value, Place::Line { file: file.to_owned(), line });
            }
            // The message of dotenvy is dropped: it quotes the line, which may hold a secret.
            Some(Err(_)) => {
                let place =
                    if last.is_empty() { "at its beginning".to_owned() } else { format!("after {last}") };
                let mut found = problem(
                    file,
                    &format!("has an unreadable line {place}"),
                    "NAME=value, quoted if need be",
                );
                found.place = Some(format!("line {}", read.get()));
                return (sources, Some(found));
            }
        }
    }
}

/// Gives the text a line at a time, so that the lines can be counted that were read so far.
struct Lines<'a> {
    rest: &'a [u8],
    read: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let count = line.min(buffer.len());
        let (now, rest) = self.rest.split_at(count);
        if let Some(place) = buffer.get_mut(..count) {
            place.copy_from_slice(now);
        }
        self.rest = rest;
        // A line longer than the buffer comes in pieces, and counts once.
        if now.ends_with(b"\n") || (rest.is_empty() && !now.is_empty()) {
            self.read.set(self.read.get().saturating_add(1));
        }
        Ok(count)
    }
}

/// The line that a variable begins on, of those from `before` (exclusive) to `end`.
fn line_of(name: &str, text: &[u8], before: usize, end: usize) -> usize {
    let lines = text.split(|byte| *byte == b'\n').enumerate().skip(before);
    let mut these = lines.take(end.saturating_sub(before)).map(|(at, line)| (at.saturating_add(1), line));
    let begins = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let line = line.strip_prefix(b"export").map_or(line, <[u8]>::trim_ascii_start);
        let rest = line.strip_prefix(name.as_bytes()).map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| rest.first() == Some(&b'='))
    };
    these.find(|(_, line)| begins(line)).map_or(end, |(at, _)| at)
}

/// How long the values can become that stand for a `$NAME`, of the file or of the process environment.
struct Substitutions {
    /// Signs in the file that may begin a `$NAME`.
    count: usize,
    /// The longest value so far.
    longest: usize,
}

impl Substitutions {
    fn of(text: &[u8]) -> Self {
        let count = text.iter().filter(|byte| **byte == b'$').count();
        let longest = std::env::vars_os().map(|(_, value)| value.len()).max();
        Self { count, longest: longest.unwrap_or(0) }
    }

    fn are_too_long(&self) -> bool {
        self.count.saturating_mul(self.longest) > SUBSTITUTED_MAX
    }
}

/// The bytes of the file, one more at most than it may have.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name without what nobody sees, if that is the name of a variable.
fn meant(name: &str) -> Option<String> {
    let visible: String =
        name.chars().filter(|letter| !is_invisible(*letter) && !is_odd_space(*letter)).collect();
    let is_ours = visible != name && find(visible.strip_suffix("_FILE").unwrap_or(&visible)).is_some();
    is_ours.then_some(visible)
}

fn problem(name: &str, wrong: &str, right: &str) -> Problem {
    Problem { name: name.to_owned(), place: None, wrong: wrong.to_owned(), right: right.to_owned() }
}

#[cfg(test)]
mod tests;
