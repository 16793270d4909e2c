//! The options after the question mark: which are honoured, which are harmless, and that every other one is refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{
    ChannelBinding, LoadBalanceHosts, SslMode as WireSslMode, SslNegotiation, TargetSessionAttrs,
};

use super::parts::{Address, Parts, addresses, parse_port};
use super::{DatabaseUrl, DatabaseUrlError, RootCertificates, SslMode, socket_directory};

/// Tuning of other clients (asyncpg's statement cache, SQLAlchemy's pool, libpq's Kerberos): leaving it out changes
/// neither who is spoken to nor what is protected.
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

/// A peer that has gone without a word is noticed after about a minute, not after the kernel's two hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// What the options say before they are weighed against each other.
#[derive(Default)]
struct Said {
    hosts: Vec<Address>,
    ports: Vec<u16>,
    ssl_mode: Option<SslMode>,
    roots: Option<RootCertificates>,
}

/// Puts pieces and options together.
pub(super) fn read(mut parts: Parts) -> Result<DatabaseUrl, DatabaseUrlError> {
    let mut config = Config::new();
    config
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(UNACKNOWLEDGED);
    let mut url = DatabaseUrl {
        config,
        ssl_mode: SslMode::Prefer,
        roots: RootCertificates::System,
        connect_timeout: None,
        statement_timeout: None,
        session: Vec::new(),
        ignored: Vec::new(),
    };
    let mut said = Said::default();
    for (name, value) in std::mem::take(&mut parts.options) {
        honour(&mut url, &mut parts, &mut said, &name, &value)?;
    }
    if let Some(user) = &parts.user {
        url.config.user(user);
    }
    if let Some(password) = &parts.password {
        url.config.password(password);
    }
    if let Some(database) = &parts.database {
        url.config.dbname(database);
    }
    let only_sockets = set_hosts(&mut url.config, &parts, &said)?;
    set_tls(&mut url, said, only_sockets)?;
    Ok(url)
}

fn honour(
    url: &mut DatabaseUrl,
    parts: &mut Parts,
    said: &mut Said,
    name: &str,
    value: &str,
) -> Result<(), DatabaseUrlError> {
    let config = &mut url.config;
    match name {
        "user" => parts.user = Some(value.to_owned()),
        "password" => parts.password = Some(value.to_owned()),
        "dbname" | "database" => parts.database = Some(value.to_owned()),
        // SQLAlchemy repeats the option, libpq separates by commas.
        "host" => said.hosts.extend(addresses(value)?),
        "port" => {
            for port in value.split(',').filter(|port| !port.is_empty()) {
                said.ports.push(parse_port(port)?);
            }
        }
        "sslmode" | "ssl" => said.ssl_mode = Some(ssl_mode(value)?),
        "sslrootcert" => {
            said.roots = Some(match value {
                "system" => RootCertificates::System,
                path => RootCertificates::File(PathBuf::from(path)),
            });
        }
        "sslnegotiation" => {
            config.ssl_negotiation(match value {
                "postgres" => SslNegotiation::Postgres,
                "direct" => SslNegotiation::Direct,
                _ => return Err(expected("sslnegotiation", "postgres or direct")),
            });
        }
        "connect_timeout" => url.connect_timeout = seconds("connect_timeout", value)?,
        "timeout" => url.connect_timeout = seconds("timeout", value)?,
        "command_timeout" => url.statement_timeout = seconds("command_timeout", value)?,
        "application_name" => {
            config.application_name(value);
        }
        "options" => {
            config.options(value);
        }
        "server_settings" => {
            let settings: BTreeMap<String, String> = serde_json::from_str(value)
                .map_err(|_| expected("server_settings", "a JSON object of texts, as {\"jit\": \"off\"}"))?;
            for (name, value) in settings {
                session_setting(url, name, value)?;
            }
        }
        "target_session_attrs" => {
            config.target_session_attrs(match value {
                "any" => TargetSessionAttrs::Any,
                "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                "read-only" => TargetSessionAttrs::ReadOnly,
                _ => return Err(expected("target_session_attrs", "any, read-write, primary or read-only")),
            });
        }
        "channel_binding" => {
            config.channel_binding(match value {
                "disable" => ChannelBinding::Disable,
                "prefer" => ChannelBinding::Prefer,
                "require" => ChannelBinding::Require,
                _ => return Err(expected("channel_binding", "disable, prefer or require")),
            });
        }
        "load_balance_hosts" => {
            config.load_balance_hosts(match value {
                "disable" => LoadBalanceHosts::Disable,
                "random" => LoadBalanceHosts::Random,
                _ => return Err(expected("load_balance_hosts", "disable or random")),
            });
        }
        "keepalives" => {
            config.keepalives(whole("keepalives", value)? != 0);
        }
        "keepalives_idle" => {
            config.keepalives_idle(Duration::from_secs(whole("keepalives_idle", value)?.into()));
        }
        "keepalives_interval" => {
            config.keepalives_interval(Duration::from_secs(whole("keepalives_interval", value)?.into()));
        }
        "keepalives_count" => {
            config.keepalives_retries(whole("keepalives_count", value)?);
        }
        // libpq counts these in milliseconds.
        "tcp_user_timeout" => {
            config.tcp_user_timeout(Duration::from_millis(whole("tcp_user_timeout", value)?.into()));
        }
        "client_encoding" if matches!(&*value.to_ascii_lowercase(), "utf8" | "utf-8" | "auto") => {}
        "client_encoding" => return Err(expected("client_encoding", "utf8")),
        "gssencmode" if matches!(value, "disable" | "prefer") => url.ignored.push(name.to_owned()),
        name if HARMLESS.contains(&name) => url.ignored.push(name.to_owned()),
        name => return Err(DatabaseUrlError::UnknownOption(printable(name, value))),
    }
    Ok(())
}

