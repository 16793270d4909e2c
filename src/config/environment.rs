//! The only place that reads the process environment and `.env`. Everything else works on a map.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use precall_base::invisible::{is_invisible, is_odd_space, is_utf16, without_mark};

use super::problem::{ConfigError, Problem};
use super::table::find;
use super::unknown_variables;

/// A larger `.env` file is refused, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// All values that stand for a `$NAME` in a `.env` file have at most this many bytes together.
const SUBSTITUTED_MAX: usize = 4 * 1024 * 1024;

/// The process environment and, where it sets nothing, the file at `dotenv`.
///
/// # Errors
/// A variable of precall that is not Unicode, or a file that exists and is not a readable `.env` file.
pub fn read_environment(dotenv: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut problems = Vec::new();
    let mut map = read_dotenv(dotenv, &mut problems);
    for (name, value) in std::env::vars_os() {
        // Names of precall are ASCII. Other programs may use any.
        let Ok(name) = name.into_string() else { continue };
        if let Some(meant) = meant(&name) {
            problems.push(problem(&meant, "has an invisible character in its name", "the same name, typed"));
            continue;
        }
        match value.into_string() {
            // Empty counts as unset, so it does not hide the value in the file.
            Ok(value) if value.trim().is_empty() && map.contains_key(&name) => {}
            Ok(value) => {
                map.insert(name, value);
            }
            Err(_) if find(name.strip_suffix("_FILE").unwrap_or(&name)).is_some() => {
                problems.push(problem(&name, "is not Unicode", "UTF-8 text"));
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() {
        Ok(map)
    } else {
        Err(ConfigError { problems, unknown: unknown_variables::warnings(map.keys().map(String::as_str)) })
    }
}

fn read_dotenv(path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let file = path.display().to_string();
    let bytes = match content(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return BTreeMap::new(),
        Err(_) => {
            problems.push(problem(&file, "exists and cannot be opened", "a readable file, or none"));
            return BTreeMap::new();
        }
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_MAX {
        problems.push(problem(&file, "is larger than 1 MiB", "a file of settings alone"));
        return BTreeMap::new();
    }
    if without_mark(&bytes).len() < bytes.len() && !is_utf16(&bytes) {
        eprintln!("precall: {file} begins with a byte order mark (U+FEFF), which is ignored");
    }
    let (map, found) = parse_dotenv(&file, &bytes);
    problems.extend(found);
    map
}

/// The variables of a `.env` file, and why the rest of it cannot be read. `file` is its name in the problem.
#[must_use]
pub fn parse_dotenv(file: &str, bytes: &[u8]) -> (BTreeMap<String, String>, Option<Problem>) {
    let mut map = BTreeMap::new();
    if is_utf16(bytes) {
        return (map, Some(problem(file, "is UTF-16", "UTF-8 text")));
    }
    let mut last = String::new();
    // The mark is no part of the first name. Editors of Windows write it.
    let text = without_mark(bytes);
    let mut substitutions = Substitutions::of(text);
    let mut pairs = dotenvy::from_read_iter(text);
    loop {
        // Before each line: one line alone could repeat the value of another for gigabytes.
        if substitutions.are_too_long() {
            let found = problem(file, "repeats values by $NAME without end", "values in single quotes");
            return (map, Some(found));
        }
        match pairs.next() {
            None => return (map, None),
            Some(Ok((name, value))) => {
                last.clone_from(&name);
                substitutions.longest = substitutions.longest.max(value.len());
                map.insert(name, value);
            }
            // The message of dotenvy is dropped: it quotes the line, which may hold a secret.
            Some(Err(_)) => {
                let place =
                    if last.is_empty() { "at its beginning".to_owned() } else { format!("after {last}") };
                let wrong = format!("has an unreadable line {place}");
                return (map, Some(problem(file, &wrong, "NAME=value, quoted if need be")));
            }
        }
    }
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
    Problem { name: name.to_owned(), wrong: wrong.to_owned(), right: right.to_owned() }
}

#[cfg(test)]
mod tests;
