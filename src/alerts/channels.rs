//! The ways on which messages reach people: mail and a webhook. Each has a deadline and few tries.

use std::time::Duration;

use bytes::Bytes;
use precall_base::clock;
use precall_providers::alert_webhook::AlertWebhook;
use precall_providers::mail::{Mailer, SmtpServer};
use precall_providers::tls_roots::TlsRoots;
use url::Url;

use super::message::Message;
use crate::config::{Alerts, Secret};
use crate::signature::{Kind, sign};

/// Deadline of a mail, and of one try of the webhook.
const WITHIN: Duration = Duration::from_secs(15);
/// Pauses between the tries of the webhook.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What came of a message on one channel; the words of a failure.
pub(crate) struct Sent {
    pub(crate) channel: &'static str,
    pub(crate) outcome: Result<(), String>,
}

/// The channels that are configured. Not `Send`.
pub(crate) struct Channels {
    mail: Option<Mailer>,
    webhook: Option<Webhook>,
}

struct Webhook {
    receiver: AlertWebhook,
    secret: Secret,
    /// Host and port, for `precall check`.
    address: Option<(String, u16)>,
}

impl Channels {
    /// Call it on the arbiter that will use them.
    ///
    /// # Errors
    /// If the file of certificates cannot be used, in words.
    pub(crate) fn new(config: &Alerts) -> Result<Self, String> {
        let ca_file = config.ca_file.as_deref();
        let mail = config.mail.as_ref().map(|mail| {
            let server = SmtpServer {
                host: mail.server.host.clone(),
                port: mail.server.port,
                protection: mail.server.protection,
                login: mail
                    .server
                    .login
                    .as_ref()
                    .map(|(user, secret)| (user.clone(), secret.expose().to_owned())),
                ca_file: config.ca_file.clone(),
            };
            Mailer::new(&server, mail.from.clone(), mail.to.clone(), WITHIN)
                .map_err(|error| error.to_string())
        });
        let webhook = config.webhook.as_ref().map(|webhook| {
            let roots = TlsRoots::load(ca_file).map_err(|error| error.to_string())?;
            let url: Url =
                webhook.url.expose().parse().map_err(|_| "ALERT_WEBHOOK_URL is no address".to_owned())?;
            let address = url.host_str().map(ToOwned::to_owned).zip(url.port_or_known_default());
            let receiver = AlertWebhook::new(url, &roots);
            Ok::<_, String>(Webhook { receiver, secret: webhook.secret.clone(), address })
        });
        Ok(Self { mail: mail.transpose()?, webhook: webhook.transpose()? })
    }

    /// Sends a message on every channel at once, and waits for all of them.
    pub(crate) async fn send(&self, message: &Message) -> Vec<Sent> {
        let mail = async {
            let mailer = self.mail.as_ref()?;
            let sent = mailer.send(&message.subject, message.text.clone()).await;
            Some(Sent { channel: "mail", outcome: sent.map_err(|error| error.to_string()) })
        };
        let webhook = async {
            let webhook = self.webhook.as_ref()?;
            Some(Sent { channel: "webhook", outcome: webhook.send(message).await })
        };
        let (mail, webhook) = tokio::join!(mail, webhook);
        mail.into_iter().chain(webhook).collect()
    }

    /// Looks whether the receivers are there, and sends nothing: the login at the SMTP server, a connection to the
    /// webhook's host.
    pub(crate) async fn probe(&self) -> Vec<Sent> {
        let mail = async {
            let probed = self.mail.as_ref()?.probe().await;
            Some(Sent { channel: "mail", outcome: probed.map_err(|error| error.to_string()) })
        };
        let webhook = async {
            let webhook = self.webhook.as_ref()?;
            Some(Sent { channel: "webhook", outcome: webhook.connect().await })
        };
        let (mail, webhook) = tokio::join!(mail, webhook);
        mail.into_iter().chain(webhook).collect()
    }
}

impl Webhook {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let mut pauses = PAUSES.iter();
        loop {
            // Signed anew: the receiver looks at the time.
            let secret = self.secret.expose().as_bytes();
            let (name, value) = sign(Kind::Alert, secret, message.body.as_bytes(), clock::wall());
            let body = Bytes::from(message.body.clone());
            let refusal = match self.receiver.post(body, (name, &value), WITHIN).await {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            match pauses.next().filter(|_| refusal.may_pass) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(refusal.words),
            }
        }
    }

    async fn connect(&self) -> Result<(), String> {
        let Some((host, port)) = self.address.clone() else { return Err("it has no host".to_owned()) };
        let connecting = tokio::net::TcpStream::connect((host, port));
        match tokio::time::timeout(WITHIN, connecting).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection within {} s", WITHIN.as_secs())),
        }
    }
}
