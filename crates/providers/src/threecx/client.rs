//! Client of 3CX Call Control: all endpoints except the two audio streams.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awc::Client;
use awc::http::Method;
use awc::http::header::{AUTHORIZATION, HeaderValue};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use precall_base::redact::redact;
use serde_json::Value;

use super::access_token::{AccessToken, AccessTokens};
use super::address::{Dn, LegAddress};
use super::error::ThreeCxError;
use super::handed_token;
use super::participant::{DnState, Participant};
use super::settings::Settings;
use super::token::GrantedToken;
use super::wire;
use crate::http_client::HttpClient;
use crate::http_exchange::{Body, Failure, Progress, Request, Response, exchange, within};
use crate::request_watch::Endpoint;

/// What a request asks for, and the segments of its path.
#[derive(Clone, Copy)]
pub(super) struct ApiPath<'a>(pub(super) Endpoint, pub(super) &'a [&'a str]);

/// A participant has about 700 bytes.
const ONE_BYTES_MAX: usize = 256 * 1024;
/// Enough for about 20,000 legs.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest message; it is for logs.
const MESSAGE_CHARS_MAX: usize = 300;
/// A PBX that lives answers sooner, unless it is very slow. A caller who waits for the answer then hears something
/// within two seconds.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Whether a request may be executed more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The second time changes nothing: while there is no answer, it is sent again.
    Yes,
    /// It is sent once.
    No,
}

/// Client of 3CX Call Control. Not `Send`: each arbiter builds its own.
#[derive(Clone)]
pub struct ThreeCx {
    client: HttpClient,
    settings: Arc<Settings>,
    tokens: AccessTokens,
}

impl ThreeCx {
    /// A client with its own connection pool. Call it on the arbiter that will use the client.
    #[must_use]
    pub fn new(settings: Arc<Settings>, tokens: AccessTokens) -> Self {
        Self { client: settings.http(), settings, tokens }
    }

    /// The current access token, sealed for a successor; `life` is what is left of its lifetime.
    #[must_use]
    pub fn sealed_token(&self, life: Duration) -> Option<Vec<u8>> {
        let bearer = self.tokens.present()?.bearer().to_owned();
        handed_token::seal(&self.settings, &GrantedToken { bearer, life })
    }

    /// A token that another process has sealed for this one.
    #[must_use]
    pub fn open_token(&self, sealed: &[u8]) -> Option<GrantedToken> {
        handed_token::open(&self.settings, sealed)
    }

    /// `GET /callcontrol`: each DN that the API client may see, with its legs.
    ///
    /// # Errors
    /// [`ThreeCxError`].
    pub async fn dns(&self) -> Result<Vec<DnState>, ThreeCxError> {
        let path = ApiPath(Endpoint::CallControl, &["callcontrol"]);
        self.get(path, LIST_BYTES_MAX, wire::dn_states).await
    }

    /// `GET /callcontrol/{dn}/participants`: includes legs that the client may see but not control.
    ///
    /// # Errors
    /// [`ThreeCxError`].
    pub async fn participants(&self, dn: &Dn) -> Result<Vec<Participant>, ThreeCxError> {
        let path = ["callcontrol", dn.as_str(), "participants"];
        let path = ApiPath(Endpoint::Participants, &path);
        self.get(path, LIST_BYTES_MAX, |body| wire::participants(body, dn)).await
    }

