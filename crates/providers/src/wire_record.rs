//! What goes over the wire for a call, for fault reports: requests, answers and messages, without audio, secrets,
//! numbers and words. The clients tell it to the tap of the task that they run in; without a tap nothing is made.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use precall_base::redact::redact;
use serde_json::Value;

/// Longest body that is shown, in characters.
const BODY_MAX: usize = 1_000;
/// Longest text in a body.
const TEXT_MAX: usize = 120;
/// A body above this size is not read, only measured.
const READ_MAX: usize = 64 * 1024;

/// Fields whose texts are shown: ids, names of states, codes, and what a provider says of an error. Any other text may
/// be a name, a number or something that was said.
const SHOWN: &[&str] = &[
    "agent_id",
    "agent_output_audio_format",
    "agent_phone_number_id",
    "code",
    "conversation_id",
    "detail",
    "device_id",
    "direction",
    "dn",
    "entity",
    "error",
    "event_type",
    "finalstatus",
    "id",
    "language",
    "message",
    "msg",
    "originated_by_dn",
    "originated_by_type",
    "party_dn",
    "party_dn_type",
    "reason",
    "reasontext",
    "request_id",
    "status",
    "termination_reason",
    "tool_name",
    "type",
    "user_input_audio_format",
    "voice_id",
];

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// precall.
    Sent,
    /// The peer.
    Received,
}

/// One message, or one request with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireLine {
    /// The other side: `3cx`, `elevenlabs` or `agent`.
    pub peer: &'static str,
    /// Who sent it.
    pub way: Way,
    /// Method and path of a request, type of a message. No query.
    pub what: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// How long the answer took.
    pub took: Option<Duration>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// Why there was no answer.
    pub failure: Option<String>,
    /// What was sent, redacted.
    pub sent: Option<String>,
    /// What was received, redacted.
    pub received: Option<String>,
}

impl WireLine {
    /// A message without a body.
    #[must_use]
    pub fn new(peer: &'static str, way: Way, what: &str) -> Self {
        Self {
            peer,
            way,
            what: redact(what, 200, &[]),
            status: None,
            took: None,
            request_id: None,
            failure: None,
            sent: None,
            received: None,
        }
    }

    /// Something that happened to a stream or a socket, and why.
    #[must_use]
    pub fn noted(peer: &'static str, what: &str, why: Option<&str>) -> Self {
        let failure = why.map(|why| redact(why, TEXT_MAX, &[]));
        Self { failure, ..Self::new(peer, Way::Received, what) }
    }

    /// A message that was received.
    #[must_use]
    pub fn received(peer: &'static str, what: &str, body: &[u8]) -> Self {
        Self { received: Some(shown(body)), ..Self::new(peer, Way::Received, what) }
    }

    /// A message that was received and has words of a caller: its size alone.
    #[must_use]
    pub fn received_unseen(peer: &'static str, what: &str, bytes: usize) -> Self {
        Self { received: Some(format!("({bytes} bytes)")), ..Self::new(peer, Way::Received, what) }
    }

    /// A message that was sent.
    #[must_use]
    pub fn sent(peer: &'static str, what: &str, body: &[u8]) -> Self {
        Self { sent: Some(shown(body)), ..Self::new(peer, Way::Sent, what) }
    }

    /// Bytes that it takes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = [&self.request_id, &self.failure, &self.sent, &self.received];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>().saturating_add(self.what.len()).saturating_add(texts)
    }
}

/// Takes the messages of a call, as they happen: a request when it is answered. On the path of the call, so it must be
/// quick.
pub trait Tap: Send + Sync {
    /// Takes one.
    fn take(&self, line: WireLine);
}

tokio::task_local! {
    static TAP: Arc<dyn Tap>;
}

/// Runs a future whose requests are told to the tap.
pub async fn tapped<F: Future>(tap: Arc<dyn Tap>, future: F) -> F::Output {
    TAP.scope(tap, future).await
}

/// A request whose answer is awaited. Dropped before the answer, it was given up.
pub(crate) struct OpenRequest {
    line: Option<WireLine>,
    begun: Instant,
    tap: Arc<dyn Tap>,
}

impl OpenRequest {
    /// None without a tap. `line` is the request.
    pub(crate) fn begin(line: impl FnOnce() -> WireLine) -> Option<Self> {
        TAP.try_with(|tap| Self { line: Some(line()), begun: Instant::now(), tap: Arc::clone(tap) }).ok()
    }

    /// The answer is there.
    pub(crate) fn answered(mut self, status: u16, request_id: Option<&str>, body: &[u8]) {
        let request_id = request_id.map(|id| redact(id, TEXT_MAX, &[]));
        let received = Some(shown(body)).filter(|text| !text.is_empty());
        self.end(|line| WireLine { status: Some(status), request_id, received, ..line });
    }

