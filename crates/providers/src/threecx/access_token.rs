//! The one access token of a PBX client, as everybody who sends requests sees it.
//!
//! 3CX allows one active token at a time (facts, section 1.1), so exactly one keeper asks for tokens and publishes them here;
//! nobody else ever does. Handles are cheap, and may live on any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// Longest wait for a token before a request is given up.
const TOKEN_WITHIN: Duration = Duration::from_secs(5);
/// Refusals that may wait for the keeper; a further one adds nothing, the keeper is at work already.
const REFUSALS_QUEUED: usize = 8;

/// A token that the PBX gave.
#[derive(Clone)]
pub struct AccessToken {
    bearer: Arc<str>,
    generation: u64,
}

impl AccessToken {
    /// The `Authorization` header's value.
    #[must_use]
    pub fn header(&self) -> String {
        format!("Bearer {}", self.bearer)
    }

    /// Counts the tokens of this process from 1.
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

/// There was no token in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the PBX gave no access token in time")]
pub struct NoToken;

/// What everybody who sends requests holds.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    current: watch::Receiver<Option<AccessToken>>,
    refused: mpsc::Sender<u64>,
    open_streams: Arc<AtomicUsize>,
}

impl AccessTokens {
    /// The token in use. Waits at most 5 s for the first one.
    ///
    /// # Errors
    /// When there is none by then.
    pub async fn current(&self) -> Result<AccessToken, NoToken> {
        self.newer_than(0).await
    }

    /// A token in place of one that the PBX answered with 401. Waits at most 5 s.
    ///
    /// # Errors
    /// When there is none by then.
    pub async fn instead_of(&self, refused: &AccessToken) -> Result<AccessToken, NoToken> {
        // A full queue means that the keeper has been told already.
        let _ = self.refused.try_send(refused.generation);
        self.newer_than(refused.generation).await
    }

    /// Counts a stream that a new token might cut, for as long as the guard lives.
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

/// The keeper's side.
#[derive(Debug)]
pub struct TokenPublisher {
    publish: watch::Sender<Option<AccessToken>>,
    refused: mpsc::Receiver<u64>,
    open_streams: Arc<AtomicUsize>,
    generation: u64,
}

impl TokenPublisher {
    /// Both sides of one client's token.
    #[must_use]
    pub fn channel() -> (AccessTokens, Self) {
        let (publish, current) = watch::channel(None);
        let (refusals, refused) = mpsc::channel(REFUSALS_QUEUED);
        let open_streams = Arc::new(AtomicUsize::new(0));
        let tokens = AccessTokens { current, refused: refusals, open_streams: Arc::clone(&open_streams) };
        (tokens, Self { publish, refused, open_streams, generation: 0 })
    }

    /// Makes a token the one in use.
    pub fn publish(&mut self, bearer: &str) {
        self.generation = self.generation.saturating_add(1);
        let token = AccessToken { bearer: Arc::from(bearer), generation: self.generation };
        self.publish.send_replace(Some(token));
    }

    /// Waits for a refusal of the token in use; refusals of older ones are dropped. None when nobody holds a handle.
    pub async fn refusal(&mut self) -> Option<()> {
        loop {
            let generation = self.refused.recv().await?;
            if generation == self.generation {
                return Some(());
            }
        }
    }

    /// Streams that are open now.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.open_streams.load(Ordering::Relaxed)
    }
}
