//! `sslmode` against a real server with real certificates, made with `openssl`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};
use precall_embedded_postgres::{DataDir, EmbeddedError, EmbeddedPostgres};
use precall_store::connect;
use precall_store::connect::{ConnectError, DatabaseUrl, Limits};
use tempfile::TempDir;

use crate::support::{open_dir, options};

struct Server {
    port: u16,
    certificates: PathBuf,
    _postgres: EmbeddedPostgres,
    _dir: TempDir,
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts a server with the certificate that `make` puts into `server.crt` and `server.key`.
fn server(make: impl FnOnce(&Path)) -> Option<Server> {
    if Command::new("openssl").arg("version").output().is_err() {
        println!(
            "SKIPPED: there is no `openssl` on this machine to make certificates with; TLS IS NOT TESTED"
        );
        return None;
    }
    let dir = open_dir();
    make(dir.path());
    let key = dir.path().join("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    if Uid::effective().is_root() {
        let account =
            ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).unwrap()).unwrap();
        chown(&key, Some(account.uid.as_raw()), None).unwrap();
    }
    // Free now, and nobody else here takes a port by its number.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = options(DataDir::Temporary);
    for (name, value) in [
        ("ssl", "on"),
        ("ssl_cert_file", dir.path().join("server.crt").to_str().unwrap()),
        ("ssl_key_file", key.to_str().unwrap()),
        ("listen_addresses", "127.0.0.1"),
        ("port", &port.to_string()),
    ] {
        options.settings.push((name.to_owned(), value.to_owned()));
    }
    let postgres = match EmbeddedPostgres::start(&options) {
        Err(EmbeddedError::Ended { log, .. }) if log.contains("SSL is not supported by this build") => {
            println!("SKIPPED: this PostgreSQL was built without TLS; TLS IS NOT TESTED");
            return None;
        }
        started => started.unwrap(),
    };
    Some(Server { port, certificates: dir.path().to_owned(), _postgres: postgres, _dir: dir })
}

/// As the manual of PostgreSQL says: one command, one certificate that vouches for itself.
fn self_signed(dir: &Path) {
    let arguments = "req -new -x509 -days 2 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -out server.crt \
                     -keyout server.key -subj /CN=localhost -addext subjectAltName=DNS:localhost";
    openssl(dir, &arguments.split_whitespace().collect::<Vec<_>>());
}

/// A CA and a certificate from it, for localhost; `version 1` when no extensions are asked for.
fn from_a_ca(dir: &Path, extensions: Option<&str>) {
    let ca = "req -new -x509 -days 2 -nodes -newkey rsa:2048 -out ca.crt -keyout ca.key -subj /CN=ca";
    openssl(dir, &ca.split_whitespace().collect::<Vec<_>>());
    let request = "req -new -nodes -newkey rsa:2048 -out server.csr -keyout server.key -subj /CN=localhost";
    openssl(dir, &request.split_whitespace().collect::<Vec<_>>());
    let sign = "x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt";
    let mut sign: Vec<_> = sign.split_whitespace().collect();
    if let Some(extensions) = extensions {
        fs::write(dir.join("extensions"), extensions).unwrap();
        sign.extend(["-extfile", "extensions"]);
    }
    openssl(dir, &sign);
}

