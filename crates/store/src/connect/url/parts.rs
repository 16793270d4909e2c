//! The pieces of a database URL, decoded. Not a general URL: several hosts are allowed, and passwords come unescaped.

use super::DatabaseUrlError;

/// A host and the port written beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

/// No `Debug`: one of the pieces is the password.
#[derive(Clone, Default)]
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) addresses: Vec<Address>,
    pub(super) database: Option<String>,
    /// In order, names as written.
    pub(super) options: Vec<(String, String)>,
}

impl Parts {
    /// Takes `text` to pieces.
    pub(super) fn split(text: &str) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(DatabaseUrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        // What follows the plus is the driver that SQLAlchemy would load.
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

/// `a:1,[::1]:2,%2Fsocket%2Fdirectory`, each decoded; what follows the last colon outside brackets is a port.
pub(super) fn addresses(text: &str) -> Result<Vec<Address>, DatabaseUrlError> {
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
        let host = decode(host)?;
        if host.is_empty() {
            return Err(DatabaseUrlError::NoHost);
        }
        found.push(Address { host, port });
    }
    Ok(found)
}

/// A port from 1 to 65535.
pub(super) fn parse_port(text: &str) -> Result<u16, DatabaseUrlError> {
    text.parse().ok().filter(|port| *port > 0).ok_or(DatabaseUrlError::Port)
}

/// SQLAlchemy takes everything up to the `@` as the password, slashes and question marks too; libpq wants them encoded.
/// Both are served: the plain reading wins where it makes sense.
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

fn decode(text: &str) -> Result<String, DatabaseUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(DatabaseUrlError::Encoding) };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_impossible| DatabaseUrlError::Encoding)?);
    }
    // PostgreSQL ends a text at a zero byte, so a name with one would be cut short.
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or(DatabaseUrlError::Encoding)
}
