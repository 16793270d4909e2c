//! The only place that reads the process environment and `.env`. Everything else works on a map.

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
use dotenv::{Assignment, Dotenv, Unreadable, Why, line_ends};

mod dotenv;

/// A larger `.env` file is refused, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

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
    // The mark is no part of the first name. Editors of Windows write it.
    let text = match std::str::from_utf8(without_mark(bytes)) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).map(String::from_utf8_lossy).unwrap_or_default();
            let line = line_ends(&before).saturating_add(1);
            let found = problem(file, "is not UTF-8", "UTF-8 text");
            return (sources, Some(Problem { place: Some(format!("line {line}")), ..found }));
        }
    };
    let mut last = None;
    for next in Dotenv::new(text, |name| std::env::var(name).ok()) {
        match next {
            Ok(Assignment { name, value, line }) => {
                last = Some(name.clone());
                sources.set(name, value, Place::Line { file: file.to_owned(), line });
            }
            Err(unreadable) => return (sources, Some(unreadable_line(file, &unreadable, last.as_deref()))),
        }
    }
    (sources, None)
}

/// Says where the file cannot be read. The line is not quoted: it may hold a secret.
fn unreadable_line(file: &str, Unreadable { line, why }: &Unreadable, last: Option<&str>) -> Problem {
    let place = last.map_or_else(|| "at its beginning".to_owned(), |last| format!("after {last}"));
    let (wrong, right) = match why {
        Why::NoName => ("it does not begin with a name and `=`", "NAME=value, or # in front of a comment"),
        Why::OpenQuote => ("its value begins with a quote that is not closed", "the same quote at the end"),
        Why::BehindQuote => {
            ("there is text behind the closing quote", "the whole value in quotes, or none of it")
        }
        Why::Endless => ("it repeats values by $NAME without end", "values in single quotes"),
    };
    let found = problem(file, &format!("has an unreadable line {place}: {wrong}"), right);
    Problem { place: Some(format!("line {line}")), ..found }
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
