//! What the text of a variable looks like.

/// What a value looks like. It follows from the type that reads the value, so that both cannot differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free text for people, or for a model to speak.
    Text,
    /// Shown never, only counted. It may also come from the file that `NAME_FILE` names.
    Secret,
    /// A whole number from `min` to `max`. An empty `unit` is the variable's own.
    Number {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
        /// For example `seconds`.
        unit: &'static str,
    },
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// Entries separated by commas, or a JSON array of strings. The variable's `unit` names the entries.
    List,
    /// Anything else, described in a few words.
    Form(&'static str),
}
