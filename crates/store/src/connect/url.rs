//! DATABASE_URL in the forms of libpq, asyncpg and SQLAlchemy. Each option is honoured, refused by name, or listed as
//! ignored.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslNegotiation};

use super::Limits;

mod options;
mod parts;

use parts::Parts;

/// What a connection demands of TLS, in libpq's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server supports it; the certificate is not checked. The default, as in libpq.
    Prefer,
    /// Always encrypted; the certificate is not checked.
    Require,
    /// A known CA must have issued the certificate, for any host.
    VerifyCa,
    /// A known CA must have issued the certificate for this host.
    VerifyFull,
}

/// The CAs that the two verifying modes trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootCertificates {
    /// The CAs that this host trusts.
    System,
    /// The CAs in this PEM file only, as in libpq.
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

/// Why DATABASE_URL is refused. No text quotes a value: it may be a misplaced password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is no URL of PostgreSQL.
    #[error("it must begin with postgresql://, postgres:// or postgresql+asyncpg://")]
    Scheme,
    /// It names no host.
    #[error(
        "it names no host; write postgresql://user:password@host:5432/database, or ?host=/directory/of/the/socket"
    )]
    NoHost,
    /// The port is no port. The usual cause is a special character in the password.
    #[error(
        "the port after the host is not a number from 1 to 65535; if the password has special characters, \
         percent-encode them (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F)"
    )]
    Port,
    /// A `%` without two hexadecimal digits, or bytes that are no UTF-8.
    #[error(
        "a % in it is not followed by two hexadecimal digits, or the bytes are not UTF-8; write %25 for a %"
    )]
    Encoding,
    /// precall does not support the option.
    #[error(
        "the option {0} is not supported; remove it, or see DATABASE_URL in .env.example for the supported ones"
    )]
    UnknownOption(String),
    /// The value of the option is wrong.
    #[error("the option {option} must be {expected}")]
    Value {
        /// The name of the option.
        option: &'static str,
        /// The values that it may have.
        expected: &'static str,
    },
}

impl DatabaseUrl {
    /// Known options that have no meaning for precall, such as `prepared_statement_cache_size`. The caller should warn.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The TLS mode by the rules of libpq: with a named root certificate, `require` verifies.
    #[must_use]
    pub(crate) fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    pub(crate) fn root_certificates(&self) -> &RootCertificates {
        &self.roots
    }

    pub(crate) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    pub(crate) fn negotiates_directly(&self) -> bool {
        self.config.get_ssl_negotiation() == SslNegotiation::Direct
    }

    /// The configuration of the client. What the URL says wins over `application` and `limits`.
    pub(crate) fn config(&self, application: &str, limits: Limits) -> Config {
        let mut config = self.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(application);
        }
        config.connect_timeout(self.connect_timeout.unwrap_or(limits.create));
        let timeout = self.statement_timeout.unwrap_or(limits.statement).as_millis();
        // precall reads the bounds of partitions, which PostgreSQL writes in the style of the session.
        let mut words =
            vec![option_word("datestyle", "ISO"), option_word("statement_timeout", &timeout.to_string())];
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

/// `-c name=value`, escaped as the server splits it: a backslash before white space keeps the word together.
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

#[cfg(test)]
mod tests;
