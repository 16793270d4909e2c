//! URL of an agent's WebSocket. The URL alone opens a conversation, so precall checks its host and never prints it.

use std::fmt;
use std::time::Duration;

use awc::http::Method;
use serde::Deserialize;
use url::{Host, Url};

use super::client::{ApiRequest, ElevenLabs, RequestBody};
use super::error::ProviderError;
use crate::request_watch::Endpoint;
use crate::trace_context::TraceParent;

const SIGNED_URL_BYTES_MAX: usize = 64 * 1024;

/// WebSocket URL of one conversation. Its signature is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentUrl(Url);

impl fmt::Debug for AgentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentUrl({})", self.0.host_str().unwrap_or("?"))
    }
}

/// Why there is no usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentUrlError {
    /// The provider issued no URL.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The provider's URL cannot be parsed.
    #[error("the provider's signed URL cannot be parsed")]
    Unreadable,
    /// The URL's host is not allowed.
    #[error(
        "the host of the provider's signed URL is {0}, \
         which is neither the host of ELEVENLABS_API_BASE nor one of AGENT_HOSTS"
    )]
    Host(String),
    /// The URL is not encrypted.
    #[error("the agent's URL is not wss://; ws:// is allowed on loopback only")]
    Open,
}

#[derive(Deserialize)]
struct SignedUrl {
    signed_url: String,
}

impl AgentUrl {
    /// The URL with its secret, for the connection.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// A URL whose host is that of `base` or one of `hosts`, and that is encrypted unless its host is loopback.
    ///
    /// # Errors
    /// [`AgentUrlError`].
    pub fn checked(url: Url, base: &Url, hosts: &[String]) -> Result<Self, AgentUrlError> {
        let host = url.host_str().ok_or(AgentUrlError::Unreadable)?;
        let is_ours = base.host_str() == Some(host) || hosts.iter().any(|known| known == host);
        if !is_ours {
            return Err(AgentUrlError::Host(host.to_owned()));
        }
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "wss" => Ok(Self(url)),
            "ws" if is_here => Ok(Self(url)),
            _other => Err(AgentUrlError::Open),
        }
    }
}

impl ElevenLabs {
    /// `GET /v1/convai/conversation/get-signed-url`: a signed URL, valid for 15 minutes. Its host must be the API's or
    /// one of `hosts`.
    ///
    /// # Errors
    /// [`AgentUrlError`].
    pub async fn signed_agent_url(
        &self,
        agent_id: &str,
        hosts: &[String],
        trace: Option<TraceParent>,
        within: Duration,
    ) -> Result<AgentUrl, AgentUrlError> {
        let mut url = self.settings().endpoint(&["v1", "convai", "conversation", "get-signed-url"]);
        url.query_pairs_mut().append_pair("agent_id", agent_id);
        let request = ApiRequest {
            endpoint: Endpoint::SignedUrl,
            method: Method::GET,
            url,
            body: RequestBody::Empty,
            answer_bytes_max: SIGNED_URL_BYTES_MAX,
            within,
        };
        let said: SignedUrl = self.send_traced(request, trace).await?.json()?;
        let url = Url::parse(&said.signed_url).map_err(|_| AgentUrlError::Unreadable)?;
        AgentUrl::checked(url, &self.settings().endpoint(&[]), hosts)
    }

    /// URL of a public agent, which needs no signature.
    ///
    /// # Errors
    /// [`AgentUrlError`], if the API's own address is not encrypted and not loopback.
    pub fn public_agent_url(&self, agent_id: &str) -> Result<AgentUrl, AgentUrlError> {
        let mut url = self.settings().endpoint(&["v1", "convai", "conversation"]);
        url.query_pairs_mut().append_pair("agent_id", agent_id);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| AgentUrlError::Unreadable)?;
        let base = self.settings().endpoint(&[]);
        AgentUrl::checked(url, &base, &[])
    }
}

#[cfg(test)]
mod tests;
