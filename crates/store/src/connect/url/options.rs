//! The options after the question mark. Each one is honoured, known to be harmless, or refused.
//!
//! tokio_postgres's own parser reads every option that it has (`CLIENT_OPTIONS`). The rest stands here because the
//! parser refuses it: options of asyncpg and SQLAlchemy, the TLS modes and root certificates of libpq, and ports in
//! `host`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::parts::{Address, Parts, addresses, parse_port};
use super::{DatabaseUrl, DatabaseUrlError, RootCertificates, SslMode};

/// Options that tokio_postgres reads: our name, its name, the values it accepts.
const CLIENT_OPTIONS: [(&str, &str, &str); 14] = [
    ("user", "user", "a name"),
    ("password", "password", "a text"),
    ("dbname", "dbname", "a name"),
    ("database", "dbname", "a name"),
    ("application_name", "application_name", "a text"),
    ("options", "options", "a text"),
    ("sslnegotiation", "sslnegotiation", "postgres or direct"),
    ("target_session_attrs", "target_session_attrs", "any, read-write, primary or read-only"),
    ("channel_binding", "channel_binding", "disable, prefer or require"),
    ("load_balance_hosts", "load_balance_hosts", "disable or random"),
    ("keepalives", "keepalives", "a whole number"),
    ("keepalives_idle", "keepalives_idle", "a whole number"),
    ("keepalives_interval", "keepalives_interval", "a whole number"),
    ("keepalives_count", "keepalives_retries", "a whole number"),
];

/// Tuning of other clients: asyncpg's statement cache, SQLAlchemy's pool, libpq's Kerberos. Without them precall
/// connects to the same server and protects the same data.
const HARMLESS: [&str; 17] = [
    "async_fallback",
    "gsslib",
    "krbsrvname",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "max_overflow",
    "pool_pre_ping",
    "pool_recycle",
    "pool_size",
    "pool_timeout",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "sslcertmode",
    "sslcompression",
    "sslsni",
    "statement_cache_size",
    "fallback_application_name",
];

/// precall notices a dead link after about ten seconds, not after the kernel's two hours. Seconds.
const KEEPALIVES: &str = "keepalives_idle=5 keepalives_interval=2 keepalives_retries=3";
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A URL while its options are read.
struct Reader {
    url: DatabaseUrl,
    /// What `url.config` was parsed from: `name='value'`, as tokio_postgres writes it.
    settings: String,
    hosts: Vec<Address>,
    ports: Vec<u16>,
    ssl_mode: Option<SslMode>,
    roots: Option<RootCertificates>,
    unacknowledged: Duration,
}

/// Combines the pieces of the URL with its options. Where both name a thing, the option wins.
pub(crate) fn read(parts: Parts) -> Result<DatabaseUrl, DatabaseUrlError> {
    let mut reader = Reader {
        url: DatabaseUrl {
            config: Config::new(),
            ssl_mode: SslMode::Prefer,
            roots: RootCertificates::System,
            connect_timeout: None,
            statement_timeout: None,
            session: Vec::new(),
            ignored: Vec::new(),
        },
        settings: KEEPALIVES.to_owned(),
        hosts: Vec::new(),
        ports: Vec::new(),
        ssl_mode: None,
        roots: None,
        unacknowledged: UNACKNOWLEDGED,
    };
    let pieces = [("user", parts.user), ("password", parts.password), ("dbname", parts.database)];
    for (name, value) in pieces {
        value.map_or(Ok(()), |value| reader.option(name, &value))?;
    }
    for (name, value) in parts.options {
        reader.option(&name, &value)?;
    }
    if reader.hosts.is_empty() {
        reader.hosts = parts.addresses;
    }
    reader.set_hosts()?;
    reader.set_tls()?;
    reader.url.config.tcp_user_timeout(reader.unacknowledged);
    Ok(reader.url)
}

