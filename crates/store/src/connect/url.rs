//! DATABASE_URL, as libpq, asyncpg and SQLAlchemy write it. What it says is taken, refused by name, or listed as ignored.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslNegotiation};

use super::Limits;

mod options;
mod parts;

use parts::Parts;

/// How much a connection asks of TLS, as libpq has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can; the certificate is not checked. The default, as in libpq.
    Prefer,
    /// Encrypted or not at all; the certificate is not checked.
    Require,
    /// The certificate must come from a known CA, for whatever host.
    VerifyCa,
    /// The certificate must come from a known CA and be for this host.
    VerifyFull,
}

/// Whom the two verifying modes trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RootCertificates {
    /// The CAs that this host trusts.
    System,
    /// Those in this PEM file and no others, as in libpq.
    File(PathBuf),
}

/// A parsed DATABASE_URL. Neither `Debug` nor `Display` shows the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    ssl_mode: SslMode,
    roots: RootCertificates,
    connect_timeout: Option<Duration>,
    statement_timeout: Option<Duration>,
    session: Vec<(String, String)>,
    ignored: Vec<String>,
}

/// What is wrong with DATABASE_URL. No text quotes a value, which may be a misplaced password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another kind of URL.
    #[error("it must begin with postgresql://, postgres:// or postgresql+asyncpg://")]
    Scheme,
    /// Nowhere to connect to.
    #[error(
        "it names no host; write postgresql://user:password@host:5432/database, or ?host=/directory/of/the/socket"
    )]
    NoHost,
    /// A port that is none, most often a special character in the password.
    #[error(
        "the port after the host is not a number from 1 to 65535; if the password has special characters, \
         percent-encode them (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F)"
    )]
    Port,
    /// `%` without two hexadecimal digits, or bytes that are no text.
    #[error("a % in it is not followed by two hexadecimal digits that make sense; a % itself is written %25")]
    Encoding,
    /// An option that would not be honoured.
    #[error(
        "the option {0} is not supported; remove it, or see DATABASE_URL in .env.example for those that are"
    )]
    UnknownOption(String),
    /// An option with a value that it does not have.
    #[error("the option {option} must be {expected}")]
    Value {
        /// Its name.
        option: &'static str,
        /// What it may be.
        expected: &'static str,
    },
}

impl DatabaseUrl {
    /// Options that were understood and have no meaning here, such as `prepared_statement_cache_size`: worth a warning.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// What is asked of TLS, after the rules of libpq: a named root certificate makes `require` verify.
    #[must_use]
    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    pub(super) fn root_certificates(&self) -> &RootCertificates {
        &self.roots
    }

    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    pub(super) fn negotiates_directly(&self) -> bool {
        self.config.get_ssl_negotiation() == SslNegotiation::Direct
    }

    /// The client's configuration. The URL has the last word on whatever it speaks of.
    pub(super) fn config(&self, application: &str, limits: Limits) -> Config {
        let mut config = self.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(application);
        }
        config.connect_timeout(self.connect_timeout.unwrap_or(limits.create));
        let timeout = self.statement_timeout.unwrap_or(limits.statement).as_millis();
        let mut words = vec![option_word("statement_timeout", &timeout.to_string())];
        words.extend(self.session.iter().map(|(name, value)| option_word(name, value)));
        words.extend(self.config.get_options().map(str::to_owned));
        config.options(words.join(" "));
        config
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts::split(text.trim())?;
        options::read(parts)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "{comma}[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(dir) => write!(f, "{comma}{}:{port}", dir.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseUrl")
            .field("url", &self.to_string())
            .field("ssl_mode", &self.ssl_mode)
            .field("roots", &self.roots)
            .finish_non_exhaustive()
    }
}

/// `-c name=value` as the server splits it: a backslash keeps the next character together with the word.
fn option_word(name: &str, value: &str) -> String {
    let mut word = format!("-c {name}=");
    for letter in value.chars() {
        if letter.is_whitespace() || letter == '\\' {
            word.push('\\');
        }
        word.push(letter);
    }
    word
}

/// asyncpg takes the path of the socket itself where libpq takes its directory.
fn socket_directory(path: &str) -> (&Path, Option<u16>) {
    let path = Path::new(path);
    let port = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(".s.PGSQL."))
        .and_then(|port| port.parse().ok());
    match (port, path.parent()) {
        (Some(port), Some(directory)) => (directory, Some(port)),
        (_, _) => (path, None),
    }
}

#[cfg(test)]
mod tests;
