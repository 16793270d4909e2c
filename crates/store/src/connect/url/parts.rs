//! Splits a database URL into its pieces and decodes them.
//!
//! Neither the crate `url` nor the parser of tokio_postgres can: the first knows one host only, and both take the first
//! `@` or `/` in an unescaped password for its end. SQLAlchemy accepts such passwords, so existing settings have them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::DatabaseUrlError;

/// A host and the port written beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

/// No `Debug`: one of the pieces is the password.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) database: Option<String>,
    /// In order, names as written in the URL.
    pub(crate) options: Vec<(String, String)>,
}

impl Parts {
    /// Splits the URL.
    pub(crate) fn split(text: &str) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(DatabaseUrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        // After the plus, SQLAlchemy names the driver that it loads.
        let dialect = scheme.split('+').next().unwrap_or_default();
        if !matches!(dialect, "postgresql" | "postgres") {
            return Err(DatabaseUrlError::Scheme);
        }
        let (credentials, rest) = split_credentials(rest);
        let mut parts = Self::default();
        if let Some(credentials) = credentials {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            parts.user = Some(decode(user)?).filter(|user| !user.is_empty());
            parts.password = password.map(decode).transpose()?;
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        parts.addresses = addresses(hosts)?;
        parts.database = Some(decode(database)?).filter(|name| !name.is_empty());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parts.options.push((decode(name)?, decode(value)?));
        }
        Ok(parts)
    }
}

/// Decodes `a:1,[::1]:2,%2Fsocket%2Fdirectory`. A port follows the colon; a bare IPv6 address has none.
pub(crate) fn addresses(text: &str) -> Result<Vec<Address>, DatabaseUrlError> {
    let mut found = Vec::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (host, port) = match piece.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, after)) => (host, after.strip_prefix(':')),
            // A bare IPv6 address has colons of its own.
            None if piece.matches(':').count() > 1 => (piece, None),
            None => match piece.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (piece, None),
            },
        };
        let port = port.filter(|port| !port.is_empty()).map(parse_port).transpose()?;
        let (host, in_its_name) = socket_directory(decode(host)?);
        if host.is_empty() {
            return Err(DatabaseUrlError::NoHost);
        }
        found.push(Address { host, port: port.or(in_its_name) });
    }
    Ok(found)
}

/// asyncpg takes the path of the socket itself (`/run/.s.PGSQL.5432`) where libpq takes its directory.
fn socket_directory(host: String) -> (String, Option<u16>) {
    let socket = host.trim_end_matches('/').rsplit_once("/.s.PGSQL.");
    let Some((directory, port)) = socket.filter(|(directory, _)| directory.starts_with('/')) else {
        return (host, None);
    };
    match port.parse() {
        Ok(port) => (directory.to_owned(), Some(port)),
        Err(_) => (host, None),
    }
}

/// A port from 1 to 65535.
pub(crate) fn parse_port(text: &str) -> Result<u16, DatabaseUrlError> {
    text.parse().ok().filter(|port| *port > 0).ok_or(DatabaseUrlError::Port)
}

/// SQLAlchemy reads everything up to the `@` as the password, also `/` and `?`. libpq wants both encoded. libpq's
/// reading wins where it is possible.
fn split_credentials(rest: &str) -> (Option<&str>, &str) {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if let Some((credentials, _)) = authority.rsplit_once('@') {
        let after = rest.get(credentials.len().saturating_add(1)..).unwrap_or_default();
        return (Some(credentials), after);
    }
    let Some((before, after)) = rest.split_once('@') else { return (None, rest) };
    let in_the_query = before.contains('?');
    let plain_host = addresses(authority).is_ok();
    if !before.contains(':') || (in_the_query && plain_host) {
        return (None, rest);
    }
    (Some(before), after)
}

/// Stricter than the crate: it leaves a bare % as it is, but an operator who forgot to encode one should get an error.
fn decode(text: &str) -> Result<String, DatabaseUrlError> {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let decoded = percent_decode_str(text).decode_utf8().ok();
    // PostgreSQL ends a text at a zero byte, so a name with one would be cut short.
    decoded
        .filter(|decoded| text.split('%').skip(1).all(is_escape) && !decoded.contains('\0'))
        .map(Cow::into_owned)
        .ok_or(DatabaseUrlError::Encoding)
}
