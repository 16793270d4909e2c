//! Alerts by mail and webhook, for installations without Prometheus.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use precall_providers::mail::{MailAddress, Protection};
use url::{Host, Url};

use super::certificate_file::CertificateFile;
use super::kind::Kind;
use super::problem::Problems;
use super::quiet_hours::QuietHours;
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::numbers::Whole;
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::Probed;

const SUBJECT: &str = "alerts";

variables! { Section::Alerts;
    alert_mail_to: MailAddresses {
        probed: Probed::Cannot("whether somebody reads a mailbox; `precall alerts test` sends a mail to it"),
        unit: "mail addresses",
        example: "oncall@example.com",
        help: "Who gets alerts by mail.",
    }
    alert_mail_from: OneMailAddress {
        probed: Probed::Cannot("a mail server says only to a mail whether it takes this sender"),
        example: "precall <precall@example.com>",
        help: "Sender of these mails.",
    }
    alert_smtp_url: SmtpUrl {
        probed: Probed::By(SUBJECT),
        example: "smtps://precall:CHANGE_ME@mail.example.com",
        help: "Mail server with user and password: smtps://USER:PASSWORD@HOST[:PORT], or smtp:// for STARTTLS.",
        note: "User and password are percent-encoded, and may be missing. Only a server on this machine is used \
            without TLS.",
    }
    alert_webhook_url: WebhookUrl {
        probed: Probed::By(SUBJECT),
        example: "https://alerts.example.com/precall",
        help: "Address that alerts are posted to, as JSON.",
        note: "Redirects are not followed.",
    }
    alert_webhook_secret: Secret {
        probed: Probed::Cannot("only the receiver knows it; `precall alerts test` posts a signed message"),
        example: "CHANGE_ME",
        help: "Secret that precall signs these posts with (X-Precall-Signature).",
    }
    alert_quiet_hours: QuietHours {
        probed: Probed::Nothing,
        example: "22:00-07:00 Europe/Berlin",
        help: "Hours in which only alerts of severity page go out. The others wait until their end.",
        note: "Without a time zone: UTC.",
    }
    alert_remind_hours: Whole<u64, 1, 168> {
        unit: "hours",
        default: Text("6"),
        help: "How long after the last message people are reminded of an alert that is still open.",
    }
    alert_ca_file: CertificateFile {
        probed: Probed::By(SUBJECT),
        example: "/etc/precall/company-ca.pem",
        help: "Certificates of the authority that signed the certificate of the mail server or webhook, when the host \
            does not trust it.",
    }
}

/// Where alerts go. Neither `mail` nor `webhook`: they are off.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// By mail.
    pub mail: Option<AlertMail>,
    /// To a webhook.
    pub webhook: Option<AlertReceiver>,
    /// When only pages go out.
    pub quiet_hours: Option<QuietHours>,
    /// How long after a message people are reminded.
    pub remind_after: Duration,
    /// Certificates (PEM) of authorities to trust beside the host's own; the file was readable at start.
    pub ca_file: Option<PathBuf>,
}

/// Alerts by mail.
#[derive(Clone, Debug)]
pub struct AlertMail {
    /// The mail server.
    pub server: MailServer,
    /// The sender.
    pub from: MailAddress,
    /// The receivers, at least one.
    pub to: Vec<MailAddress>,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct MailServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// User and password.
    pub login: Option<(String, Secret)>,
}

/// A receiver of alerts over HTTP.
#[derive(Clone, Debug)]
pub struct AlertReceiver {
    /// The address, which may hold a secret.
    pub url: Secret,
    /// The secret of the signatures.
    pub secret: Secret,
}

