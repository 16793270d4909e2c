//! Tells how long each request to a provider took, and how it ended. Both are members of closed sets: no path, id or
//! text of a provider becomes a label.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which request it was. The clients name it when they make the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/voices/add`.
    AddVoice,
    /// `GET /v2/voices`.
    Voices,
    /// `DELETE /v1/voices/{id}`.
    DeleteVoice,
    /// `POST /v1/convai/{sip-trunk|twilio}/outbound-call`.
    OutboundCall,
    /// `GET /v1/convai/conversation/get-signed-url`.
    SignedUrl,
    /// `GET` and `DELETE /v1/convai/conversations/{id}`.
    Conversation,
    /// `GET /v1/convai/conversations`.
    Conversations,
    /// `POST /v1/text-to-speech/{voice}`.
    Speech,
    /// `GET /v1/user/subscription`.
    Account,
    /// `GET /v1/convai/agents/{id}`.
    Agent,
    /// Another request to ElevenLabs.
    OtherOfElevenLabs,
    /// `POST /connect/token` of 3CX.
    Token,
    /// `GET /callcontrol`.
    CallControl,
    /// `GET /callcontrol/{dn}/participants`, with or without the id of one.
    Participants,
    /// `POST .../routeto`.
    RouteTo,
    /// `POST .../drop`.
    Drop,
    /// `POST .../answer`.
    Answer,
    /// `POST .../attach_participant_data`.
    AttachData,
    /// Another request to 3CX.
    OtherOfThreeCx,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 19] = [
        Self::AddVoice,
        Self::Voices,
        Self::DeleteVoice,
        Self::OutboundCall,
        Self::SignedUrl,
        Self::Conversation,
        Self::Conversations,
        Self::Speech,
        Self::Account,
        Self::Agent,
        Self::OtherOfElevenLabs,
        Self::Token,
        Self::CallControl,
        Self::Participants,
        Self::RouteTo,
        Self::Drop,
        Self::Answer,
        Self::AttachData,
        Self::OtherOfThreeCx,
    ];

    /// Name of the service in labels.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::AddVoice
            | Self::Voices
            | Self::DeleteVoice
            | Self::OutboundCall
            | Self::SignedUrl
            | Self::Conversation
            | Self::Conversations
            | Self::Speech
            | Self::Account
            | Self::Agent
            | Self::OtherOfElevenLabs => "elevenlabs",
            Self::Token
            | Self::CallControl
            | Self::Participants
            | Self::RouteTo
            | Self::Drop
            | Self::Answer
            | Self::AttachData
            | Self::OtherOfThreeCx => "threecx",
        }
    }

    /// Name in labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddVoice => "add_voice",
            Self::Voices => "voices",
            Self::DeleteVoice => "delete_voice",
            Self::OutboundCall => "outbound_call",
            Self::SignedUrl => "signed_url",
            Self::Conversation => "conversation",
            Self::Conversations => "conversations",
            Self::Speech => "speech",
            Self::Account => "account",
            Self::Agent => "agent",
            Self::Token => "token",
            Self::CallControl => "call_control",
            Self::Participants => "participants",
            Self::RouteTo => "route_to",
            Self::Drop => "drop",
            Self::Answer => "answer",
            Self::AttachData => "attach_data",
            Self::OtherOfElevenLabs | Self::OtherOfThreeCx => "other",
        }
    }

    /// Name of the service in the record of a call.
    #[must_use]
    pub(crate) fn peer(self) -> &'static str {
        match self.service() {
            "threecx" => "3cx",
            other => other,
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestEnd {
    /// A whole answer with this status.
    Status(u16),
    /// No connection.
    Unreachable,
    /// The connection broke, or the answer cannot be read.
    Lost,
    /// No whole answer within the deadline, or nobody waited for it any more.
    Unanswered,
}

impl RequestEnd {
    /// Every name.
    pub const NAMES: [&'static str; 13] = [
        "2xx",
        "3xx",
        "401",
        "403",
        "404",
        "422",
        "429",
        "4xx",
        "5xx",
        "other",
        "unreachable",
        "lost",
        "unanswered",
    ];

    /// Name in labels: one of a closed set, whatever the status is.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status(200..=299) => "2xx",
            Self::Status(300..=399) => "3xx",
            Self::Status(401) => "401",
            Self::Status(403) => "403",
            Self::Status(404) => "404",
            Self::Status(422) => "422",
            Self::Status(429) => "429",
            Self::Status(400..=499) => "4xx",
            Self::Status(500..=599) => "5xx",
            Self::Status(_) => "other",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Hears of each request when it is over.
pub type RequestObserver = Arc<dyn Fn(Endpoint, RequestEnd, Duration) + Send + Sync>;

/// An observer of the requests of a client.
#[derive(Clone)]
pub(crate) struct RequestWatch(RequestObserver);

impl fmt::Debug for RequestWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestWatch")
    }
}

impl RequestWatch {
    pub(crate) fn new(observer: RequestObserver) -> Self {
        Self(observer)
    }

    /// A request begins now.
    pub(crate) fn begin(&self, endpoint: Endpoint) -> Watched {
        let observer = Arc::clone(&self.0);
        Watched { endpoint, observer, began: Instant::now(), end: RequestEnd::Unanswered }
    }
}

/// A request under way. It is reported when it is dropped: a deadline drops it without an answer.
pub(crate) struct Watched {
    endpoint: Endpoint,
    observer: RequestObserver,
    began: Instant,
    end: RequestEnd,
}

impl Watched {
    pub(crate) fn ended(mut self, end: RequestEnd) {
        self.end = end;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        (self.observer)(self.endpoint, self.end, self.began.elapsed());
    }
}

#[cfg(test)]
mod tests;