/// Returns whether nothing but sockets is named, on which PostgreSQL speaks no TLS.
fn set_hosts(config: &mut Config, parts: &Parts, said: &Said) -> Result<bool, DatabaseUrlError> {
    let addresses = if said.hosts.is_empty() { &parts.addresses } else { &said.hosts };
    if addresses.is_empty() {
        return Err(DatabaseUrlError::NoHost);
    }
    if said.ports.len() > 1 && said.ports.len() != addresses.len() {
        return Err(expected("port", "one for all hosts, or one for each"));
    }
    let mut only_sockets = true;
    for (index, address) in addresses.iter().enumerate() {
        let (socket, in_its_name) = socket_directory(&address.host);
        if address.host.starts_with('/') {
            config.host_path(socket);
        } else {
            config.host(&address.host);
            only_sockets = false;
        }
        let listed = said.ports.get(index).or(said.ports.first()).copied();
        config.port(address.port.or(in_its_name).or(listed).unwrap_or(5432));
    }
    Ok(only_sockets)
}

fn set_tls(url: &mut DatabaseUrl, said: Said, only_sockets: bool) -> Result<(), DatabaseUrlError> {
    url.ssl_mode = match (said.ssl_mode, &said.roots) {
        _ if only_sockets => SslMode::Disable,
        (Some(SslMode::Disable), _) => SslMode::Disable,
        // All the world's CAs prove nothing without the name. So libpq.
        (Some(SslMode::VerifyFull) | None, Some(RootCertificates::System)) => SslMode::VerifyFull,
        (Some(_), Some(RootCertificates::System)) => {
            return Err(expected("sslmode", "verify-full when sslrootcert is system"));
        }
        // Whoever names a root certificate wants it looked at. So libpq.
        (Some(SslMode::Prefer | SslMode::Require) | None, Some(RootCertificates::File(_))) => {
            SslMode::VerifyCa
        }
        (mode, _) => mode.unwrap_or(SslMode::Prefer),
    };
    url.roots = said.roots.unwrap_or(RootCertificates::System);
    url.config.ssl_mode(match url.ssl_mode {
        SslMode::Disable => WireSslMode::Disable,
        SslMode::Prefer => WireSslMode::Prefer,
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => WireSslMode::Require,
    });
    if url.negotiates_directly() && matches!(url.ssl_mode, SslMode::Disable | SslMode::Prefer) {
        return Err(expected("sslmode", "require or stronger when sslnegotiation is direct"));
    }
    Ok(())
}

fn session_setting(url: &mut DatabaseUrl, name: String, value: String) -> Result<(), DatabaseUrlError> {
    let a_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    if name.is_empty() || !name.chars().all(a_word) || value.contains('\0') {
        return Err(expected("server_settings", "a JSON object whose names are names of settings"));
    }
    if name == "application_name" {
        url.config.application_name(value);
        return Ok(());
    }
    url.session.push((name, value));
    Ok(())
}

/// asyncpg spells `ssl`, libpq `sslmode`; `ssl=true` means `require` to libpq too.
fn ssl_mode(value: &str) -> Result<SslMode, DatabaseUrlError> {
    match &*value.to_ascii_lowercase() {
        "disable" | "false" | "off" | "0" => Ok(SslMode::Disable),
        // `allow` tries without TLS first. We try with it first, which is no less.
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "true" | "on" | "1" => Ok(SslMode::Require),
        "verify-ca" | "verify_ca" => Ok(SslMode::VerifyCa),
        "verify-full" | "verify_full" => Ok(SslMode::VerifyFull),
        _ => Err(expected("sslmode", "disable, allow, prefer, require, verify-ca or verify-full")),
    }
}

/// Seconds, also in fractions; 0 or nothing is no word on the matter, so our own limit holds. A day at most.
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
    // PostgreSQL counts in milliseconds and takes 0 for no limit at all.
    Ok((number > 0.0).then(|| span.max(Duration::from_millis(1))))
}

fn whole(option: &'static str, value: &str) -> Result<u32, DatabaseUrlError> {
    value.parse().map_err(|_| expected(option, "a whole number"))
}

fn expected(option: &'static str, expected: &'static str) -> DatabaseUrlError {
    DatabaseUrlError::Value { option, expected }
}

/// What is no name, or has no value, may be the rest of a password with a question mark in it.
fn printable(name: &str, value: &str) -> String {
    let a_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    if !value.is_empty() && name.len() <= 40 && !name.is_empty() && name.chars().all(a_name) {
        return name.to_owned();
    }
    "with an unprintable name (is there an unescaped ? or & in the password?)".to_owned()
}