    /// There is no answer.
    pub(crate) fn failed(mut self, status: Option<u16>, why: &str) {
        let failure = Some(redact(why, TEXT_MAX, &[]));
        self.end(|line| WireLine { status, failure, ..line });
    }

    fn end(&mut self, with: impl FnOnce(WireLine) -> WireLine) {
        if let Some(line) = self.line.take() {
            let took = Some(self.begun.elapsed());
            self.tap.take(with(WireLine { took, ..line }));
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.end(|line| WireLine { failure: Some("given up: no whole answer in time".to_owned()), ..line });
    }
}

/// A body as the record may show it: JSON without personal data and secrets; of anything else the size alone.
#[must_use]
pub fn shown(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    let parsed = (body.len() <= READ_MAX).then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
    let Some(mut value) = parsed.filter(|value| value.is_object() || value.is_array()) else {
        return format!("({} bytes)", body.len());
    };
    hide(&mut value, None);
    let text = value.to_string();
    match text.char_indices().nth(BODY_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn hide(value: &mut Value, name: Option<&str>) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| hide(value, Some(name))),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, name)),
        Value::String(text) => {
            *text = match name.is_some_and(|name| SHOWN.contains(&name)) {
                true => redact(text, TEXT_MAX, &[]),
                false if text.is_empty() => String::new(),
                false => format!("({} characters)", text.chars().count()),
            };
        }
        // A number of a person may come as a number.
        Value::Number(number) if number.to_string().len() > 6 => *value = Value::from("(a number)"),
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the wire record.
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may stop at what it did not expect"
    )]

    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_shows_states_and_codes_and_neither_numbers_nor_words_nor_secrets() {
        let body = json!({
            "id": 8106, "status": "Ringing", "dn": "900", "party_caller_id": "+4915112345678", "callid": 1264,
            "party_caller_name": "Anna", "device_id": "sip:+4915112345678@10.0.0.1",
            "user_transcript": "my PIN is 4711",
            "dtmf_input": "4711", "signed_url": "wss://x/?token=abc", "direct_control": false,
            "caller": 4915112345678_u64,
            "detail": { "message": "no voice for +4915112345678", "request_id": "req-7", "code": "x" },
            "list": ["secret", { "type": "Wextension" }],
        });
        let shown = shown(body.to_string().as_bytes());
        for hidden in ["15112345678", "4711", "Anna", "token", "secret", "PIN"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
        for seen in [
            "\"status\":\"Ringing\"",
            "\"callid\":1264",
            "req-7",
            "no voice for +*****678",
            "Wextension",
            "false",
        ] {
            assert!(shown.contains(seen), "{seen} not in {shown}");
        }
    }

    #[test]
    fn other_bodies_show_their_size_and_long_ones_are_cut() {
        assert_eq!(super::shown(b""), "");
        assert_eq!(super::shown(b"client_secret=x&y=z"), "(19 bytes)");
        assert_eq!(super::shown(b"\"a secret\""), "(10 bytes)");
        let long: Vec<_> = (0..500).map(|n| json!({ "status": format!("state {n}") })).collect();
        let shown = super::shown(json!(long).to_string().as_bytes());
        assert_eq!(shown.chars().count(), BODY_MAX + 3);
        assert_eq!(super::shown(&vec![b'['; READ_MAX + 1]), format!("({} bytes)", READ_MAX + 1));
    }

    #[derive(Default)]
    struct Lines(Mutex<Vec<WireLine>>);

    impl Tap for Lines {
        fn take(&self, line: WireLine) {
            self.0.lock().unwrap().push(line);
        }
    }

    #[tokio::test]
    async fn only_a_task_with_a_tap_is_recorded() {
        let lines = Arc::new(Lines::default());
        assert!(OpenRequest::begin(|| panic!("no line is made without a tap")).is_none());
        let request = || OpenRequest::begin(|| WireLine::sent("3cx", "POST /x", br#"{"id":7}"#)).unwrap();
        let tap: Arc<dyn Tap> = Arc::<Lines>::clone(&lines);
        tapped(tap, async {
            request().answered(200, Some("req-1"), b"");
            request().failed(None, "no route to +4915112345678");
            drop(request());
        })
        .await;
        let taken = lines.0.lock().unwrap();
        let [answered, failed, given_up] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!((answered.status, answered.request_id.as_deref()), (Some(200), Some("req-1")));
        assert_eq!(answered.sent.as_deref(), Some(r#"{"id":7}"#));
        assert_eq!(failed.failure.as_deref(), Some("no route to +*****678"));
        assert!(given_up.failure.as_deref().unwrap().starts_with("given up") && given_up.took.is_some());
    }
}
