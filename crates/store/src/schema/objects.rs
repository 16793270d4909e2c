//! Which tables, indexes, sequences, functions and triggers the migrations make, read from their text.
//!
//! So no list has to be kept beside the migrations. The scanner knows the statements of `sql/` and no more; a test
//! holds it against a migrated database.
//!
//! Pure: the same text gives the same names.

use std::collections::{BTreeMap, BTreeSet};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    /// A table that a migration renamed, or a partition. It is dropped when its rows are old.
    OldTable,
    /// An index of this table.
    Index(String),
    Sequence,
    Function,
}

/// The objects that exist after some migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    /// By name. Tables, indexes and sequences share their names; the migrations give functions other ones.
    pub(crate) named: BTreeMap<String, Kind>,
    /// Table and name.
    pub(crate) triggers: BTreeSet<(String, String)>,
}

impl Objects {
    /// Follows the statements of one migration. Returns the names that it makes, also those that it drops again.
    pub(crate) fn follow(&mut self, sql: &str) -> BTreeSet<String> {
        let mut made = BTreeSet::new();
        for statement in statements(sql) {
            let words: Vec<&str> = statement.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["create", rest @ ..] => self.create(rest, &mut made),
                ["drop", kind, rest @ ..] => self.drop(kind, rest),
                ["alter", "table" | "index" | "sequence", rest @ ..] => self.rename(rest, &mut made),
                _ => {}
            }
        }
        made
    }

    /// Names of one kind that a complete database has.
    pub(crate) fn required(&self, is_kind: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &str> {
        self.named.iter().filter(move |(_, kind)| is_kind(kind)).map(|(name, _)| name.as_str())
    }

    fn create(&mut self, words: &[&str], made: &mut BTreeSet<String>) {
        const ADJECTIVES: [&str; 8] = [
            "or",
            "replace",
            "unique",
            "unlogged",
            "concurrently",
            "constraint",
            "temporary",
            "materialized",
        ];
        let words: Vec<&str> = words.iter().copied().filter(|word| !ADJECTIVES.contains(word)).collect();
        let [kind, rest @ ..] = words.as_slice() else { return };
        let (name, rest) = match rest {
            ["if", "not", "exists", name, rest @ ..] | [name, rest @ ..] => ((*name).to_owned(), rest),
            [] => return,
        };
        let target = || after(rest, "on").map(ToOwned::to_owned);
        let made_kind = match *kind {
            "table" if rest.starts_with(&["partition", "of"]) => Kind::OldTable,
            "table" | "view" => Kind::Table,
            "sequence" => Kind::Sequence,
            "function" => Kind::Function,
            "index" => match target() {
                Some(table) => Kind::Index(table),
                None => return,
            },
            "trigger" => {
                if let Some(table) = target() {
                    self.triggers.insert((table, name));
                }
                return;
            }
            _ => return,
        };
        made.insert(name.clone());
        self.named.insert(name, made_kind);
    }

    fn drop(&mut self, kind: &str, words: &[&str]) {
        let words = words.strip_prefix(&["if", "exists"]).unwrap_or(words);
        if kind == "trigger" {
            if let (Some(name), Some(table)) = (words.first(), after(words, "on")) {
                self.triggers.remove(&(table.to_owned(), (*name).to_owned()));
            }
            return;
        }
        for name in words.iter().filter(|word| !matches!(**word, "," | "cascade" | "restrict")) {
            self.named.remove(*name);
            self.named.retain(|_, kind| !matches!(kind, Kind::Index(table) if table == name));
            self.triggers.retain(|(table, _)| table != name);
        }
    }

    fn rename(&mut self, words: &[&str], made: &mut BTreeSet<String>) {
        let words = words.strip_prefix(&["if", "exists"]).unwrap_or(words);
        let [old, "rename", "to", new] = words else { return };
        let Some(kind) = self.named.remove(*old) else { return };
        made.insert((*new).to_owned());
        let kind = match kind {
            Kind::Table => Kind::OldTable,
            other => other,
        };
        for of_table in self.named.values_mut() {
            if matches!(of_table, Kind::Index(table) if table == old) {
                *of_table = Kind::Index((*new).to_owned());
            }
        }
        self.named.insert((*new).to_owned(), kind);
        let moved: Vec<_> = self.triggers.iter().filter(|(table, _)| table == old).cloned().collect();
        for trigger in moved {
            self.triggers.remove(&trigger);
            self.triggers.insert(((*new).to_owned(), trigger.1));
        }
    }
}

/// Names for a text: the first five, and how many more.
pub(crate) fn name_list(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().map(AsRef::as_ref).take(SHOWN).collect();
    let more = names.len().saturating_sub(shown.len());
    let text = shown.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn after<'words>(words: &[&'words str], before: &str) -> Option<&'words str> {
    let place = words.iter().position(|word| *word == before)?;
    words.get(place.saturating_add(1)).copied()
}

/// The words of each statement. Comments, texts and bodies of functions are left out.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let (mut statements, mut words, mut rest) = (Vec::new(), Vec::new(), sql);
    while let Some(letter) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end.saturating_add(2))
        } else if letter == '\'' {
            quoted(rest, "'")
        } else if letter == '"' {
            let length = quoted(rest, "\"");
            words.push(rest.get(..length).unwrap_or_default().trim_matches('"').to_owned());
            length
        } else if let Some(tag) = dollar_tag(rest) {
            quoted(rest, tag)
        } else if is_word(letter) {
            let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            words.push(rest.get(..length).unwrap_or_default().to_lowercase());
            length
        } else {
            match letter {
                ';' => statements.push(std::mem::take(&mut words)),
                ',' | '(' | ')' => words.push(letter.to_string()),
                _ => {}
            }
            letter.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    statements.push(words);
    statements
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of a text between two marks, marks included. A doubled mark is read as two texts, which is the same here.
fn quoted(text: &str, mark: &str) -> usize {
    let inner = text.get(mark.len()..).unwrap_or_default();
    inner.find(mark).map_or(text.len(), |end| end.saturating_add(mark.len().saturating_mul(2)))
}

/// `$$` or `$tag$` at the beginning of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find('$')?;
    let is_tag = inner.get(..end)?.chars().all(|letter| letter.is_alphabetic() || letter == '_');
    if is_tag { text.get(..end.saturating_add(2)) } else { None }
}

#[cfg(test)]
mod tests;