impl Reader {
    fn option(&mut self, name: &str, value: &str) -> Result<(), DatabaseUrlError> {
        if let Some((option, its_name, accepted)) = CLIENT_OPTIONS.iter().find(|(option, ..)| *option == name)
        {
            // libpq has two words for it, tokio_postgres one.
            let is_primary = (name, value) == ("target_session_attrs", "primary");
            return self.set(option, its_name, if is_primary { "read-write" } else { value }, accepted);
        }
        match name {
            // SQLAlchemy repeats the option, libpq separates by commas.
            "host" => self.hosts.extend(addresses(value)?),
            "port" => {
                for port in value.split(',').filter(|port| !port.is_empty()) {
                    self.ports.push(parse_port(port)?);
                }
            }
            "sslmode" | "ssl" => self.ssl_mode = Some(ssl_mode(value)?),
            "sslrootcert" => {
                self.roots = Some(match value {
                    "system" => RootCertificates::System,
                    path => RootCertificates::File(PathBuf::from(path)),
                });
            }
            "connect_timeout" => self.url.connect_timeout = seconds("connect_timeout", value)?,
            "timeout" => self.url.connect_timeout = seconds("timeout", value)?,
            "command_timeout" => self.url.statement_timeout = seconds("command_timeout", value)?,
            // libpq counts in milliseconds, tokio_postgres's parser in seconds.
            "tcp_user_timeout" => {
                let millis: u32 =
                    value.parse().map_err(|_| expected("tcp_user_timeout", "a whole number"))?;
                self.unacknowledged = Duration::from_millis(millis.into());
            }
            "server_settings" => {
                let settings: BTreeMap<String, String> = serde_json::from_str(value).map_err(|_| {
                    expected("server_settings", "a JSON object of texts, as {\"jit\": \"off\"}")
                })?;
                for (name, value) in settings {
                    self.server_setting(name, value)?;
                }
            }
            "client_encoding" if matches!(&*value.to_ascii_lowercase(), "utf8" | "utf-8" | "auto") => {}
            "client_encoding" => return Err(expected("client_encoding", "utf8")),
            "gssencmode" if matches!(value, "disable" | "prefer") => self.url.ignored.push(name.to_owned()),
            name if HARMLESS.contains(&name) => self.url.ignored.push(name.to_owned()),
            name => return Err(DatabaseUrlError::UnknownOption(printable(name, value))),
        }
        Ok(())
    }

    /// Has tokio_postgres read a setting. `option` is its name in errors, `accepted` the values that it may have.
    fn set(
        &mut self,
        option: &'static str,
        name: &str,
        value: &str,
        accepted: &'static str,
    ) -> Result<(), DatabaseUrlError> {
        let escaped = value.replace('\\', r"\\").replace('\'', r"\'");
        self.settings.push_str(&format!(" {name}='{escaped}'"));
        self.url.config = self.settings.parse().map_err(|_| expected(option, accepted))?;
        Ok(())
    }

    fn server_setting(&mut self, name: String, value: String) -> Result<(), DatabaseUrlError> {
        let a_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
        if name.is_empty() || !name.chars().all(a_word) || value.contains('\0') {
            return Err(expected("server_settings", "a JSON object whose names are names of settings"));
        }
        if name == "application_name" {
            return self.option(&name, &value);
        }
        self.url.session.push((name, value));
        Ok(())
    }

    fn set_hosts(&mut self) -> Result<(), DatabaseUrlError> {
        if self.hosts.is_empty() {
            return Err(DatabaseUrlError::NoHost);
        }
        if self.ports.len() > 1 && self.ports.len() != self.hosts.len() {
            return Err(expected("port", "one for all hosts, or one for each"));
        }
        let listed = |index| self.ports.get(index).or(self.ports.first()).copied();
        let port = |(index, host): (usize, &Address)| host.port.or(listed(index)).unwrap_or(5432).to_string();
        let ports: Vec<String> = self.hosts.iter().enumerate().map(port).collect();
        let hosts: Vec<&str> = self.hosts.iter().map(|host| &*host.host).collect();
        let (hosts, ports) = (hosts.join(","), ports.join(","));
        self.set("host", "host", &hosts, "a list of hosts")?;
        self.set("port", "port", &ports, "a list of ports")
    }

