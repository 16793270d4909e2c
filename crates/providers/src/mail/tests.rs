//! Mails to a server on loopback, with and without TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::{MailAddress, Mailer, Protection, SmtpServer};
use crate::test_peers::smtp_stub::{Security, SmtpStub};
use crate::test_peers::tls_front::Identity;

const USER: &str = "precall";
const PASSWORD: &str = "p@ss word";
const WITHIN: Duration = Duration::from_secs(10);

fn server(port: u16, protection: Protection) -> SmtpServer {
    let login = Some((USER.to_owned(), PASSWORD.to_owned()));
    SmtpServer { host: "localhost".to_owned(), port, protection, login, ca_file: None }
}

fn mailer(server: &SmtpServer, within: Duration) -> Mailer {
    let to = ["oncall@example.com", "Boss <boss@example.com>"].map(|to| to.parse().unwrap()).to_vec();
    Mailer::new(server, "precall <precall@example.com>".parse().unwrap(), to, within).unwrap()
}

#[tokio::test]
async fn a_mail_reaches_every_receiver_under_tls() {
    let identity = Arc::new(Identity::of("localhost"));
    for (security, protection) in [
        (Security::Tls(Arc::clone(&identity)), Protection::Tls),
        (Security::StartTls(Arc::clone(&identity)), Protection::StartTls),
    ] {
        let stub = SmtpStub::start(security, Some((USER, PASSWORD)));
        let server =
            SmtpServer { ca_file: Some(identity.ca_file().to_owned()), ..server(stub.port, protection) };
        mailer(&server, WITHIN).probe().await.unwrap();
        assert_eq!(stub.mails(), [], "the probe sends nothing");
        mailer(&server, WITHIN)
            .send("3CX cannot be reached", "It is away.\n.\nLook.\n".to_owned())
            .await
            .unwrap();
        let mails = stub.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert!(mails[0].is_encrypted);
        assert_eq!(mails[0].from, "precall@example.com");
        assert_eq!(mails[0].to, ["oncall@example.com", "boss@example.com"]);
        for part in
            ["Subject: 3CX cannot be reached", "Auto-Submitted: auto-generated", "It is away.\n.\nLook."]
        {
            assert!(mails[0].data.contains(part), "{part}: {}", mails[0].data);
        }
    }
}

#[tokio::test]
async fn without_a_trusted_certificate_nothing_is_sent() {
    let identity = Arc::new(Identity::of("localhost"));
    let stub = SmtpStub::start(Security::StartTls(identity), Some((USER, PASSWORD)));
    let sent = mailer(&server(stub.port, Protection::StartTls), WITHIN).send("x", "y".to_owned()).await;
    assert!(sent.unwrap_err().to_string().contains("certificate"));
    assert_eq!(stub.mails(), []);
}

#[tokio::test]
async fn without_starttls_neither_password_nor_mail_is_sent() {
    let stub = SmtpStub::start(Security::Plain, Some((USER, PASSWORD)));
    let sent = mailer(&server(stub.port, Protection::StartTls), WITHIN).send("x", "y".to_owned()).await;
    sent.unwrap_err();
    assert_eq!(stub.mails(), []);
}

#[tokio::test]
async fn a_refused_login_is_said_without_the_password() {
    let stub = SmtpStub::start(Security::Plain, Some((USER, "another")));
    let mailer = mailer(&server(stub.port, Protection::Plain), WITHIN);
    for error in [mailer.probe().await.unwrap_err(), mailer.send("x", "y".to_owned()).await.unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("wrong user or password") && !error.contains(PASSWORD), "{error}");
    }
}

#[tokio::test]
async fn a_dead_server_costs_the_deadline_at_most() {
    // Takes connections, and never speaks.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mailer = mailer(&server(port, Protection::Plain), Duration::from_millis(200));
    assert!(mailer.probe().await.is_err());
    drop(silent);
    let refused = mailer.send("x", "y".to_owned()).await.unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("connection"), "{refused}");
}

#[test]
fn what_is_no_address_is_refused() {
    for text in ["", "oncall", "a b@example.com", "a@b\r\nBcc: c@d"] {
        assert!(text.parse::<MailAddress>().is_err(), "{text:?}");
    }
}
