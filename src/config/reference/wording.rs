//! Sentences about one variable, and lines of limited width.

use super::super::kind::Kind;
use super::super::value::alternatives;
use super::super::variables::{DefaultValue, Required, Restart, Routes, Variable};

/// Longest line of the documents, in characters.
pub(super) const WIDTH: usize = 120;

/// What a value looks like, for example `1 to 300 seconds`.
pub(super) fn value(variable: &Variable) -> String {
    match variable.kind {
        Kind::Text => "text, at most 2000 characters".to_owned(),
        Kind::Secret if variable.unit.is_empty() => "secret".to_owned(),
        Kind::Secret => format!("secret, {}", variable.unit),
        Kind::Number { .. } => variable.range().unwrap_or_default(),
        Kind::OneOf(words) => alternatives(words),
        Kind::List => format!("list of {}", variable.unit),
        Kind::Form(form) => form.to_owned(),
    }
}

/// What holds when the variable is not set. `quote` marks a value.
pub(super) fn default(variable: &Variable, quote: impl Fn(&str) -> String) -> String {
    match variable.default {
        DefaultValue::Unset => "none".to_owned(),
        DefaultValue::Text(text) => quote(text),
        DefaultValue::ByEnvironment { production, development: "" } => {
            format!("{} in production, none in development", quote(production))
        }
        DefaultValue::ByEnvironment { production, development } => {
            format!("{} in production, {} in development", quote(production), quote(development))
        }
        DefaultValue::ByRoute { callback, live_leg } => {
            format!("{} on route callback, {} on the other routes", quote(callback), quote(live_leg))
        }
        DefaultValue::Cores => "one per processor core".to_owned(),
    }
}

pub(super) fn required(variable: &Variable) -> &'static str {
    match variable.required {
        Required::No => "no",
        Required::Yes => "yes",
        Required::When(case) => case,
    }
}

pub(super) fn restart(variable: &Variable) -> &'static str {
    match variable.restart {
        Restart::Needed => "yes",
        Restart::NotNeeded => "no",
    }
}

/// Help and note, and the routes where they are not all.
pub(super) fn help(variable: &Variable) -> String {
    let routes = match variable.routes {
        Routes::All => "",
        Routes::LiveLeg => "No effect on route callback.",
    };
    let sentences = [variable.help, variable.note, routes];
    sentences.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The line that sets the variable: to its default where that is one short text, else to its example.
pub(super) fn assignment(variable: &Variable) -> String {
    let text = match variable.default {
        _ if !variable.example.is_empty() => variable.example,
        DefaultValue::Text(text) | DefaultValue::ByEnvironment { production: text, .. } => text,
        DefaultValue::ByRoute { .. } | DefaultValue::Cores | DefaultValue::Unset => "",
    };
    format!("{}={}", variable.name, quoted(text))
}

/// As a `.env` file has it: single quotes around anything but plain characters.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@+*?".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{text}'") }
}

/// The text in lines of at most `WIDTH` characters, each beginning with `first` or `next`. Words are split at white
/// space only, so a crate for wrapping would bring more than it saves.
pub(super) fn wrapped(text: &str, first: &str, next: &str) -> String {
    let mut out = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let width = line.chars().count().saturating_add(word.chars().count()).saturating_add(1);
        if !is_empty && width > WIDTH {
            out.push_str(&line);
            out.push('\n');
            next.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(&line);
    out.push('\n');
    out
}
