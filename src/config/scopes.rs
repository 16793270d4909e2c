//! What a key of the API allows.

use std::fmt;

/// One thing that a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read calls, callers and voices: numbers are masked, and what was said is not shown.
    Read,
    /// See numbers and what was said. Each look is in the audit log.
    Pii,
    /// Change samples, speakers, consents and voices.
    Voice,
    /// Listen to live calls.
    Listen,
    /// Act on calls.
    Operate,
    /// Everything, callers, keys and lines among it.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [Self::Read, Self::Pii, Self::Voice, Self::Listen, Self::Operate, Self::Admin];

    /// Its name in `API_KEYS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Pii => "pii",
            Self::Voice => "voice",
            Self::Listen => "listen",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The names of all scopes, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Pii => 2,
            Self::Voice => 4,
            Self::Listen => 8,
            Self::Operate => 16,
            Self::Admin => 32,
        }
    }
}

/// The scopes of a key, as they were given.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// The scopes of these names.
    ///
    /// # Errors
    /// The first name that is no scope.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut scopes = Self::default();
        for name in names {
            scopes.0 |= Scope::from_name(name.trim()).ok_or(name)?.bit();
        }
        Ok(scopes)
    }

    /// Whether they allow this. `admin` includes every scope, and every scope includes `read`.
    #[must_use]
    pub fn allow(self, scope: Scope) -> bool {
        self.has(Scope::Admin) || self.has(scope) || (scope == Scope::Read && self.0 != 0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names, as they were given.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::name).collect()
    }

    fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("+"))
    }
}
