//! What was set, and where: in the process environment, or on which line of the `.env` file.

use std::collections::BTreeMap;
use std::fmt;

/// Where a variable was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the environment of the process. It cannot change while the process runs.
    Environment,
    /// In a file.
    Line {
        /// Its path.
        file: String,
        /// The line that the variable begins on; the first is 1.
        line: usize,
    },
    /// By the code that started precall: the demo, or a test.
    Given,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::Line { file, line } => write!(f, "{file} line {line}"),
            Self::Given => f.write_str("given"),
        }
    }
}

/// Every variable that was set, with its place.
#[derive(Clone, Default)]
pub struct Sources {
    texts: BTreeMap<String, String>,
    places: BTreeMap<String, Place>,
    hidden: Vec<String>,
}

impl Sources {
    /// Variables that the code itself sets.
    #[must_use]
    pub fn given(texts: BTreeMap<String, String>) -> Self {
        let places = texts.keys().map(|name| (name.clone(), Place::Given)).collect();
        Self { texts, places, hidden: Vec::new() }
    }

    /// Sets a variable, in place of what an earlier source said.
    pub(super) fn set(&mut self, name: String, text: String, place: Place) {
        let before = self.texts.get(&name);
        if place == Place::Environment && before.is_some_and(|before| before.trim() != text.trim()) {
            self.hidden.push(name.clone());
        }
        self.places.insert(name.clone(), place);
        self.texts.insert(name, text);
    }

    /// The texts by name.
    #[must_use]
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// The texts alone.
    #[must_use]
    pub fn into_texts(self) -> BTreeMap<String, String> {
        self.texts
    }

    /// Where the variable was set.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.places.get(name)
    }

    /// Variables that the file sets to another value than the process environment, which wins.
    #[must_use]
    pub fn hidden_in_file(&self) -> &[String] {
        &self.hidden
    }
}

/// Without the values: some are secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.places).finish()
    }
}