impl Server {
    /// Connects and says whether the server sees the connection as encrypted.
    async fn encrypted(&self, host: &str, query: &str) -> Result<bool, String> {
        let query = query.replace("DIR", self.certificates.to_str().unwrap());
        let text = format!("postgresql+asyncpg://postgres:unused@{host}:{}/postgres{query}", self.port);
        let url: DatabaseUrl = text.parse().unwrap();
        let pool = connect::pool(&url, "tls test", Limits::default()).map_err(|error| error.to_string())?;
        let statement = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        let dedicated = match connect::connect(&url, "tls test", Limits::default()).await {
            Ok(dedicated) => dedicated,
            Err(error @ ConnectError::Refused(_)) => {
                assert!(pool.get().await.is_err(), "the pool took what a single connection refuses");
                return Err(error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        };
        let alone: bool = dedicated.client.query_one(statement, &[]).await.unwrap().get(0);
        let pooled: bool = pool.get().await.unwrap().query_one(statement, &[]).await.unwrap().get(0);
        assert_eq!(alone, pooled);
        Ok(alone)
    }
}

fn refused_with(result: Result<bool, String>, text: &str) {
    let error = result.expect_err("it was taken");
    assert!(error.contains(text), "{error}");
    assert!(!error.contains("unused"), "the password is shown: {error}");
}

#[tokio::test]
async fn sslmode_with_a_self_signed_certificate() {
    let Some(server) = server(self_signed) else { return };
    assert_eq!(server.encrypted("localhost", "?sslmode=disable").await, Ok(false));
    for query in ["", "?sslmode=prefer", "?sslmode=require", "?ssl=require"] {
        assert_eq!(server.encrypted("localhost", query).await, Ok(true), "{query}");
    }
    for query in ["?sslmode=verify-ca", "?sslmode=verify-full"] {
        refused_with(server.encrypted("localhost", query).await, "sslrootcert=/path/to/server.crt");
    }
    for query in ["verify-ca", "verify-full", "require"] {
        let query = format!("?sslmode={query}&sslrootcert=DIR/server.crt");
        assert_eq!(server.encrypted("localhost", &query).await, Ok(true), "{query}");
    }
    let by_address = "?sslmode=verify-ca&sslrootcert=DIR/server.crt";
    assert_eq!(
        server.encrypted("127.0.0.1", by_address).await,
        Ok(true),
        "verify-ca does not look at the name"
    );
    let by_address = "?sslmode=verify-full&sslrootcert=DIR/server.crt";
    refused_with(server.encrypted("127.0.0.1", by_address).await, "for another host");
}

#[tokio::test]
async fn sslmode_with_a_certificate_from_a_ca() {
    let make = |dir: &Path| from_a_ca(dir, Some("subjectAltName=DNS:localhost"));
    let Some(server) = server(make) else { return };
    assert_eq!(server.encrypted("localhost", "?sslmode=verify-full&sslrootcert=DIR/ca.crt").await, Ok(true));
    assert_eq!(server.encrypted("127.0.0.1", "?sslmode=verify-ca&sslrootcert=DIR/ca.crt").await, Ok(true));
    refused_with(
        server.encrypted("127.0.0.1", "?sslmode=verify-full&sslrootcert=DIR/ca.crt").await,
        "for another host",
    );
    openssl(
        &server.certificates,
        &[
            "req",
            "-new",
            "-x509",
            "-nodes",
            "-newkey",
            "rsa:2048",
            "-out",
            "other.crt",
            "-keyout",
            "other.key",
            "-subj",
            "/CN=other",
        ],
    );
    refused_with(
        server.encrypted("localhost", "?sslmode=require&sslrootcert=DIR/other.crt").await,
        "its issuer is unknown here",
    );
    refused_with(
        server.encrypted("localhost", "?sslmode=verify-ca&sslrootcert=DIR/none.crt").await,
        "none.crt",
    );
    refused_with(
        server.encrypted("localhost", "?sslmode=verify-ca&sslrootcert=DIR/server.key").await,
        "no certificate in PEM form",
    );
}

#[tokio::test]
async fn a_version_1_certificate_encrypts_but_fails_verification() {
    let Some(server) = server(|dir| from_a_ca(dir, None)) else { return };
    assert_eq!(server.encrypted("localhost", "?sslmode=require").await, Ok(true));
    let verified = server.encrypted("localhost", "?sslmode=verify-ca&sslrootcert=DIR/ca.crt").await;
    // Newer releases of openssl add extensions, and with them version 3, unasked.
    if verified != Ok(true) {
        refused_with(verified, "X.509 version 3");
    }
}

#[tokio::test]
async fn sslmode_with_a_server_without_tls() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = options(DataDir::Temporary);
    options.settings.push(("listen_addresses".to_owned(), "127.0.0.1".to_owned()));
    options.settings.push(("port".to_owned(), port.to_string()));
    let postgres = EmbeddedPostgres::start(&options).unwrap();
    let dir = open_dir();
    let server = Server { port, certificates: dir.path().to_owned(), _postgres: postgres, _dir: dir };
    assert_eq!(server.encrypted("localhost", "?sslmode=prefer").await, Ok(false));
    refused_with(server.encrypted("localhost", "?sslmode=require").await, "server does not support TLS");
}
