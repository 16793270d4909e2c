//! Shares the access token of a PBX client between all senders of requests.
//!
//! 3CX allows one active token at a time (3CX facts, section 1.1), so only the token keeper requests tokens and
//! publishes them here. Handles are cheap and may be used on any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// Longest wait of a request for a token.
const TOKEN_WITHIN: Duration = Duration::from_secs(5);
/// Queued refusals; more are dropped, because the keeper already acts on the queued ones.
const REFUSALS_QUEUED: usize = 8;

/// A token issued by the PBX.
#[derive(Clone)]
pub struct AccessToken {
    bearer: Arc<str>,
    generation: u64,
}

impl AccessToken {
    /// Value of the `Authorization` header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("Bearer {}", self.bearer)
    }

    pub(super) fn bearer(&self) -> &str {
        &self.bearer
    }

    /// Number of the token in this process, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessToken({})", self.generation)
    }
}

/// No token in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the PBX gave no access token in time")]
pub struct NoToken;

/// Handle for senders of requests.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    current: watch::Receiver<Option<AccessToken>>,
    refused: mpsc::Sender<u64>,
    open_streams: Arc<AtomicUsize>,
}

impl AccessTokens {
    /// The current token. Waits at most 5 s for the first one.
    ///
    /// # Errors
    /// [`NoToken`] after 5 s.
    pub async fn current(&self) -> Result<AccessToken, NoToken> {
        self.newer_than(0).await
    }

    /// The current token, if there is one.
    pub(super) fn present(&self) -> Option<AccessToken> {
        self.current.borrow().clone()
    }

    /// Reports that the PBX answered `refused` with 401, and waits at most 5 s for a newer token.
    ///
    /// # Errors
    /// [`NoToken`] after 5 s.
    pub async fn instead_of(&self, refused: &AccessToken) -> Result<AccessToken, NoToken> {
        // With a full queue the keeper already knows.
        let _ = self.refused.try_send(refused.generation);
        self.newer_than(refused.generation).await
    }

    /// Counts an audio stream while the guard lives; a new token may cut such a stream.
    #[must_use]
    pub fn stream_opened(&self) -> OpenStream {
        self.open_streams.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(&self.open_streams))
    }

    async fn newer_than(&self, generation: u64) -> Result<AccessToken, NoToken> {
        let mut current = self.current.clone();
        let newer = current.wait_for(|token| token.as_ref().is_some_and(|t| t.generation > generation));
        match tokio::time::timeout(TOKEN_WITHIN, newer).await {
            Ok(Ok(token)) => token.clone().ok_or(NoToken),
            Ok(Err(_)) | Err(_) => Err(NoToken),
        }
    }
}

/// An open audio stream.
#[derive(Debug)]
pub struct OpenStream(Arc<AtomicUsize>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The token keeper's side: publishes tokens, receives refusals.
#[derive(Debug)]
pub struct TokenPublisher {
    publish: watch::Sender<Option<AccessToken>>,
    refused: mpsc::Receiver<u64>,
    open_streams: Arc<AtomicUsize>,
    generation: u64,
}

impl TokenPublisher {
    /// Both sides for one client.
    #[must_use]
    pub fn channel() -> (AccessTokens, Self) {
        let (publish, current) = watch::channel(None);
        let (refusals, refused) = mpsc::channel(REFUSALS_QUEUED);
        let open_streams = Arc::new(AtomicUsize::new(0));
        let tokens = AccessTokens { current, refused: refusals, open_streams: Arc::clone(&open_streams) };
        (tokens, Self { publish, refused, open_streams, generation: 0 })
    }

    /// Makes `bearer` the current token.
    pub fn publish(&mut self, bearer: &str) {
        self.generation = self.generation.saturating_add(1);
        let token = AccessToken { bearer: Arc::from(bearer), generation: self.generation };
        self.publish.send_replace(Some(token));
    }

    /// Waits for a refusal of the current token; refusals of older tokens are ignored. None once all handles are
    /// dropped.
    pub async fn refusal(&mut self) -> Option<()> {
        loop {
            let generation = self.refused.recv().await?;
            if generation == self.generation {
                return Some(());
            }
        }
    }

    /// Number of open audio streams.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.open_streams.load(Ordering::Relaxed)
    }
}
