//! Requests to the PBX that return raw answers. The client of the service interprets answers, so it cannot be used
//! here.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use awc::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue};
use awc::http::{Method, Version};
use awc::{Client, ClientResponse, Connector};
use jiff::fmt::rfc2822::DateTimeParser;
use precall_providers::tls_roots::TlsRoots;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::finding::words;
use crate::config::CallControl;

/// Time limit of a request that does not ring a telephone.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Largest response body: a list of some thousand legs.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Address and credentials of the PBX, from the variables of call control.
#[derive(Clone)]
pub(crate) struct Access {
    /// `THREECX_BASE_URL`.
    pub(crate) base: Url,
    /// `THREECX_CLIENT_ID`.
    pub(crate) client_id: String,
    /// `THREECX_CLIENT_SECRET`.
    pub(crate) client_secret: String,
    /// TLS roots; `None` without https.
    pub(crate) trust: Option<TlsRoots>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Access {
    /// From the variables of call control.
    ///
    /// # Errors
    /// Which variable cannot be used, in words.
    pub(crate) fn of(control: &CallControl) -> Result<Self, String> {
        let base: Url = control
            .base
            .as_str()
            .parse()
            .map_err(|error| format!("THREECX_BASE_URL cannot be read: {error}"))?;
        let trust = (base.scheme() == "https")
            .then(|| TlsRoots::load(control.ca_file.as_deref()))
            .transpose()
            .map_err(|error| format!("THREECX_CA_FILE: {error}"))?;
        Ok(Self {
            base,
            client_id: control.client_id.clone(),
            client_secret: control.client_secret.expose().to_owned(),
            trust,
        })
    }

    /// The URL of an endpoint. Every segment is escaped.
    pub(super) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// A response.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The `Date`, in seconds since 1970.
    pub(super) date: Option<i64>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON; null if it is not JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.status, words(&self.body))
    }
}

/// A client of the PBX with its current token. Cheap to clone; not `Send`.
#[derive(Clone)]
pub(super) struct Pbx {
    access: Rc<Access>,
    http: Client,
    token: Rc<RefCell<String>>,
}

impl Pbx {
    pub(super) fn new(access: Access) -> Self {
        let connector = Connector::new().max_http_version(Version::HTTP_11).timeout(ANSWER_WITHIN);
        let connector = match &access.trust {
            Some(trust) => connector.rustls_0_23(trust.config()),
            None => connector,
        };
        let http = Client::builder().connector(connector).disable_timeout().disable_redirects().finish();
        Self { access: Rc::new(access), http, token: Rc::default() }
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    pub(super) fn own_dn(&self) -> &str {
        &self.access.client_id
    }

    pub(super) fn token(&self) -> String {
        self.token.borrow().clone()
    }

    pub(super) fn use_token(&self, token: &str) {
        *self.token.borrow_mut() = token.to_owned();
    }

    /// `POST /connect/token`.
    pub(super) async fn ask_for_token(&self) -> Result<Answer, String> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.access.client_id)
            .append_pair("client_secret", &self.access.client_secret)
            .append_pair("grant_type", "client_credentials")
            .finish();
        let url = self.access.endpoint(&["connect", "token"]);
        let request =
            self.http.post(url.as_str()).insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"));
        whole(async { request.send_body(form).await.map_err(|error| error.to_string()) }, ANSWER_WITHIN).await
    }

    pub(super) async fn get(&self, path: &[&str]) -> Result<Answer, String> {
        self.get_with(path, &self.token()).await
    }

    pub(super) async fn get_with(&self, path: &[&str], token: &str) -> Result<Answer, String> {
        let request = self.request(Method::GET, path, token);
        whole(async { request.send().await.map_err(|error| error.to_string()) }, ANSWER_WITHIN).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Answer, String> {
        self.post_within(path, body, ANSWER_WITHIN).await
    }

    pub(super) async fn post_within(
        &self,
        path: &[&str],
        body: &Value,
        limit: Duration,
    ) -> Result<Answer, String> {
        let request = self
            .request(Method::POST, path, &self.token())
            .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"));
        let body = body.to_string();
        whole(async { request.send_body(body).await.map_err(|error| error.to_string()) }, limit).await
    }

    /// A request with a token. The caller sets the deadline.
    pub(super) fn request(&self, method: Method, path: &[&str], token: &str) -> awc::ClientRequest {
        let url = self.access.endpoint(path);
        self.http.request(method, url.as_str()).insert_header((AUTHORIZATION, format!("Bearer {token}")))
    }
}

fn seconds(date: &HeaderValue) -> Option<i64> {
    Some(DateTimeParser::new().parse_timestamp(date.to_str().ok()?).ok()?.as_second())
}

/// Reads head and body of a response within one deadline.
async fn whole<S, F>(sending: F, limit: Duration) -> Result<Answer, String>
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>>,
    F: Future<Output = Result<ClientResponse<S>, String>>,
{
    let exchange = async {
        let mut response = sending.await?;
        let status = response.status().as_u16();
        let date = response.headers().get(DATE).and_then(seconds);
        let body = response.body().limit(BODY_BYTES_MAX).await.map_err(|error| error.to_string())?;
        Ok(Answer { status, body: body.to_vec(), date })
    };
    let late = |_| Err(format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, exchange).await.unwrap_or_else(late)
}
