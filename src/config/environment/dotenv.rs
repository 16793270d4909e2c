//! The text of a `.env` file, in the common dialect of python-dotenv and docker compose.
//!
//! `dotenvy`, the well-kept crate for such files, refuses what they read: a value with spaces and no quotes, and
//! `NAME: value`. It also takes the quotes out of an unquoted JSON array. So this parser is our own. Pure.

use std::collections::BTreeMap;

/// All values that stand for a `$NAME` have at most this many bytes together.
const SUBSTITUTED_MAX: usize = 4 * 1024 * 1024;

/// A variable of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
    /// The line that it begins on; the first is 1.
    pub(super) line: usize,
}

/// Why the rest of the file cannot be read. Never quotes the file: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) why: Why,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It does not begin with a name and `=` or `:`.
    NoName,
    /// The quote that the value begins with is not closed.
    OpenQuote,
    /// There is text behind the closing quote.
    BehindQuote,
    /// The values that stand for `$NAME` are too long.
    Endless,
}

/// Reads a file piece by piece.
pub(super) struct Dotenv<'a, L> {
    rest: &'a str,
    line: usize,
    /// Values so far, for `$NAME`.
    values: BTreeMap<String, String>,
    /// The process environment, which wins.
    environment: L,
    /// Bytes that substitutions may still add.
    room: usize,
    is_over: bool,
}

impl<'a, L: Fn(&str) -> Option<String>> Dotenv<'a, L> {
    pub(super) fn new(text: &'a str, environment: L) -> Self {
        let values = BTreeMap::new();
        Self { rest: text, line: 1, values, environment, room: SUBSTITUTED_MAX, is_over: false }
    }

    /// The next variable. A name without a value, which means the one of the process environment, is skipped.
    fn assignment(&mut self) -> Result<Option<Assignment>, Unreadable> {
        loop {
            self.skip(|c| c.is_whitespace());
            let line = self.line;
            match self.rest.chars().next() {
                None => return Ok(None),
                Some('#') => {
                    self.skip(|c| !is_newline(c));
                    continue;
                }
                Some(_) => {}
            }
            let wrong = |why| Unreadable { line, why };
            let name = self.name().ok_or(wrong(Why::NoName))?;
            self.skip(is_blank);
            match self.rest.chars().next() {
                None => continue,
                Some(c) if is_newline(c) => continue,
                Some('#') => {
                    self.skip(|c| !is_newline(c));
                    continue;
                }
                Some('=' | ':') => self.take(1),
                Some(_) => return Err(wrong(Why::NoName)),
            };
            let had_blank = !self.skip(is_blank).is_empty();
            let value = match self.rest.chars().next() {
                Some(quote @ ('\'' | '"')) => self.quoted(quote).map_err(wrong)?,
                // `NAME= # comment` has no value; `NAME=#1` has one.
                Some('#') if had_blank => {
                    self.skip(|c| !is_newline(c));
                    String::new()
                }
                _ => self.unquoted().map_err(wrong)?,
            };
            self.values.insert(name.clone(), value.clone());
            return Ok(Some(Assignment { name, value, line }));
        }
    }

    /// A name, with or without `export` in front.
    fn name(&mut self) -> Option<String> {
        let first = self.skip(is_of_name);
        let is_export = first == "export" && self.rest.starts_with(is_blank);
        let name = if is_export {
            self.skip(is_blank);
            // `export = 1` sets a variable of that name.
            if self.rest.starts_with(['=', ':']) { first } else { self.skip(is_of_name) }
        } else {
            first
        };
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins_well.then(|| name.to_owned())
    }

    /// To the end of the line, or to a `#` behind a blank. Nothing is an escape.
    fn unquoted(&mut self) -> Result<String, Why> {
        let text = self.skip(|c| !is_newline(c));
        let comment = text.match_indices('#').map(|(at, _)| text.get(..at).unwrap_or_default());
        let before = comment.into_iter().find(|before| before.ends_with(|c: char| c.is_whitespace()));
        self.substituted(before.unwrap_or(text).trim_end())
    }

    /// To the closing quote, over several lines too. Only a comment may follow.
    fn quoted(&mut self, quote: char) -> Result<String, Why> {
        self.take(1);
        let mut is_escaped = false;
        let end = self.rest.char_indices().find(|(_, c)| {
            let is_end = *c == quote && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        });
        let (end, _) = end.ok_or(Why::OpenQuote)?;
        let text = self.take(end);
        self.take(1);
        self.skip(is_blank);
        match self.rest.chars().next() {
            None => {}
            Some('#') => {
                self.skip(|c| !is_newline(c));
            }
            Some(c) if is_newline(c) => {}
            Some(_) => return Err(Why::BehindQuote),
        }
        if quote == '"' { self.substituted_with_escapes(text) } else { Ok(unescaped(text)) }
    }

