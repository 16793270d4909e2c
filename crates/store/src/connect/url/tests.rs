#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::net::IpAddr;

use super::*;

fn url(text: &str) -> DatabaseUrl {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<DatabaseUrl>().err().unwrap_or_else(|| panic!("{text} was taken")).to_string()
}

fn password(text: &str) -> String {
    String::from_utf8(url(text).config.get_password().unwrap_or_default().to_vec()).unwrap()
}

/// The configuration of the client.
fn config(text: &str) -> Config {
    url(text).config("precall", Limits::default())
}

#[test]
fn every_spelling_of_the_same_database_is_read() {
    for text in [
        "postgresql://app:secret@db.example:6432/calls",
        "postgres://app:secret@db.example:6432/calls",
        "postgresql+asyncpg://app:secret@db.example:6432/calls",
        "POSTGRESQL+psycopg2://app:secret@db.example:6432/calls",
        "postgresql://app:secret@/calls?host=db.example&port=6432",
        "postgresql+asyncpg://app:secret@/calls?host=db.example:6432",
        "postgresql://db.example:6432/?user=app&password=secret&dbname=calls",
        " postgresql://app:secret@db.example:6432/calls\n",
    ] {
        let read = url(text);
        assert_eq!(read.to_string(), "postgresql://app@db.example:6432/calls", "{text}");
        assert_eq!(password(text), "secret", "{text}");
    }
}

#[test]
fn sockets_by_directory_or_by_file() {
    for text in [
        "postgresql://app@%2Fvar%2Frun%2Fpostgresql:5433/calls?sslmode=require",
        "postgresql+asyncpg://app@/calls?host=/var/run/postgresql&port=5433",
        "postgresql+asyncpg://app@/calls?host=/var/run/postgresql/.s.PGSQL.5433",
    ] {
        let read = url(text);
        assert_eq!(read.config.get_hosts(), [Host::Unix("/var/run/postgresql".into())], "{text}");
        assert_eq!(read.config.get_ports(), [5433], "{text}");
        assert_eq!(read.ssl_mode(), SslMode::Disable, "a socket has no TLS, as in libpq: {text}");
    }
}

#[test]
fn several_hosts_and_addresses() {
    let read = config("postgresql://u@a:1,b,[::1]:3/db?target_session_attrs=read-write");
    let hosts = ["a", "b", "::1"].map(|name| Host::Tcp(name.to_owned()));
    assert_eq!((read.get_hosts(), read.get_ports()), (&hosts[..], &[1, 5432, 3][..]));
    let read = config("postgresql+asyncpg://u@/db?host=a:1&host=b:2");
    assert_eq!(read.get_ports(), [1, 2]);
    let read = config("postgresql://u@/db?host=a,b&port=7");
    assert_eq!(read.get_ports(), [7, 7]);
    let address: IpAddr = "::1".parse().unwrap();
    assert_eq!(config("postgresql://u@/db?host=::1").get_hosts(), [Host::Tcp(address.to_string())]);
    assert!(refusal("postgresql://u@a,b,c/db?port=1,2").contains("port must be"));
}

#[test]
fn passwords_with_special_characters_are_read() {
    for (text, expected) in [
        ("postgresql://u:p%40ss%2F%3F%23@h/db", "p@ss/?#"),
        ("postgresql://u:p@ss@h/db", "p@ss"),
        ("postgresql+asyncpg://u:p/a?b#c&d@h:5432/db?ssl=require", "p/a?b#c&d"),
        ("postgresql://u:12/3@h/db", "12/3"),
        ("postgresql://u:a+b@h/db", "a+b"),
        ("postgresql://u:a:b@h/db", "a:b"),
        ("postgresql://u:@h/db", ""),
        ("postgresql://h:5432/db?application_name=a@b", ""),
    ] {
        assert_eq!(password(text), expected, "{text}");
        assert_eq!(url(text).config.get_hosts(), [Host::Tcp("h".to_owned())], "{text}");
    }
}

#[test]
fn tls_modes_follow_libpq_and_asyncpg() {
    for (query, mode, roots) in [
        ("", SslMode::Prefer, None),
        ("?sslmode=disable", SslMode::Disable, None),
        ("?sslmode=allow", SslMode::Prefer, None),
        ("?ssl=require", SslMode::Require, None),
        ("?ssl=true", SslMode::Require, None),
        ("?sslmode=verify-ca", SslMode::VerifyCa, None),
        ("?sslmode=verify-full&sslrootcert=/ca.pem", SslMode::VerifyFull, Some("/ca.pem")),
        ("?sslmode=require&sslrootcert=/ca.pem", SslMode::VerifyCa, Some("/ca.pem")),
        ("?sslrootcert=/ca.pem", SslMode::VerifyCa, Some("/ca.pem")),
        ("?sslmode=disable&sslrootcert=/ca.pem", SslMode::Disable, Some("/ca.pem")),
        ("?sslrootcert=system", SslMode::VerifyFull, None),
        ("?ssl=verify-full", SslMode::VerifyFull, None),
    ] {
        let read = url(&format!("postgresql://u@h/db{query}"));
        assert_eq!(read.ssl_mode(), mode, "{query}");
        let expected = roots.map_or(RootCertificates::System, |path| RootCertificates::File(path.into()));
        assert_eq!(read.root_certificates(), &expected, "{query}");
    }
    assert!(refusal("postgresql://u@h/db?sslmode=requir").contains("sslmode must be disable"));
    assert!(refusal("postgresql://u@h/db?sslmode=require&sslrootcert=system").contains("verify-full when"));
    assert!(refusal("postgresql://u@h/db?sslnegotiation=direct").contains("require or stronger"));
}

