//! `variables!` defines the variables of a section: the table entries, the struct that envy reads, and the settings.
//!
//! A definition gives the name in lower case, the type of the value, and the fields of `Variable`. The name in the
//! environment is the same in upper case: `port: Whole<u16, 0, 65_535> { .. }` is `PORT`.
//!
//! A macro of our own, because envy is the reader and knows neither defaults, ranges nor help. A second struct for the
//! documents would have to repeat every name. The text of each document is compared with its file by a test.

use super::problem::Problems;
use super::value::Read;
use super::variables::Variable;

/// One variable after reading. `Problems` already has what is wrong with its value.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    /// Name in the environment.
    pub(super) name: &'static str,
    pub(super) state: State<T>,
}

/// How reading went.
#[derive(Clone, Debug)]
pub(super) enum State<T> {
    /// Neither set nor defaulted.
    Unset,
    /// Set to a value that cannot be used.
    Wrong,
    /// This value.
    Good(T),
}

impl<T> Setting<T> {
    /// What was read for `name`, one of `variables`. A value that cannot be used becomes a problem.
    pub(super) fn of(
        name: &'static str,
        read: Option<Read<T>>,
        variables: &[Variable],
        problems: &mut Problems,
    ) -> Self {
        let state = match read {
            None => State::Unset,
            Some(Read(Ok(value))) => State::Good(value),
            Some(Read(Err(complaint))) => {
                let variable = variables.iter().find(|variable| variable.name == name);
                let range = variable.and_then(Variable::range);
                problems.add(name, complaint.wrong, range.unwrap_or(complaint.right));
                State::Wrong
            }
        };
        Self { name, state }
    }

    /// Whether there is neither a value nor a default.
    pub(super) fn is_unset(&self) -> bool {
        matches!(self.state, State::Unset)
    }

    /// The value of a variable that has a default; `None` when the value is wrong.
    pub(super) fn value(self) -> Option<T> {
        match self.state {
            State::Good(value) => Some(value),
            State::Unset | State::Wrong => None,
        }
    }

    /// The value of a variable that may be unset. The outer `None` is a wrong value, the inner one an unset variable.
    pub(super) fn optional(self) -> Option<Option<T>> {
        match self.state {
            State::Good(value) => Some(Some(value)),
            State::Unset => Some(None),
            State::Wrong => None,
        }
    }

    /// The value of a variable that must be set; when it is not, `right` says what to set.
    pub(super) fn required(self, right: &str, problems: &mut Problems) -> Option<T> {
        // An unreadable NAME_FILE has its own problem; "not set" as well would mislead.
        let has_problem = problems.has(self.name) || problems.has(&format!("{}_FILE", self.name));
        if self.is_unset() && !has_problem {
            problems.add(self.name, "is required and not set", right);
        }
        self.value()
    }
}

/// The name in upper case, as bytes. `N` is the length of `name`.
pub(super) const fn upper_case<const N: usize>(name: &str) -> [u8; N] {
    match name.as_bytes().first_chunk::<N>() {
        Some(bytes) => {
            let mut bytes = *bytes;
            bytes.make_ascii_uppercase();
            bytes
        }
        None => panic!("N is the length of the name"),
    }
}

/// A field's name as the environment has it.
macro_rules! name_of {
    ($field:ident) => {{
        const LOWER: &str = stringify!($field);
        const UPPER: [u8; LOWER.len()] = $crate::config::setting::upper_case(LOWER);
        match std::str::from_utf8(&UPPER) {
            Ok(name) => name,
            Err(_) => panic!("a Rust name in ASCII"),
        }
    }};
}
pub(super) use name_of;

/// Defines the variables of one section.
///
/// Makes `VARIABLES` (the table), `Texts` (what envy reads) and `Settings` with `Settings::read`.
macro_rules! variables {
    ($section:expr; $($field:ident: $type:ty { $($key:ident: $value:expr),+ $(,)? })+) => {
        /// The variables of this section, in the order of the documents.
        pub(super) const VARIABLES: &[$crate::config::variables::Variable] = &[$(
            $crate::config::variables::Variable {
                name: $crate::config::setting::name_of!($field),
                section: $section,
                kind: <$type as $crate::config::value::FromText>::KIND,
                $($key: $value,)+
                ..$crate::config::variables::Variable::BLANK
            },
        )+];

        /// The section as envy reads it.
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Texts {
            $($field: Option<$crate::config::value::Read<$type>>,)+
        }

        /// The section, checked variable by variable.
        struct Settings {
            $($field: $crate::config::setting::Setting<$type>,)+
        }

        impl Settings {
            /// Reads the section and adds a problem for every value that cannot be used.
            fn read(
                values: &$crate::config::values::Values,
                problems: &mut $crate::config::problem::Problems,
            ) -> Option<Self> {
                let texts: Texts = values.section($section, VARIABLES, problems)?;
                Some(Self {
                    $($field: $crate::config::setting::Setting::of(
                        $crate::config::setting::name_of!($field),
                        texts.$field,
                        VARIABLES,
                        problems,
                    ),)+
                })
            }
        }
    };
}
pub(super) use variables;