    /// In double quotes. An escaped `$` begins no name.
    fn substituted_with_escapes(&mut self, text: &str) -> Result<String, Why> {
        let (mut value, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('\\') {
            let (before, behind) = rest.split_at(at);
            value.push_str(&self.substituted(before)?);
            let mut letters = behind.chars();
            letters.next();
            let escaped = letters.next();
            match escaped {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('a') => value.push('\u{7}'),
                Some('b') => value.push('\u{8}'),
                Some('f') => value.push('\u{c}'),
                Some('v') => value.push('\u{b}'),
                Some(c @ ('\\' | '\'' | '"' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            }
            rest = letters.as_str();
        }
        value.push_str(&self.substituted(rest)?);
        Ok(value)
    }

    /// With the values of `${NAME}`, `${NAME:-else}`, `${NAME-else}` and `$NAME`. A `$NAME` that is not set stays as it
    /// is: it is more likely a part of a password.
    fn substituted(&mut self, text: &str) -> Result<String, Why> {
        let (mut value, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            let (before, behind) = rest.split_at(at);
            value.push_str(before);
            let (found, length) = self.reference(behind);
            let (taken, next) = behind.split_at(length);
            match found {
                Some(found) => {
                    self.room = self.room.checked_sub(found.len()).ok_or(Why::Endless)?;
                    value.push_str(&found);
                }
                None => value.push_str(taken),
            }
            rest = next;
        }
        value.push_str(rest);
        Ok(value)
    }

    /// What the reference at the beginning of the text stands for, and its length. None: it stands for itself.
    fn reference(&self, text: &str) -> (Option<String>, usize) {
        let behind = text.get(1..).unwrap_or_default();
        if let Some(inner) = behind.strip_prefix('{') {
            let Some((inner, _)) = inner.split_once('}') else { return (None, 1) };
            let length = inner.len().saturating_add(3);
            let end = inner.find(|c| !is_of_reference(c)).unwrap_or(inner.len());
            let (name, otherwise) = inner.split_at(end);
            let (otherwise, may_be_empty) = match (otherwise.strip_prefix(":-"), otherwise.strip_prefix('-'))
            {
                (Some(otherwise), _) => (otherwise, false),
                (None, Some(otherwise)) => (otherwise, true),
                (None, None) if otherwise.is_empty() => ("", true),
                (None, None) => return (None, length),
            };
            if !is_name(name) {
                return (None, length);
            }
            let found = self.value(name).filter(|found| may_be_empty || !found.is_empty());
            return (Some(found.unwrap_or_else(|| otherwise.to_owned())), length);
        }
        // Two of them are two.
        if behind.starts_with('$') {
            return (None, 2);
        }
        let end = behind.find(|c| !is_of_reference(c)).unwrap_or(behind.len());
        let name = behind.get(..end).unwrap_or_default();
        let found = if is_name(name) { self.value(name) } else { None };
        (found, end.saturating_add(1))
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.environment)(name).or_else(|| self.values.get(name).cloned())
    }

    /// Takes the letters that fit, and counts their lines.
    fn skip(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let Some((taken, rest)) = self.rest.split_at_checked(bytes) else { return "" };
        self.rest = rest;
        self.line = self.line.saturating_add(line_ends(taken));
        taken
    }
}

impl<L: Fn(&str) -> Option<String>> Iterator for Dotenv<'_, L> {
    type Item = Result<Assignment, Unreadable>;

    /// Nothing follows an unreadable line: an open quote has swallowed the rest.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.assignment().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// In single quotes: a backslash escapes itself and the quote, nothing else.
fn unescaped(text: &str) -> String {
    let (mut value, mut letters) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = letters.next() {
        let escaped = if c == '\\' { letters.next_if(|next| matches!(next, '\\' | '\'')) } else { None };
        value.push(escaped.unwrap_or(c));
    }
    value
}

/// Line ends; a carriage return and a line feed together are one.
pub(super) fn line_ends(text: &str) -> usize {
    let feeds = text.matches('\n').count();
    let returns = text.matches('\r').count();
    feeds.saturating_add(returns).saturating_sub(text.matches("\r\n").count())
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}')
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn is_of_reference(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests;