#[test]
fn time_limits_and_settings_reach_the_server() {
    let read = config("postgresql+asyncpg://u@h/db");
    assert_eq!(read.get_options(), Some("-c datestyle=ISO -c statement_timeout=30000"));
    assert_eq!(read.get_application_name(), Some("precall"));
    assert_eq!(read.get_connect_timeout(), Some(&Duration::from_secs(5)));
    let read = config(
        "postgresql+asyncpg://u@h/db?command_timeout=2.5&timeout=7&application_name=a%20b\
         &server_settings=%7B%22search_path%22%3A%22a, b%22%7D&options=-c%20jit%3Doff",
    );
    assert_eq!(
        read.get_options(),
        Some("-c datestyle=ISO -c statement_timeout=2500 -c search_path=a,\\ b -c jit=off")
    );
    assert_eq!(read.get_application_name(), Some("a b"));
    assert_eq!(read.get_connect_timeout(), Some(&Duration::from_secs(7)));
    let unlimited = config("postgresql://u@h/db?connect_timeout=0&command_timeout=None");
    assert_eq!(
        unlimited.get_options(),
        Some("-c datestyle=ISO -c statement_timeout=30000"),
        "0 and None do not remove the limit"
    );
    for query in ["timeout=soon", "timeout=-1", "timeout=NaN", "command_timeout=1e300", "server_settings=x"] {
        assert!(refusal(&format!("postgresql://u@h/db?{query}")).contains("must be a"), "{query}");
    }
}

#[test]
fn unsupported_options_are_refused_by_name_or_listed() {
    for option in ["sslcert=/c.pem", "sslkey=/k.pem", "sslcrl=/c.crl", "service=x", "passfile=/p", "krb=1"] {
        let name = option.split('=').next().unwrap();
        assert!(
            refusal(&format!("postgresql://u@h/db?{option}")).contains(&format!("option {name} ")),
            "{option}"
        );
    }
    let read =
        url("postgresql+asyncpg://u@h/db?prepared_statement_cache_size=0&pool_size=5&gssencmode=disable");
    assert_eq!(read.ignored(), ["prepared_statement_cache_size", "pool_size", "gssencmode"]);
    assert!(refusal("postgresql://u@h/db?gssencmode=require").contains("option gssencmode "));
}

#[test]
fn no_output_shows_a_password() {
    let secret = "hunter";
    for text in [
        "postgresql://u:hunter2@h/db?sslmode=hunter2",
        "mysql://u:hunter2@h/db",
        "hunter2",
        "postgresql://u:hunter2@h:x/db",
        "postgresql://u:hunter2%zz@h/db",
        "postgresql://u:a?hunter2=b",
        "postgresql://u@h/db?hunter",
        "postgresql://u:hunter2",
        "postgresql://hunter2:99999/",
        "postgresql://u:x@h/db?password=hunter2&hunter2=1&port=hunter2",
        "postgresql://u:x@h/db?HUNTER2hunter2=1",
        "postgresql://",
        "postgresql:///db",
        "postgresql://:5432/db",
        "postgresql://u:hunter2@h/db",
        "postgresql://h/db?user=u&password=hunter2",
    ] {
        let shown = match text.parse::<DatabaseUrl>() {
            Ok(read) => format!("{read} {read:?} {:?}", read.config("precall", Limits::default())),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(secret), "{text} is shown as {shown}");
    }
}

#[test]
fn no_input_panics() {
    let pieces = [
        "postgresql://",
        "u",
        ":",
        "@",
        "/",
        "?",
        "%",
        "%4",
        "[",
        "]",
        ",",
        "=",
        "&",
        "host",
        "ß",
        "\0",
        "0",
    ];
    let mut seed: usize = 1;
    for _ in 0..20_000 {
        let mut text = "postgresql://".to_owned();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces.get((seed >> 33) % pieces.len()).unwrap());
        }
        let _either_way = text.parse::<DatabaseUrl>().map(|read| read.to_string());
    }
}
