//! The only place that reads the process environment and `.env`. Everything else works on a map.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

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
    let pairs = match dotenvy::from_path_iter(path) {
        Ok(pairs) => pairs,
        Err(dotenvy::Error::Io(error)) if error.kind() == ErrorKind::NotFound => return map,
        Err(_) => {
            problems.push(problem(&file, "exists and cannot be opened", "a readable file, or none"));
            return map;
        }
    };
    let mut last = String::new();
    for pair in pairs {
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

fn problem(name: &str, wrong: &str, right: &str) -> Problem {
    Problem { name: name.to_owned(), wrong: wrong.to_owned(), right: right.to_owned() }
}

#[cfg(test)]
mod tests;
