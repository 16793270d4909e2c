//! State of the PBX connection for health and metrics. Shared, because both read it without a mailbox.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use precall_call::At;
use tokio::sync::watch;

/// A contest for the tokens is over when no token was taken for this time: three of the longest pauses.
const CONTEST_OVER_AFTER: Duration = Duration::from_secs(900);

/// Written only by the feed.
#[derive(Debug, Default)]
pub struct PbxState {
    socket_open: AtomicBool,
    /// A new token is needed, and this process may not ask for it.
    is_without_token: AtomicBool,
    /// The socket is open, and nothing is received.
    is_doubtful: AtomicBool,
    last_sync: AtomicI64,
    reconnects: AtomicU64,
    resyncs_failed: AtomicU64,
    legs: AtomicUsize,
    details: Mutex<Details>,
    /// What became of the last token request that the PBX answered.
    token_answer: watch::Sender<TokenAnswer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum TokenAnswer {
    #[default]
    Awaited,
    Granted,
    /// In the PBX's words.
    Refused(String),
}

#[derive(Debug, Default)]
struct Details {
    last_error: Option<(At, String)>,
    /// When the connection began to fail; none while it works.
    failing_since: Option<At>,
    token: TokenState,
    /// When another program began to take the tokens of this API client, and when it last did.
    contested: Option<(At, At)>,
}

/// State of the access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenState {
    /// No token yet.
    #[default]
    Awaited,
    /// A token is in use.
    Held {
        /// Number of the token in this process, from 1.
        generation: u64,
        /// Since when.
        since: At,
        /// How long the PBX accepts it.
        life: Duration,
    },
    /// The last token request failed; an older token may still work.
    Failing {
        /// Since when.
        since: At,
    },
}

impl PbxState {
    /// Whether the event stream is connected and not silent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.socket_open.load(Ordering::Relaxed) && !self.is_doubtful.load(Ordering::Relaxed)
    }

    /// Since when another program takes the tokens of this API client. A quarter of an hour without that ends it.
    #[must_use]
    pub(crate) fn contested_since(&self, now: At) -> Option<At> {
        let (since, last) = self.details().contested?;
        (now.since(last) < CONTEST_OVER_AFTER).then_some(since)
    }

    /// When the known legs were last compared with the PBX's list; none before the first time.
    #[must_use]
    pub(crate) fn last_sync(&self) -> Option<At> {
        match self.last_sync.load(Ordering::Relaxed) {
            0 => None,
            at => Some(At(at)),
        }
    }

    /// Number of reconnects.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// Failed list requests.
    pub(crate) fn resyncs_failed(&self) -> u64 {
        self.resyncs_failed.load(Ordering::Relaxed)
    }

    /// Known legs.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.load(Ordering::Relaxed)
    }

    /// The last error and its time, without secrets and numbers. It stays after recovery.
    #[must_use]
    pub(crate) fn last_error(&self) -> Option<(At, String)> {
        self.details().last_error.clone()
    }

    /// When the connection began to fail.
    #[must_use]
    pub(crate) fn failing_since(&self) -> Option<At> {
        self.details().failing_since
    }

    /// State of the access token.
    #[must_use]
    pub fn token(&self) -> TokenState {
        self.details().token
    }

    pub(crate) fn set_open(&self) {
        self.is_doubtful.store(false, Ordering::Relaxed);
        self.socket_open.store(true, Ordering::Relaxed);
    }

    /// Returns whether it changed.
    pub(crate) fn set_doubtful(&self, is_doubtful: bool) -> bool {
        self.is_doubtful.swap(is_doubtful, Ordering::Relaxed) != is_doubtful
    }

    pub(crate) fn set_closed(&self) {
        self.socket_open.store(false, Ordering::Relaxed);
    }

    pub(crate) fn set_synced(&self, at: At) {
        self.last_sync.store(at.0, Ordering::Relaxed);
        // Without the socket, the list alone is no whole connection.
        if self.is_open() {
            self.details().failing_since = None;
        }
    }

    pub(crate) fn count_reconnect(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed_resync(&self) {
        self.resyncs_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_legs(&self, known: usize) {
        self.legs.store(known, Ordering::Relaxed);
    }

    pub(crate) fn set_error(&self, at: At, error: String) {
        let mut details = self.details();
        details.failing_since.get_or_insert(at);
        details.last_error = Some((at, error));
    }

    pub(crate) fn set_token(&self, token: TokenState) {
        self.is_without_token.store(false, Ordering::Relaxed);
        self.details().token = token;
        self.token_answer.send_replace(TokenAnswer::Granted);
    }

    /// The PBX refused the credentials.
    pub(crate) fn set_credentials_refused(&self, words: String) {
        self.token_answer.send_replace(TokenAnswer::Refused(words));
    }

    /// Waits until the PBX has answered a token request. Returns its words if it refused the credentials.
    pub(crate) async fn token_refusal(&self) -> Option<String> {
        let mut answers = self.token_answer.subscribe();
        let answered = answers.wait_for(|answer| *answer != TokenAnswer::Awaited).await;
        match answered.ok().as_deref() {
            Some(TokenAnswer::Refused(words)) => Some(words.clone()),
            Some(TokenAnswer::Awaited | TokenAnswer::Granted) | None => None,
        }
    }

    pub(crate) fn set_without_token(&self) {
        self.is_without_token.store(true, Ordering::Relaxed);
    }

    /// Keeps the start time of an ongoing contest.
    pub(crate) fn set_contested(&self, now: At) {
        let since = self.contested_since(now).unwrap_or(now);
        self.details().contested = Some((since, now));
    }

    /// Keeps the start time of an ongoing failure.
    pub(crate) fn set_token_failing(&self, now: At) {
        let mut details = self.details();
        match details.token {
            TokenState::Failing { .. } => {}
            TokenState::Awaited | TokenState::Held { .. } => {
                details.token = TokenState::Failing { since: now }
            }
        }
    }

    fn details(&self) -> std::sync::MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(|e| e.into_inner())
    }
}
