//! `DATABASE_URL` as people have it: libpq's form, or the one that the service before us used
//! (`postgresql+asyncpg://` and its options), brought to what tokio-postgres and rustls understand.

use std::path::PathBuf;
use std::str::FromStr;

use url::form_urlencoded;

use super::secret::Secret;
use super::value::{Complaint, FromText};

/// How the connection is protected; libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS when the server offers it.
    Prefer,
    /// TLS always; the certificate is not checked unless `sslrootcert` is given.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and for this host name.
    VerifyFull,
}

crate::config::value::words!(SslMode, "disable, prefer, require, verify-ca or verify-full",
    "disable" | "false" => SslMode::Disable,
    // `allow` would try without TLS first; with TLS first is never worse.
    "prefer" | "allow" => SslMode::Prefer,
    "require" | "true" => SslMode::Require,
    "verify-ca" => SslMode::VerifyCa,
    "verify-full" => SslMode::VerifyFull,
);

/// A database address, split into what each library understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// For `tokio_postgres::Config`, which accepts it; without the options below. Holds the password.
    pub address: Secret,
    /// `sslmode` (asyncpg: `ssl`).
    pub ssl_mode: SslMode,
    /// `sslrootcert`: a file of authorities to trust besides the system's.
    pub ssl_root_cert: Option<PathBuf>,
    /// Options of the Python driver that mean nothing here.
    pub ignored: Vec<String>,
}

impl DatabaseUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not quote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("is not an address")?;
        let (kind, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        let known_driver = matches!(driver, "" | "asyncpg" | "psycopg" | "psycopg2");
        if !matches!(kind, "postgresql" | "postgres") || !known_driver {
            return Err("is not a postgresql:// address".to_owned());
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut read = Self {
            address: Secret::new(""),
            ssl_mode: SslMode::Prefer,
            ssl_root_cert: None,
            ignored: Vec::new(),
        };
        let mut kept = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            read.take_option(&name, &value, &mut kept)?;
        }
        let mut address = format!("postgresql://{place}");
        for (index, (name, value)) in kept.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(&format!("{name}={}", percent_encoded(value)));
        }
        let config =
            tokio_postgres::Config::from_str(&address).map_err(|_| "is not a valid PostgreSQL address")?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("names no host".to_owned());
        }
        read.address = Secret::new(address);
        Ok(read)
    }

    fn take_option(
        &mut self,
        name: &str,
        value: &str,
        kept: &mut Vec<(String, String)>,
    ) -> Result<(), String> {
        match name {
            "sslmode" | "ssl" => {
                self.ssl_mode = SslMode::from_text(value)
                    .map_err(|Complaint { right, .. }| format!("has an unknown {name} (there is {right})"))?;
            }
            "sslrootcert" => {
                self.ssl_root_cert = (value != "system").then(|| PathBuf::from(value));
            }
            "timeout" => kept.push(("connect_timeout".to_owned(), value.to_owned())),
            "database" => kept.push(("dbname".to_owned(), value.to_owned())),
            "application_name"
            | "options"
            | "host"
            | "hostaddr"
            | "port"
            | "user"
            | "password"
            | "dbname"
            | "connect_timeout"
            | "tcp_user_timeout"
            | "keepalives"
            | "keepalives_idle"
            | "keepalives_interval"
            | "keepalives_retries"
            | "target_session_attrs"
            | "channel_binding"
            | "load_balance_hosts" => {
                kept.push((name.to_owned(), value.to_owned()));
            }
            "statement_cache_size"
            | "prepared_statement_cache_size"
            | "prepared_statement_name_func"
            | "max_cached_statement_lifetime"
            | "max_cacheable_statement_size"
            | "command_timeout"
            | "direct_tls"
            | "async_fallback" => self.ignored.push(name.to_owned()),
            _ => {
                // A password with an unescaped `?` ends up here; only a plain word can be quoted safely.
                let is_word = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let quoted = if is_word {
                    format!("the unknown option `{name}`")
                } else {
                    "an unknown option".to_owned()
                };
                return Err(format!("has {quoted}"));
            }
        }
        Ok(())
    }
}

/// tokio-postgres decodes `%XX` and takes `+` literally, so form encoding would not do.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b',' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
    use std::str::FromStr;

    use tokio_postgres::config::Host;

    use super::{DatabaseUrl, SslMode};

    fn config(text: &str) -> tokio_postgres::Config {
        let url = DatabaseUrl::parse(text).unwrap();
        tokio_postgres::Config::from_str(url.address.expose()).unwrap()
    }

    #[test]
    fn the_python_driver_s_form_is_understood() {
        let text = "postgresql+asyncpg://app:p%40ss@db.example.com:5433/calls?ssl=require&timeout=10&prepared_statement_cache_size=0";
        let url = DatabaseUrl::parse(text).unwrap();
        assert_eq!(url.ssl_mode, SslMode::Require);
        assert_eq!(url.ignored, ["prepared_statement_cache_size"]);
        let config = config(text);
        assert_eq!(config.get_user(), Some("app"));
        assert_eq!(config.get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example.com".to_owned())]);
        assert_eq!(config.get_ports(), [5433]);
        assert_eq!(config.get_dbname(), Some("calls"));
        assert_eq!(config.get_connect_timeout().map(|t| t.as_secs()), Some(10));
    }

    #[test]
    fn every_sslmode_is_split_off() {
        for (text, mode) in [
            ("", SslMode::Prefer),
            ("?sslmode=disable", SslMode::Disable),
            ("?sslmode=verify-ca", SslMode::VerifyCa),
            ("?sslmode=verify-full&sslrootcert=/etc/ca.pem", SslMode::VerifyFull),
        ] {
            let url = DatabaseUrl::parse(&format!("postgres://u@h/d{text}")).unwrap();
            assert_eq!(url.ssl_mode, mode);
            assert!(!url.address.expose().contains("ssl"));
        }
    }

    #[test]
    fn sockets_and_options_survive() {
        let config =
            config("postgresql://postgres@%2Frun%2Fpg:5432/db?application_name=a%20b%2Bc&options=-c%20x%3D1");
        assert_eq!(config.get_hosts(), [Host::Unix("/run/pg".into())]);
        assert_eq!(config.get_application_name(), Some("a b+c"));
        assert_eq!(config.get_options(), Some("-c x=1"));
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        for text in [
            "hunter2",
            "mysql://u:hunter2@h/d",
            "postgresql+pg8000://u:hunter2@h/d",
            "postgresql://u:hunter2@h:port/d",
            "postgresql:///d",
            "postgresql://u:hunter2@h/d?sslmode=hunter2",
            "postgresql://u:x?Hunter2hunter2@h/d",
            "postgresql://u:hunter2@h/d?connect_timeout=soon",
        ] {
            let wrong = DatabaseUrl::parse(text).unwrap_err();
            assert!(!wrong.to_lowercase().contains("hunter2"), "{text}: {wrong}");
        }
        assert!(DatabaseUrl::parse("postgres://u@h/d?sslmod=x").unwrap_err().contains("`sslmod`"));
        assert!(
            !format!("{:?}", DatabaseUrl::parse("postgres://u:hunter2@h/d").unwrap()).contains("hunter2")
        );
    }
}
