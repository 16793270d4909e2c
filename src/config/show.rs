//! `precall config show`: the configuration as a table. Secrets are counted, never printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::problem::Problems;
use super::redact::{masked, shown};
use super::table::variables;
use super::values::{Origin, Values};
use super::variables::{Shown, Variable};

/// Every variable with its value and where that comes from, valid or not. Route `callback` is assumed.
#[must_use]
pub fn show(set: &BTreeMap<String, String>) -> String {
    table(&Values::gather(set, variables(), &mut Problems::default()))
}

pub(super) fn table(values: &Values) -> String {
    let width = variables().map(|variable| variable.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut section = None;
    for variable in variables() {
        if section != Some(variable.section) {
            let gap = if section.is_some() { "\n" } else { "" };
            let _infallible = writeln!(out, "{gap}[{}]", variable.section.title());
            section = Some(variable.section);
        }
        let _infallible = writeln!(out, "{:width$}  {}", variable.name, line(variable, values));
    }
    out
}

fn line(variable: &Variable, values: &Values) -> String {
    let Some(value) = values.get(variable) else { return "not set".to_owned() };
    let text = match variable.shown {
        _ if variable.is_secret() => format!("set ({} characters)", value.text.chars().count()),
        Shown::Plain => shown(&value.text),
        Shown::Masked => shown(&masked(&value.text)),
    };
    match &value.origin {
        Origin::Set => text,
        Origin::File(path) => format!("{text}, from {path}"),
        Origin::Default => format!("{text} (default)"),
    }
}
