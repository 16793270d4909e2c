//! Text of operators and proxies: `.env`, the database's URL, `X-Forwarded-For`.

use std::net::IpAddr;

use ipnet::IpNet;
use precall::config::{Config, find, parse_dotenv};
use precall::parsers;
use precall_store::connect::DatabaseUrl;

use super::choice;

/// Stands in secrets of the corpus: no text for people may show it.
const SECRET: &str = "hunter2hunter2";
const PROXIES: [&str; 3] = ["10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.1"];
const PEERS: [&str; 4] = ["10.0.0.1", "2001:db8::1", "::ffff:192.0.2.1", "198.51.100.9"];

/// Only a trusted proxy is believed, and nobody who writes to the left of a true client changes who that is.
pub(crate) fn forwarded(input: &[u8]) {
    let Some((choice, header)) = choice(input) else { return };
    let Ok(header) = std::str::from_utf8(header) else { return };
    let peer: IpAddr = PEERS[usize::from(choice) % PEERS.len()].parse().unwrap();
    let client = |peer, header: &str| parsers::forwarded(peer, Some(header), &PROXIES).unwrap();
    let found = client(peer, header);
    assert_eq!(found, found.to_canonical());
    if !is_proxy(peer) {
        return assert_eq!(found, peer.to_canonical(), "a stranger is believed");
    }
    if !is_proxy(found) {
        assert!(header.split(',').any(|entry| names(entry, found)), "{found} is not in the header");
        for forged in ["203.0.113.1,", "10.0.0.9,", "x,"] {
            assert_eq!(client(peer, &format!("{forged}{header}")), found, "after {forged}");
        }
    }
    let last: IpAddr = "203.0.113.77".parse().unwrap();
    assert_eq!(client(peer, &format!("{header}, {last}")), last);
    assert_eq!(client(peer, &format!("{header}, nobody")), peer.to_canonical());
}

fn is_proxy(address: IpAddr) -> bool {
    let blocks = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"];
    blocks.iter().any(|block| block.parse::<IpNet>().unwrap().contains(&address.to_canonical()))
}

/// Whether an entry is this address, alone or with a port.
fn names(entry: &str, address: IpAddr) -> bool {
    let entry = entry.trim();
    let host = entry.rsplit_once(':').map_or(entry, |(host, _)| host);
    [entry, host].iter().any(|text| {
        let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        text.parse::<IpAddr>().is_ok_and(|found| found.to_canonical() == address)
    })
}

/// Values that repeat each other stay small, and no secret is shown.
pub(crate) fn dotenv(input: &[u8]) {
    let (mut set, problem) = parse_dotenv(".env", input);
    // At most the file and what its substitutions may add.
    assert!(set.values().map(String::len).sum::<usize>() <= input.len() + 8 * 1024 * 1024);
    if let Some(problem) = problem {
        let shown = format!("{}{}", problem.wrong, problem.right);
        let is_a_name = set.keys().any(|name| name.contains(SECRET));
        assert!(is_a_name || !shown.contains(SECRET), "{shown}");
    }
    // Secrets in files are not part of this text.
    set.retain(|name, _| !name.ends_with("_FILE"));
    let is_secret = |name: &str| find(name).is_some_and(precall::config::Variable::is_secret);
    let is_elsewhere =
        set.iter().any(|(name, value)| name.contains(SECRET) || (value.contains(SECRET) && !is_secret(name)));
    let shown = match Config::from_map(&set) {
        Ok(config) => [&*config.show(), &config.notices().concat(), &config.warnings().concat()].concat(),
        Err(error) => error.to_string(),
    };
    assert!(is_elsewhere || !shown.contains(SECRET), "{shown}");
}

/// A URL that is taken prints, and never its password.
pub(crate) fn database_url(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(url) = text.parse::<DatabaseUrl>() {
        let _shown = (url.to_string(), format!("{url:?}"), url.ignored().len());
    }
    let (user, rest) = text.split_once('\n').unwrap_or(("precall", text));
    let is_plain = user.chars().all(|letter| !matches!(letter, '/' | '?' | '#' | '@'));
    if !is_plain || text.contains(SECRET) {
        return;
    }
    let with_password = format!("postgresql://{user}:{SECRET}@{rest}").parse::<DatabaseUrl>();
    let shown = match &with_password {
        Ok(url) => format!("{url} {url:?} {:?}", url.ignored()),
        Err(error) => error.to_string(),
    };
    assert!(!shown.contains(SECRET), "{shown}");
}
