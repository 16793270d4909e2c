//! Outbound calls that the provider dials, and its conversations: read, look up, delete.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use precall_call::{CallId, ConversationId};
use serde::Deserialize;

use super::client::{ApiRequest, ElevenLabs, RequestBody};
use super::error::ProviderError;
use super::pages::{PAGE_SIZE, Page};
use super::report_parser::{ConversationDetail, parse_conversation};
use super::request_body::outbound_call_body;
use super::requests::{OutboundCall, Telephony};
use crate::lenient::Scalar;
use crate::request_watch::Endpoint;

const SMALL_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The same limit as for the webhook with this content.
const CONVERSATION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A call has a handful of conversations.
const PAGES_MAX: usize = 3;

/// The provider accepted the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// The conversation; none if the provider does not know it yet.
    pub conversation: Option<ConversationId>,
    /// SIP call id or Twilio call SID.
    pub telephone_call: Option<String>,
}

/// A conversation in the provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Its id.
    pub conversation: ConversationId,
    /// Its agent.
    pub agent_id: Option<String>,
    /// `initiated`, `in-progress`, `processing`, `done` or `failed`.
    pub status: Option<String>,
    /// Seconds since 1970.
    pub started_at_unix: Option<i64>,
    /// Duration so far.
    pub duration: Option<Duration>,
}

/// Conversations found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationList {
    /// Newest first.
    pub conversations: Vec<ConversationSummary>,
    /// False if there are more than 300; then a missing conversation may still exist.
    pub complete: bool,
}

#[derive(Deserialize)]
struct DialAnswer {
    success: bool,
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    conversation_id: Scalar,
    #[serde(default)]
    sip_call_id: Scalar,
    #[serde(default, rename = "callSid")]
    call_sid: Scalar,
}

#[derive(Deserialize)]
struct ConversationsPage {
    conversations: Vec<ConversationItem>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Page for ConversationsPage {
    type Item = ConversationItem;
    const NEXT_PARAMETER: &'static str = "cursor";

    fn into_parts(self) -> (Vec<ConversationItem>, bool, Option<String>) {
        (self.conversations, self.has_more, self.next_cursor)
    }
}

#[derive(Deserialize)]
struct ConversationItem {
    conversation_id: String,
    #[serde(default)]
    agent_id: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    start_time_unix_secs: Scalar,
    #[serde(default)]
    call_duration_secs: Scalar,
}

impl ElevenLabs {
    /// `POST /v1/convai/{sip-trunk|twilio}/outbound-call`. Not idempotent: after
    /// [`Execution::Maybe`](super::error::Execution::Maybe) a telephone may ring.
    ///
    /// # Errors [`ProviderError`]; `success: false` in a 2xx response is
    /// [`Declined`](super::error::ProviderErrorKind::Declined).
    pub async fn outbound_call(
        &self,
        call: &OutboundCall,
        within: Duration,
    ) -> Result<Dialled, ProviderError> {
        let network = match call.telephony {
            Telephony::SipTrunk => "sip-trunk",
            Telephony::Twilio => "twilio",
        };
        let url = self.settings().endpoint(&["v1", "convai", network, "outbound-call"]);
        let body = RequestBody::Json(Bytes::from(outbound_call_body(call).to_string()));
        let request = ApiRequest {
            endpoint: Endpoint::OutboundCall,
            method: Method::POST,
            url,
            body,
            answer_bytes_max: SMALL_ANSWER_BYTES_MAX,
            within,
        };
        let answer = self.send_once(request, call.trace.map(|trace| trace.dial)).await?;
        let said: DialAnswer = answer.json()?;
        if !said.success {
            let message = said.message.text().unwrap_or("success: false");
            return Err(ProviderError::declined(answer.status, message, &self.settings().key()));
        }
        Ok(Dialled {
            conversation: said.conversation_id.text().map(ConversationId::new),
            telephone_call: said.sip_call_id.into_text().or_else(|| said.call_sid.into_text()),
        })
    }

    /// `GET /v1/convai/conversations/{conversation_id}`.
    ///
    /// # Errors
    /// [`ProviderError`]; a body that is not a conversation is `Garbled`.
    pub async fn conversation(
        &self,
        conversation: &ConversationId,
        within: Duration,
    ) -> Result<ConversationDetail, ProviderError> {
        let url = self.settings().endpoint(&["v1", "convai", "conversations", conversation.as_str()]);
        let answer_bytes_max = CONVERSATION_BYTES_MAX;
        let request = ApiRequest {
            endpoint: Endpoint::Conversation,
            method: Method::GET,
            url,
            body: RequestBody::Empty,
            answer_bytes_max,
            within,
        };
        let answer = self.send(request).await?;
        parse_conversation(&answer.body)
            .map_err(|error| ProviderError::garbled(answer.status, error.to_string()))
    }

    /// `DELETE /v1/convai/conversations/{conversation_id}`: deletes transcript and audio.
    ///
    /// # Errors
    /// [`ProviderError`]; `NotFound` (404) if there is no such conversation.
    pub async fn delete_conversation(
        &self,
        conversation: &ConversationId,
        within: Duration,
    ) -> Result<(), ProviderError> {
        let url = self.settings().endpoint(&["v1", "convai", "conversations", conversation.as_str()]);
        let (method, body, answer_bytes_max) = (Method::DELETE, RequestBody::Empty, SMALL_ANSWER_BYTES_MAX);
        let endpoint = Endpoint::Conversation;
        self.send(ApiRequest { endpoint, method, url, body, answer_bytes_max, within }).await.map(drop)
    }

    /// `GET /v1/convai/conversations?user_id=&agent_id=`: the conversations of a call whose dial response was lost.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn conversations_of(
        &self,
        call: CallId,
        agent_id: Option<&str>,
        within: Duration,
    ) -> Result<ConversationList, ProviderError> {
        let mut url = self.settings().endpoint(&["v1", "convai", "conversations"]);
        url.query_pairs_mut().append_pair("user_id", &call.to_string()).append_pair("page_size", PAGE_SIZE);
        if let Some(agent_id) = agent_id {
            url.query_pairs_mut().append_pair("agent_id", agent_id);
        }
        let pages =
            self.read_pages::<ConversationsPage>(Endpoint::Conversations, url, PAGES_MAX, within).await?;
        let conversations = pages.items.into_iter().map(ConversationSummary::from).collect();
        Ok(ConversationList { conversations, complete: pages.complete })
    }
}

impl From<ConversationItem> for ConversationSummary {
    fn from(item: ConversationItem) -> Self {
        Self {
            conversation: ConversationId::new(item.conversation_id),
            agent_id: item.agent_id.into_text(),
            status: item.status.into_text(),
            started_at_unix: item.start_time_unix_secs.integer(),
            duration: item.call_duration_secs.seconds(),
        }
    }
}

#[cfg(test)]
mod tests;
