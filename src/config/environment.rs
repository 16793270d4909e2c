//! The only place that reads the process environment and `.env`. Everything else works on a map.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use precall_base::invisible::{is_invisible, is_odd_space, is_utf16, without_mark};

use super::problem::{ConfigError, Problem};
use super::table::find;
use super::unknown_variables;

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
    let mut map = BTreeMap::new();
    let file = path.display().to_string();
    let bytes = match content(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return map,
        Err(_) => {
            problems.push(problem(&file, "exists and cannot be opened", "a readable file, or none"));
            return map;
        }
    };
    if is_utf16(&bytes) {
        problems.push(problem(&file, "is UTF-16", "UTF-8 text"));
        return map;
    }
    let mut last = String::new();
    // The mark is no part of the first name. Editors of Windows write it.
    let text = without_mark(&bytes);
    if text.len() < bytes.len() {
        eprintln!("precall: {file} begins with a byte order mark (U+FEFF), which is ignored");
    }
    for pair in dotenvy::from_read_iter(text) {
        match pair {
            Ok((name, value)) => {
                last.clone_from(&name);
                map.insert(name, value);
            }
            // The message of dotenvy is dropped: it quotes the line, which may hold a secret.
            Err(_) => {
                let place =
                    if last.is_empty() { "at its beginning".to_owned() } else { format!("after {last}") };
                problems.push(problem(
                    &file,
                    &format!("has an unreadable line {place}"),
                    "NAME=value, quoted if need be",
                ));
                return map;
            }
        }
    }
    map
}

/// The bytes of the file, of a usual size at most.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    const MAX_BYTES: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
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
