//! The text of every variable: set directly, read from its `NAME_FILE`, or the default.

mod visible;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;

use percent_encoding::percent_decode_str;
use precall_base::invisible::{is_utf16, trimmed};
use precall_base::redact;
use precall_call::Route;
use serde::de::DeserializeOwned;
use url::Url;

use super::environment_name::Environment;
use super::problem::Problems;
use super::section::Section;
use super::sources::{Place, Sources};
use super::value::FromText as _;
use super::variables::{DefaultValue, Restart, Variable};
use visible::{Cleaned, check, cleaned};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Set by name, at this place.
    Set(Place),
    /// Read from the file that `NAME_FILE` names.
    File(String),
    /// From the table.
    Default,
}

/// The text of one variable.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// All texts by variable. A variable with neither text nor default is absent.
#[derive(Clone)]
pub(super) struct Values {
    by_name: BTreeMap<&'static str, Value>,
    /// What was removed from texts, one sentence each.
    remarks: Vec<String>,
}

impl Values {
    /// Takes what was set, and adds secrets from files and defaults.
    pub(super) fn gather(
        sources: &Sources,
        variables: impl Iterator<Item = &'static Variable>,
        problems: &mut Problems,
    ) -> Self {
        // The general section reports a wrong ENVIRONMENT. Until then the stricter defaults hold.
        let environment = sources
            .texts()
            .get("ENVIRONMENT")
            .and_then(|text| Environment::from_text(trimmed(text)).ok())
            .unwrap_or(Environment::Production);
        let mut by_name = BTreeMap::new();
        let mut remarks = Vec::new();
        for variable in variables {
            let value = own_text(sources, variable, problems, &mut remarks).or_else(|| {
                let text = variable.default_text(environment)?;
                Some(Value { text, origin: Origin::Default })
            });
            if let Some(value) = value {
                if variable.is_secret() {
                    know(&value.text);
                }
                by_name.insert(variable.name, value);
            }
        }
        Self { by_name, remarks }
    }

    /// These values with what a reload may apply of `new`, and with the old text of everything else.
    pub(super) fn reloaded(
        &self,
        new: &Self,
        environment: Environment,
        variables: impl Iterator<Item = &'static Variable>,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        for variable in variables {
            let value = match variable.restart {
                Restart::Needed => self.get(variable).cloned(),
                Restart::NotNeeded => {
                    // Of the running ENVIRONMENT, whatever the new one is.
                    let default = || {
                        let text = variable.default_text(environment)?;
                        Some(Value { text, origin: Origin::Default })
                    };
                    let set = new.get(variable).filter(|value| value.origin != Origin::Default);
                    set.cloned().or_else(default)
                }
            };
            if let Some(value) = value {
                by_name.insert(variable.name, value);
            }
        }
        Self { by_name, remarks: new.remarks.clone() }
    }

    /// Whether any value is from a line of the `.env` file.
    pub(super) fn has_place_in_file(&self) -> bool {
        self.by_name.values().any(|value| matches!(value.origin, Origin::Set(Place::Line { .. })))
    }

    /// Whether both have the same text for the variable.
    pub(super) fn agree(&self, other: &Self, variable: &Variable) -> bool {
        self.get(variable).map(|value| &value.text) == other.get(variable).map(|value| &value.text)
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

/// Without the texts: some are secrets.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// Whoever repeats this secret: no text that precall shows has it. The password of an address is a secret of its own.
fn know(secret: &str) {
    redact::know(secret);
    let url = Url::parse(secret).ok();
    if let Some(password) = url.as_ref().and_then(Url::password) {
        redact::know(password);
        redact::know(&percent_decode_str(password).decode_utf8_lossy());
    }
}

/// What was set for the variable, directly or by file. Empty counts as unset.
fn own_text(
    sources: &Sources,
    variable: &Variable,
    problems: &mut Problems,
    remarks: &mut Vec<String>,
) -> Option<Value> {
    let set = sources.texts();
    let place = || Origin::Set(sources.place(variable.name).cloned().unwrap_or(Place::Given));
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
        return Some(Value { text: text.trim().to_owned(), origin: place() });
    }
    let file_name = format!("{}_FILE", variable.name);
    match (direct, non_empty(set.get(&file_name))) {
        (Some(_), Some(_)) => {
            problems.add(file_name, format!("is set beside {}", variable.name), "one of the two");
            None
        }
        (Some(text), None) => {
            let text = visible(variable.name, text, problems)?;
            Some(Value { text, origin: place() })
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
