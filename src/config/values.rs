//! The text of every variable: set directly, read from its `NAME_FILE`, or the default.

mod visible;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;

use precall_base::invisible::{is_utf16, trimmed};
use precall_call::Route;
use precall_providers::redact;
use serde::de::DeserializeOwned;

use super::environment_name::Environment;
use super::problem::Problems;
use super::section::Section;
use super::value::FromText as _;
use super::variables::{DefaultValue, Variable};
use visible::{Cleaned, check, cleaned};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Set by name.
    Set,
    /// Read from the file that `NAME_FILE` names.
    File(String),
    /// From the table.
    Default,
}

/// The text of one variable.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// All texts by variable. A variable with neither text nor default is absent.
pub(super) struct Values {
    by_name: BTreeMap<&'static str, Value>,
    /// What was removed from texts, one sentence each.
    remarks: Vec<String>,
}

impl Values {
    /// Takes what was set, and adds secrets from files and defaults.
    pub(super) fn gather(
        set: &BTreeMap<String, String>,
        variables: impl Iterator<Item = &'static Variable>,
        problems: &mut Problems,
    ) -> Self {
        // The general section reports a wrong ENVIRONMENT. Until then the stricter defaults hold.
        let environment = set
            .get("ENVIRONMENT")
            .and_then(|text| Environment::from_text(trimmed(text)).ok())
            .unwrap_or(Environment::Production);
        let mut by_name = BTreeMap::new();
        let mut remarks = Vec::new();
        for variable in variables {
            let value = own_text(set, variable, problems, &mut remarks).or_else(|| {
                let text = variable.default_text(environment)?;
                Some(Value { text, origin: Origin::Default })
            });
            if let Some(value) = value {
                if variable.is_secret() {
                    // Whoever repeats it: no text that precall shows has it.
                    redact::know(&value.text);
                }
                by_name.insert(variable.name, value);
            }
        }
        Self { by_name, remarks }
    }

    /// Startup warnings about the texts.
    pub(super) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Applies the defaults that depend on the route.
    pub(super) fn use_route(&mut self, route: Route, variables: impl Iterator<Item = &'static Variable>) {
        let is_live_leg = match route {
            Route::Bridge | Route::Transfer => true,
            Route::Callback => false,
        };
        for variable in variables.filter(|_| is_live_leg) {
            if let DefaultValue::ByRoute { live_leg, .. } = variable.default
                && !self.is_set(variable.name)
            {
                let value = Value { text: live_leg.to_owned(), origin: Origin::Default };
                self.by_name.insert(variable.name, value);
            }
        }
    }

    /// One section's variables as the struct that names them. Every field is optional and keeps a wrong value as a
    /// complaint, so envy fails only when the struct and the table differ.
    pub(super) fn section<T: DeserializeOwned>(
        &self,
        section: Section,
        variables: &[Variable],
        problems: &mut Problems,
    ) -> Option<T> {
        let pairs = variables.iter().filter_map(|variable| {
            let value = self.by_name.get(variable.name)?;
            Some((variable.name.to_owned(), value.text.clone()))
        });
        match envy::from_iter(pairs) {
            Ok(section) => Some(section),
            // The error is dropped: envy quotes values.
            Err(envy::Error::MissingValue(_) | envy::Error::Custom(_)) => {
                problems.add(section.title(), "does not match its table of variables", "a fixed precall");
                None
            }
        }
    }

    /// The text of a variable.
    pub(super) fn get(&self, variable: &Variable) -> Option<&Value> {
        self.by_name.get(variable.name)
    }

    /// Whether it was set, directly or by file.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|value| value.origin != Origin::Default)
    }
}

/// What was set for the variable, directly or by file. Empty counts as unset.
fn own_text(
    set: &BTreeMap<String, String>,
    variable: &Variable,
    problems: &mut Problems,
    remarks: &mut Vec<String>,
) -> Option<Value> {
    let direct = non_empty(set.get(variable.name));
    let mut visible = |name: &str, text: &str, problems: &mut Problems| {
        let Cleaned { text, removed } = cleaned(text, variable);
        remarks.extend(removed.map(|removed| format!("{name} {removed}")));
        if let Err(complaint) = check(text, variable) {
            problems.add(name, complaint.wrong, complaint.right);
            return None;
        }
        Some(text.to_owned()).filter(|text| !text.trim().is_empty())
    };
    if !variable.is_secret() {
        let text = visible(variable.name, direct?, problems)?;
        return Some(Value { text: text.trim().to_owned(), origin: Origin::Set });
    }
    let file_name = format!("{}_FILE", variable.name);
    match (direct, non_empty(set.get(&file_name))) {
        (Some(_), Some(_)) => {
            problems.add(file_name, format!("is set beside {}", variable.name), "one of the two");
            None
        }
        (Some(text), None) => {
            let text = visible(variable.name, text, problems)?;
            Some(Value { text, origin: Origin::Set })
        }
        (None, Some(path)) => match secret_in(path.trim()) {
            Ok(text) => {
                let text = visible(&file_name, &text, problems)?;
                Some(Value { text, origin: Origin::File(path.trim().to_owned()) })
            }
            Err(wrong) => {
                problems.add(file_name, wrong, "a readable file that holds the secret alone");
                None
            }
        },
        (None, None) => None,
    }
}

fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.trim().is_empty())
}

/// The content of a secret's file, without the line break at its end; or what is wrong with the file.
fn secret_in(path: &str) -> Result<String, String> {
    const MAX_BYTES: u64 = 64 * 1024;
    let cannot_open = |error: std::io::Error| format!("cannot be opened: {}", error.kind());
    // A device may have no end, and opening a pipe may block for ever.
    if !fs::metadata(path).map_err(cannot_open)?.is_file() {
        return Err("names no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot_open)?;
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {}", error.kind()))?;
    if is_utf16(&bytes) {
        return Err("is UTF-16 and not UTF-8".to_owned());
    }
    let mut text =
        String::from_utf8(bytes).map_err(|_| "cannot be read as text: it is not UTF-8".to_owned())?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    if text.trim().is_empty() {
        return Err("names an empty file".to_owned());
    }
    Ok(text)
}
