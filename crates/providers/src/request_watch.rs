//! Tells how long each request to a provider took, and how it ended. Both are members of closed sets: no path, id or
//! text of a provider becomes a label.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use awc::http::Method;
use url::Url;

/// Which request it was.
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

    fn of(service: Service, method: &Method, url: &Url) -> Self {
        let path: Vec<&str> =
            url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
        match service {
            Service::ElevenLabs => of_elevenlabs(method, &path),
            Service::ThreeCx => of_threecx(method, &path),
        }
    }
}

/// The path may begin with a prefix of `ELEVENLABS_API_BASE`.
fn of_elevenlabs(method: &Method, path: &[&str]) -> Endpoint {
    let is_delete = method == Method::DELETE;
    match path {
        [.., "v1", "voices", "add"] => Endpoint::AddVoice,
        [.., "v2", "voices"] => Endpoint::Voices,
        [.., "v1", "voices", _] if is_delete => Endpoint::DeleteVoice,
        [.., "convai", _, "outbound-call"] => Endpoint::OutboundCall,
        [.., "conversation", "get-signed-url"] => Endpoint::SignedUrl,
        [.., "convai", "conversations", _] => Endpoint::Conversation,
        [.., "convai", "conversations"] => Endpoint::Conversations,
        [.., "v1", "text-to-speech", _] => Endpoint::Speech,
        [.., "user", "subscription"] => Endpoint::Account,
        [.., "convai", "agents", _] => Endpoint::Agent,
        _ => Endpoint::OtherOfElevenLabs,
    }
}

/// The path may begin with a prefix of `THREECX_BASE_URL`.
fn of_threecx(method: &Method, path: &[&str]) -> Endpoint {
    let is_post = method == Method::POST;
    match path {
        [.., "connect", "token"] => Endpoint::Token,
        [.., "callcontrol"] => Endpoint::CallControl,
        [.., "callcontrol", _, "participants"] | [.., "callcontrol", _, "participants", _] => {
            Endpoint::Participants
        }
        [.., "participants", _, "routeto"] if is_post => Endpoint::RouteTo,
        [.., "participants", _, "drop"] if is_post => Endpoint::Drop,
        [.., "participants", _, "answer"] if is_post => Endpoint::Answer,
        [.., "participants", _, "attach_participant_data"] if is_post => Endpoint::AttachData,
        _ => Endpoint::OtherOfThreeCx,
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

/// Whose paths these are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    ElevenLabs,
    ThreeCx,
}

/// An observer of the requests to one service.
#[derive(Clone)]
pub(crate) struct RequestWatch {
    service: Service,
    observer: RequestObserver,
}

impl fmt::Debug for RequestWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestWatch({:?})", self.service)
    }
}

impl RequestWatch {
    pub(crate) fn new(service: Service, observer: RequestObserver) -> Self {
        Self { service, observer }
    }

    /// A request begins now.
    pub(crate) fn begin(&self, method: &Method, url: &Url) -> Watched {
        let endpoint = Endpoint::of(self.service, method, url);
        let observer = Arc::clone(&self.observer);
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
