//! `precall config show` and `GET /api/v1/config`: every variable with its value and where that comes from. Secrets are
//! set or not set, and never shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use precall_base::redact::hide;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problems;
use super::redact::shown;
use super::sources::{Place, Sources};
use super::table::variables;
use super::values::{Origin, Values};
use super::variables::{Restart, Shown, Variable};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownSource {
    /// `default`, `environment`, `file` (a line of the `.env` file), `secret_file` (named by `NAME_FILE`), `given` (by
    /// the demo), or `none` where nothing is set.
    from: &'static str,
    /// The path of the file.
    file: Option<String>,
    /// The line of the file.
    line: Option<usize>,
}

/// A variable with the value that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownVariable {
    /// Its name.
    pub name: &'static str,
    /// Its section, as in docs/CONFIGURATION.md.
    pub section: &'static str,
    /// Its value, long ones cut off and telephone numbers masked; `set` for a secret; null: not set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ShownSource,
    /// Whether a change needs a restart. A reload applies all others.
    pub needs_restart: bool,
}

/// Every variable with its value and where that comes from, valid or not. Route `callback` is assumed.
#[must_use]
pub fn show(set: &BTreeMap<String, String>) -> String {
    table(&Values::gather(&Sources::given(set.clone()), variables(), &mut Problems::default()))
}

/// Every variable, in the order of the documents.
pub(super) fn items(values: &Values) -> Vec<ShownVariable> {
    variables().map(|variable| item(variable, values)).collect()
}

pub(super) fn table(values: &Values) -> String {
    let width = variables().map(|variable| variable.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut section = None;
    for item in items(values) {
        if section != Some(item.section) {
            let gap = if section.is_some() { "\n" } else { "" };
            let _infallible = writeln!(out, "{gap}[{}]", item.section);
            section = Some(item.section);
        }
        let _infallible = writeln!(out, "{:width$}  {}", item.name, item.line());
    }
    out
}

fn item(variable: &Variable, values: &Values) -> ShownVariable {
    let value = values.get(variable);
    let text = value.map(|value| match variable.shown {
        _ if variable.is_secret() => "set".to_owned(),
        Shown::Plain => shown(&value.text),
        Shown::Masked => shown(&hide(&value.text)),
    });
    let source = |from, file: Option<&String>, line| ShownSource { from, file: file.cloned(), line };
    ShownVariable {
        name: variable.name,
        section: variable.section.title(),
        value: text,
        source: match value.map(|value| &value.origin) {
            None => source("none", None, None),
            Some(Origin::Default) => source("default", None, None),
            Some(Origin::File(path)) => source("secret_file", Some(path), None),
            Some(Origin::Set(Place::Environment)) => source("environment", None, None),
            Some(Origin::Set(Place::Given)) => source("given", None, None),
            Some(Origin::Set(Place::Line { file, line })) => source("file", Some(file), Some(*line)),
        },
        needs_restart: variable.restart == Restart::Needed,
    }
}

impl ShownVariable {
    /// Value and source, for people.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.value {
            None => "not set".to_owned(),
            Some(value) => format!("{value}{}", self.source.words()),
        }
    }
}

impl ShownSource {
    fn words(&self) -> String {
        match (self.from, &self.file, self.line) {
            ("file", Some(file), Some(line)) => format!(" ({file} line {line})"),
            ("secret_file", Some(file), _) => format!(" (secret file {file})"),
            // The code gave it: the reader knows.
            ("given", ..) => String::new(),
            (from, ..) => format!(" ({from})"),
        }
    }
}