impl Alerts {
    /// Whether alerts go anywhere.
    #[must_use]
    pub fn are_on(&self) -> bool {
        self.mail.is_some() || self.webhook.is_some()
    }

    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const MAIL: &str = "all of ALERT_MAIL_TO, ALERT_MAIL_FROM and ALERT_SMTP_URL, or none";
        const WEBHOOK: &str = "both ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET, or none";
        let settings = Settings::read(values, problems)?;
        let (to, from, server) = (settings.alert_mail_to, settings.alert_mail_from, settings.alert_smtp_url);
        let mail = if to.is_unset() && from.is_unset() && server.is_unset() {
            None
        } else {
            let to = to.required(MAIL, problems);
            let from = from.required(MAIL, problems);
            let server = server.required(MAIL, problems);
            Some(AlertMail { server: server?.0, from: from?.0, to: to?.0 })
        };
        let (url, secret) = (settings.alert_webhook_url, settings.alert_webhook_secret);
        let webhook = if url.is_unset() && secret.is_unset() {
            None
        } else {
            let url = url.required(WEBHOOK, problems);
            let secret = secret.required(WEBHOOK, problems);
            Some(AlertReceiver { url: url?.0, secret: secret? })
        };
        Some(Self {
            mail,
            webhook,
            quiet_hours: settings.alert_quiet_hours.optional()?,
            remind_after: Duration::from_secs(settings.alert_remind_hours.value()?.0.saturating_mul(3_600)),
            ca_file: settings.alert_ca_file.optional()?.map(|CertificateFile(path)| path),
        })
    }
}

struct MailAddresses(Vec<MailAddress>);

impl FromText for MailAddresses {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 20;
        const RIGHT: &str = "up to 20 mail addresses, comma separated";
        let List(entries) = List::from_text(text)?;
        let addresses: Result<Vec<MailAddress>, _> = entries.iter().map(|entry| entry.parse()).collect();
        match addresses {
            Ok(addresses) if (1..=MAX).contains(&addresses.len()) => Ok(Self(addresses)),
            Ok(_) => Err(Complaint::new("has no address, or too many", RIGHT)),
            Err(wrong) => Err(Complaint::new(format!("has an entry that {wrong}"), RIGHT)),
        }
    }
}

struct OneMailAddress(MailAddress);

impl FromText for OneMailAddress {
    const KIND: Kind = Kind::Form("mail address");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let right = "a mail address, like precall <precall@example.com>";
        text.parse().map(Self).map_err(|_| Complaint::is_not(text, right))
    }
}

impl FromText for QuietHours {
    const KIND: Kind = Kind::Form("hours");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let right = "two times of day and a time zone, like 22:00-07:00 Europe/Berlin";
        text.parse().map_err(|wrong| Complaint::new(wrong, right))
    }
}

struct SmtpUrl(MailServer);

impl FromText for SmtpUrl {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "smtps://USER:PASSWORD@HOST, or smtp://USER:PASSWORD@HOST:587 for STARTTLS";
        // Messages do not show the text: it holds the password.
        let wrong = |wrong: &str| Complaint::new(wrong, RIGHT);
        let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a path, a query or a fragment"));
        }
        let (protection, port) = match url.scheme() {
            "smtps" => (Protection::Tls, 465),
            "smtp" if is_this_machine(host) => (Protection::Plain, 25),
            "smtp" => (Protection::StartTls, 587),
            _ => return Err(wrong("begins neither with smtps:// nor with smtp://")),
        };
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|_| wrong("has a login that is not UTF-8"))
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(wrong("has a user without a password, or the reverse")),
            (user, Some(password)) => Some((decoded(user)?, Secret::new(decoded(password)?))),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self(MailServer { host, port: url.port().unwrap_or(port), protection, login }))
    }
}

struct WebhookUrl(Secret);

impl FromText for WebhookUrl {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "https://HOST/PATH without user and fragment (http only for loopback)";
        // Messages do not show the text: many receivers have a secret in the path.
        let wrong = |wrong: &str| Complaint::new(wrong, RIGHT);
        let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or_else(|| wrong("is not an http address"))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(wrong("has a user, a password or a fragment"));
        }
        if url.scheme() == "http" && !is_this_machine(host) {
            return Err(wrong("would send alerts unencrypted"));
        }
        Ok(Self(Secret::new(url.as_str())))
    }
}

/// Whether the host is a loopback address.
fn is_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