    /// `GET /callcontrol/{dn}/participants/{id}`. 403 for a leg that is not ours, 404 for a leg that does not exist.
    ///
    /// # Errors
    /// [`ThreeCxError`].
    pub async fn participant(&self, leg: &LegAddress) -> Result<Participant, ThreeCxError> {
        let id = leg.participant.to_string();
        let path = ["callcontrol", leg.dn.as_str(), "participants", &id];
        let path = ApiPath(Endpoint::Participants, &path);
        self.get(path, ONE_BYTES_MAX, |body| wire::participant(body, &leg.dn)).await
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn tokens(&self) -> &AccessTokens {
        &self.tokens
    }

    pub(super) fn http_of_socket(&self) -> Client {
        self.client.alone()
    }

    pub(super) async fn get<T>(
        &self,
        path: ApiPath<'_>,
        answer_bytes_max: usize,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, ThreeCxError> {
        let limit = self.settings.within();
        let answered = self.ask(&Method::GET, path, None, answer_bytes_max, limit, Repeats::Yes).await?;
        if !answered.is_success() {
            return Err(self.refused(&answered));
        }
        read(&answered.body).ok_or_else(|| ThreeCxError::garbled(answered.status))
    }

    /// Sends a POST and returns the response of any status. After a 401 it waits for a new token and sends once more.
    /// One deadline covers all of it.
    pub(super) async fn post(
        &self,
        path: ApiPath<'_>,
        json: &Value,
        limit: Duration,
        repeats: Repeats,
    ) -> Result<Response, ThreeCxError> {
        let json = Bytes::from(json.to_string());
        self.ask(&Method::POST, path, Some(json), ONE_BYTES_MAX, limit, repeats).await
    }

    /// The error of a response: its `reasontext`, or the beginning of its body.
    pub(super) fn refused(&self, answered: &Response) -> ThreeCxError {
        let read: Option<Value> = serde_json::from_slice(&answered.body).ok();
        let field = |name: &str| read.as_ref()?.get(name)?.as_str().filter(|text| !text.is_empty());
        let named = ["reasontext", "error_description", "message", "error"].into_iter().find_map(field);
        let head = answered.body.get(..1024).unwrap_or(&answered.body);
        let said = named.map_or_else(|| String::from_utf8_lossy(head).into_owned(), str::to_owned);
        ThreeCxError::of_status(answered.status, self.redact(&said))
    }

    pub(super) fn redact(&self, text: &str) -> String {
        redact(text, MESSAGE_CHARS_MAX, &[self.settings.secret().reveal()])
    }

    async fn ask(
        &self,
        method: &Method,
        path: ApiPath<'_>,
        json: Option<Bytes>,
        answer_bytes_max: usize,
        limit: Duration,
        repeats: Repeats,
    ) -> Result<Response, ThreeCxError> {
        let progress = Progress::new();
        let whole = async {
            let token = self.tokens.current().await?;
            let request = |token: &AccessToken| Request {
                endpoint: Some(path.0),
                method: method.clone(),
                url: self.settings.endpoint(path.1),
                headers: vec![(AUTHORIZATION, bearer(token))],
                body: json.clone().map(Body::json),
                answer_bytes_max,
            };
            let send = async |token: &AccessToken| {
                let sent = exchange(&self.client, request(token), &progress);
                match repeats {
                    Repeats::Yes => self.or_again(sent, || request(token)).await,
                    Repeats::No => sent.await,
                }
            };
            let first = send(&token).await?;
            if first.status != 401 {
                return Ok(first);
            }
            progress.refused();
            let token = self.tokens.instead_of(&token).await?;
            Ok(send(&token).await?)
        };
        within(&self.client, limit, &Rc::clone(&progress), whole).await
    }
}

impl ThreeCx {
    /// Waits for an answer. While it does not come, the request is sent again and again, each time over a new
    /// connection, and the first answer counts: a request that went into a dead connection would use up the deadline,
    /// and callers wait. Connections that were kept from before are then not used any more.
    async fn or_again(
        &self,
        sent: impl Future<Output = Result<Response, Failure>>,
        request: impl Fn() -> Request,
    ) -> Result<Response, Failure> {
        let mut running = FuturesUnordered::new();
        running.push(Either::Left(async { (Sent::First, sent.await) }));
        loop {
            match tokio::time::timeout(AGAIN_AFTER, running.next()).await {
                // A failure counts only if nothing else may still be answered.
                Ok(Some((which, answered))) if answered.is_ok() || running.is_empty() => {
                    if which == Sent::Again && answered.is_ok() {
                        self.client.renew();
                    }
                    return answered;
                }
                Ok(_) => {}
                Err(_) => {
                    let (client, request) = (self.settings.http(), request());
                    running.push(Either::Right(async move {
                        (Sent::Again, exchange(&client, request, &Progress::new()).await)
                    }));
                }
            }
        }
    }
}

/// Which of several equal requests was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    First,
    /// Over a connection of its own.
    Again,
}

/// The header's value, marked so that no library prints it.
pub(super) fn bearer(token: &AccessToken) -> HeaderValue {
    let mut value = HeaderValue::from_str(&token.header()).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
