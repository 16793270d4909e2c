//! The definition of a variable. Each section's file defines its variables once, with `variables!` (setting.rs).
//!
//! Reading, checking, `.env.example`, docs/CONFIGURATION.md, `config show` and the suggestions for misspelt names all
//! use these definitions.

use super::environment_name::Environment;
use super::kind::Kind;
use super::section::Section;

/// What holds when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing: the feature is off, or the help text says what happens.
    Unset,
    /// This text.
    Text(&'static str),
    /// One text in production, another in development.
    ByEnvironment {
        /// Used when `ENVIRONMENT` is `production`.
        production: &'static str,
        /// Used when `ENVIRONMENT` is `development`; empty: not set there.
        development: &'static str,
    },
    /// One text on route `callback`, another where the caller hears precall on their own leg.
    ByRoute {
        /// Used on route `callback`.
        callback: &'static str,
        /// Used on the routes `bridge` and `transfer`.
        live_leg: &'static str,
    },
    /// The number of processor cores.
    Cores,
}

/// When a variable must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// Never.
    No,
    /// Always.
    Yes,
    /// In this case, for example `when CALL_ROUTE is callback`.
    When(&'static str),
}

/// The routes that a variable has an effect on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// Every route.
    All,
    /// `bridge` and `transfer` only. Setting it on `callback` gives a startup warning.
    LiveLeg,
}

/// How a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// With most digits of longer numbers masked, because it holds telephone numbers.
    Masked,
}

/// How `precall check` looks at the thing in the world that a value names: an id, an address, a path, a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// Not decided. Allowed for numbers and fixed words only, which name nothing; a test says so.
    Undecided,
    /// The value names nothing outside of precall.
    Nothing,
    /// By this subject of the check.
    By(&'static str),
    /// Not at all, for this reason.
    Cannot(&'static str),
}

/// When a changed value takes effect. A reload applies what needs no restart, and keeps everything else as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// At the next start.
    Needed,
    /// With the next reload, for new calls and requests.
    NotNeeded,
}

/// One variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Name in the environment.
    pub name: &'static str,
    /// The section it belongs to.
    pub section: Section,
    /// What its value looks like.
    pub kind: Kind,
    /// What is counted or listed, for example `calls`; empty when the kind says all.
    pub unit: &'static str,
    /// What holds when it is not set.
    pub default: DefaultValue,
    /// When it must be set.
    pub required: Required,
    /// The routes it has an effect on.
    pub routes: Routes,
    /// How its value may be shown. A secret is never shown.
    pub shown: Shown,
    /// How `precall check` looks at what it names.
    pub probed: Probed,
    /// When a change takes effect.
    pub restart: Restart,
    /// A valid value, for `.env.example`; empty when the default is shown instead.
    pub example: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// More sentences, where they are needed.
    pub note: &'static str,
}

impl Variable {
    /// Values that hold unless a definition says otherwise. Name, section, kind and help are always given.
    pub(super) const BLANK: Self = Self {
        name: "",
        section: Section::General,
        kind: Kind::Text,
        unit: "",
        default: DefaultValue::Unset,
        required: Required::No,
        routes: Routes::All,
        shown: Shown::Plain,
        probed: Probed::Undecided,
        restart: Restart::Needed,
        example: "",
        help: "",
        note: "",
    };

    /// Whether its value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// The range and unit of a number, for example `1 to 300 seconds`; `None` for other kinds.
    #[must_use]
    pub(super) fn range(&self) -> Option<String> {
        let Kind::Number { min, max, unit } = self.kind else { return None };
        let unit = if unit.is_empty() { self.unit } else { unit };
        Some(format!("{min} to {max} {unit}").trim_end().to_owned())
    }

    /// The text that holds when it is not set. Route `callback` is assumed until `Values::use_route`.
    #[must_use]
    pub(super) fn default_text(&self, environment: Environment) -> Option<String> {
        match (self.default, environment) {
            (DefaultValue::Unset, _) => None,
            (DefaultValue::ByEnvironment { development: "", .. }, Environment::Development) => None,
            (DefaultValue::Text(text) | DefaultValue::ByRoute { callback: text, .. }, _) => {
                Some(text.to_owned())
            }
            (DefaultValue::ByEnvironment { production, .. }, Environment::Production) => {
                Some(production.to_owned())
            }
            (DefaultValue::ByEnvironment { development, .. }, Environment::Development) => {
                Some(development.to_owned())
            }
            (DefaultValue::Cores, _) => {
                Some(std::thread::available_parallelism().map_or(1, usize::from).to_string())
            }
        }
    }
}
