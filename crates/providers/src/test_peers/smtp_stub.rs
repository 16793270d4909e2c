//! A small mail server: takes mails, and shows them to a test.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::tls_front::Identity;

/// How the server protects its connections.
#[derive(Clone)]
pub enum Security {
    /// Not at all.
    Plain,
    /// After STARTTLS.
    StartTls(Arc<Identity>),
    /// From the first byte.
    Tls(Arc<Identity>),
}

/// A mail that the server took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenMail {
    /// Sender of the envelope.
    pub from: String,
    /// Receivers of the envelope.
    pub to: Vec<String>,
    /// Head and body.
    pub data: String,
    /// Whether the connection was encrypted.
    pub is_encrypted: bool,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<TakenMail>>,
    refuses: AtomicBool,
    /// `user`, NUL, `password`; any login is refused without it.
    login: Option<String>,
}

/// A mail server on a port of its own; it stops when it is dropped.
pub struct SmtpStub {
    pub port: u16,
    state: Arc<State>,
    _end: oneshot::Sender<()>,
}

/// How a dialogue ended.
enum End {
    Over,
    StartTls,
}

impl SmtpStub {
    /// Starts a server; with `login` it takes mails after this login only.
    pub fn start(security: Security, login: Option<(&str, &str)>) -> Self {
        let login = login.map(|(user, password)| format!("{user}\0{password}"));
        let state = Arc::new(State { login, ..State::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let serve = async {
                    while let Ok((tcp, _)) = listener.accept().await {
                        tokio::spawn(serve(tcp, security.clone(), Arc::clone(&shared)));
                    }
                };
                tokio::select! { () = serve => {}, _ = ended => {} }
            });
        });
        Self { port, state, _end: end }
    }

    /// The mails so far.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.state.mails.lock().unwrap().clone()
    }

    /// From now on every mail is refused.
    pub fn refuse(&self) {
        self.state.refuses.store(true, Ordering::SeqCst);
    }

    /// From now on mails are taken again.
    pub fn take_again(&self) {
        self.state.refuses.store(false, Ordering::SeqCst);
    }
}

async fn serve(tcp: TcpStream, security: Security, state: Arc<State>) -> io::Result<()> {
    match security {
        Security::Plain => {
            dialogue(&mut BufReader::new(tcp), &state, "AUTH PLAIN", false, true).await?;
        }
        Security::Tls(identity) => {
            let tls = TlsAcceptor::from(identity.server()).accept(tcp).await?;
            dialogue(&mut BufReader::new(tls), &state, "AUTH PLAIN", true, true).await?;
        }
        Security::StartTls(identity) => {
            let mut plain = BufReader::new(tcp);
            if let End::StartTls = dialogue(&mut plain, &state, "STARTTLS", false, true).await? {
                let tls = TlsAcceptor::from(identity.server()).accept(plain.into_inner()).await?;
                dialogue(&mut BufReader::new(tls), &state, "AUTH PLAIN", true, false).await?;
            }
        }
    }
    Ok(())
}

async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    state: &State,
    offers: &str,
    is_encrypted: bool,
    greets: bool,
) -> io::Result<End> {
    let mut mail = TakenMail { from: String::new(), to: Vec::new(), data: String::new(), is_encrypted };
    let mut is_logged_in = state.login.is_none();
    if greets {
        say(stream, "220 stub").await?;
    }
    loop {
        let Some(line) = line(stream).await? else { return Ok(End::Over) };
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => say(stream, &format!("250-stub\r\n250 {offers}")).await?,
            "STARTTLS" => {
                say(stream, "220 go ahead").await?;
                return Ok(End::StartTls);
            }
            "AUTH" => {
                let token = rest.strip_prefix("PLAIN ").unwrap_or_default();
                let token = String::from_utf8(BASE64_STANDARD.decode(token).unwrap_or_default());
                let given = token.unwrap_or_default();
                is_logged_in =
                    state.login.as_deref().is_some_and(|login| given.trim_start_matches('\0') == login);
                say(stream, if is_logged_in { "235 welcome" } else { "535 wrong user or password" }).await?;
            }
            "MAIL" if !is_logged_in => say(stream, "530 log in first").await?,
            "MAIL" if state.refuses.load(Ordering::SeqCst) => say(stream, "451 not now").await?,
            "MAIL" => {
                mail.from = address(rest);
                say(stream, "250 ok").await?;
            }
            "RCPT" => {
                mail.to.push(address(rest));
                say(stream, "250 ok").await?;
            }
            "DATA" => {
                say(stream, "354 go ahead").await?;
                while let Some(line) = self::line(stream).await?.filter(|line| line != ".") {
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.data.push('\n');
                }
                state.mails.lock().unwrap().push(mail.clone());
                say(stream, "250 taken").await?;
            }
            "QUIT" => {
                say(stream, "221 bye").await?;
                return Ok(End::Over);
            }
            _ => say(stream, "250 ok").await?,
        }
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, words: &str) -> io::Result<()> {
    stream.write_all(format!("{words}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// The address of `FROM:<a@b>` or `TO:<a@b>`.
fn address(rest: &str) -> String {
    rest.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