    /// The rules of libpq for `sslmode` and `sslrootcert` together.
    fn set_tls(&mut self) -> Result<(), DatabaseUrlError> {
        let only_sockets = self.url.config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        self.url.ssl_mode = match (self.ssl_mode, &self.roots) {
            // PostgreSQL has no TLS on sockets.
            _ if only_sockets => SslMode::Disable,
            (Some(SslMode::Disable), _) => SslMode::Disable,
            // A certificate of a public CA proves nothing without the name in it.
            (Some(SslMode::VerifyFull) | None, Some(RootCertificates::System)) => SslMode::VerifyFull,
            (Some(_), Some(RootCertificates::System)) => {
                return Err(expected("sslmode", "verify-full when sslrootcert is system"));
            }
            // An operator who names a root certificate wants it checked.
            (Some(SslMode::Prefer | SslMode::Require) | None, Some(RootCertificates::File(_))) => {
                SslMode::VerifyCa
            }
            (mode, _) => mode.unwrap_or(SslMode::Prefer),
        };
        self.url.roots = self.roots.take().unwrap_or(RootCertificates::System);
        let (mode, is_certain) = match self.url.ssl_mode {
            SslMode::Disable => ("disable", false),
            SslMode::Prefer => ("prefer", false),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => ("require", true),
        };
        self.set("sslmode", "sslmode", mode, "a TLS mode")?;
        if self.url.negotiates_directly() && !is_certain {
            return Err(expected("sslmode", "require or stronger when sslnegotiation is direct"));
        }
        Ok(())
    }
}

/// asyncpg calls the option `ssl`, libpq `sslmode`. `ssl=true` means `require` to libpq too.
fn ssl_mode(value: &str) -> Result<SslMode, DatabaseUrlError> {
    match &*value.to_ascii_lowercase() {
        "disable" | "false" | "off" | "0" => Ok(SslMode::Disable),
        // libpq tries without TLS first for `allow`. precall tries with TLS first, which protects no less.
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "true" | "on" | "1" => Ok(SslMode::Require),
        "verify-ca" | "verify_ca" => Ok(SslMode::VerifyCa),
        "verify-full" | "verify_full" => Ok(SslMode::VerifyFull),
        _ => Err(expected("sslmode", "disable, allow, prefer, require, verify-ca or verify-full")),
    }
}

/// Seconds, fractions allowed, at most a day. 0 or nothing sets no limit, so that precall's own limit holds.
fn seconds(option: &'static str, value: &str) -> Result<Option<Duration>, DatabaseUrlError> {
    const DAY_SECONDS: f64 = 86_400.0;
    if value.is_empty() || value.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let number: f64 = value.parse().map_err(|_| expected(option, "a number of seconds"))?;
    if !(0.0..=DAY_SECONDS).contains(&number) {
        return Err(expected(option, "a number of seconds, 86400 at most"));
    }
    let span = Duration::try_from_secs_f64(number).map_err(|_| expected(option, "a number of seconds"))?;
    // PostgreSQL counts in milliseconds, and 0 would be no limit at all.
    Ok((number > 0.0).then(|| span.max(Duration::from_millis(1))))
}

fn expected(option: &'static str, expected: &'static str) -> DatabaseUrlError {
    DatabaseUrlError::Value { option, expected }
}

/// A text that is no option name, or has no value, may be the rest of a password with a question mark in it.
fn printable(name: &str, value: &str) -> String {
    let a_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    if !value.is_empty() && name.len() <= 40 && !name.is_empty() && name.chars().all(a_name) {
        return name.to_owned();
    }
    "with an unprintable name (is there an unescaped ? or & in the password?)".to_owned()
}
