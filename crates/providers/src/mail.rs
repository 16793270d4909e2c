//! Mail over SMTP, one connection a message.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use precall_base::redact::redact;

/// Longest error text of a server.
const ERROR_CHARS: usize = 200;

/// A mail address, with or without a name: `precall <alerts@example.com>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAddress(Mailbox);

impl FromStr for MailAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "is not a mail address")
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS after STARTTLS; without it nothing is sent.
    StartTls,
    /// None: a relay on this machine.
    Plain,
}

/// The server and the login.
#[derive(Clone)]
pub struct SmtpServer {
    /// Host name; the certificate must have it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// User and password, if the server wants a login.
    pub login: Option<(String, String)>,
    /// Certificates (PEM) of authorities to trust beside the host's own.
    pub ca_file: Option<PathBuf>,
}

/// Why a mail was not sent. Without secrets and whole numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MailError(String);

/// Sends mails through one server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    within: Duration,
    secret: Option<String>,
}

impl Mailer {
    /// `within` is the deadline of one message, from the connection on.
    ///
    /// # Errors
    /// If `ca_file` cannot be used, or TLS cannot be set up.
    pub fn new(
        server: &SmtpServer,
        from: MailAddress,
        to: Vec<MailAddress>,
        within: Duration,
    ) -> Result<Self, MailError> {
        let tls = match server.protection {
            Protection::Tls => Tls::Wrapper(tls(server)?),
            Protection::StartTls => Tls::Required(tls(server)?),
            Protection::Plain => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .timeout(Some(within))
            .tls(tls);
        let builder = match &server.login {
            Some((user, password)) => builder.credentials(Credentials::new(user.clone(), password.clone())),
            None => builder,
        };
        Ok(Self {
            transport: builder.build(),
            from: from.0,
            to: to.into_iter().map(|address| address.0).collect(),
            within,
            secret: server.login.as_ref().map(|(_, password)| password.clone()),
        })
    }

    /// Sends one message to every receiver.
    ///
    /// # Errors
    /// If the server did not take it in time. It may have taken it although the answer was lost.
    pub async fn send(&self, subject: &str, text: String) -> Result<(), MailError> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            // No answers from robots (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .message_id(None)
            .header(ContentType::TEXT_PLAIN);
        for receiver in &self.to {
            message = message.to(receiver.clone());
        }
        let message = message.body(text).map_err(|error| MailError(error.to_string()))?;
        self.in_time(async { self.transport.send(message).await.map(|_| ()) }).await
    }

    /// Connects and logs in, and sends nothing.
    ///
    /// # Errors
    /// If the server cannot be reached, or does not take the login.
    pub async fn probe(&self) -> Result<(), MailError> {
        let is_there = self.in_time(self.transport.test_connection()).await?;
        if is_there { Ok(()) } else { Err(MailError("the server closed the connection".to_owned())) }
    }

    async fn in_time<T>(
        &self,
        exchange: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, MailError> {
        match tokio::time::timeout(self.within, exchange).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(MailError(format!("no answer within {} s", self.within.as_secs()))),
        }
    }

    fn refused(&self, error: &lettre::transport::smtp::Error) -> MailError {
        let secrets: Vec<&str> = self.secret.as_deref().into_iter().collect();
        MailError(redact(&error.to_string(), ERROR_CHARS, &secrets))
    }
}

fn tls(server: &SmtpServer) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca_file {
        let unusable = |reason: String| MailError(format!("{}: {reason}", path.display()));
        let pem = std::fs::read(path).map_err(|error| unusable(error.kind().to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| MailError(format!("TLS cannot be set up: {error}")))
}

#[cfg(test)]
mod tests;
