//! A leg's two HTTP requests: a POST with audio to the caller, a GET of audio from the caller (3CX facts, section 1.5).

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use precall_providers::threecx::access_token::{AccessToken, AccessTokens};
use precall_providers::threecx::address::LegAddress;
use tokio::time::{sleep, timeout};

use crate::hand_over::HandOver;
use crate::leg::Leg;
use crate::leg_events::{LegAudioEvent, SilentStream, StreamFailure};
use crate::net::connection::{AudioConnection, PbxEndpoint};
use crate::net::http1::Framing;
use crate::net::stream_retry::{AttemptError, RetryDecision, StreamRetry};
use crate::net::upload_body::UploadBody;
use crate::net::warm_connections::WarmConnections;
use crate::playout::StreamEnd;

const POST_FIELDS: &str = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n";
const GET_FIELDS: &str = "Accept: application/octet-stream\r\n";
/// The PBX must answer a GET within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A stream from the caller that brings nothing for this long is opened again. Each further one that brings nothing has
/// twice the time of the one before, up to `SILENT_MAX`.
const SILENT_AFTER: Duration = Duration::from_secs(5);
const SILENT_MAX: Duration = Duration::from_secs(60);
/// After a stalled upload, a PBX whose audio came until then must be heard again within this time.
const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(2);
/// How long precall tries to open the streams of a leg that another process has let go.
const TAKEN_WITHIN: Duration = Duration::from_secs(6);
/// The PBX has this time to answer when an upload ends.
const CLOSING_WITHIN: Duration = Duration::from_millis(250);
/// Limits for reading the body of a refusal, which makes its connection usable again.
const REFUSAL_WITHIN: Duration = Duration::from_millis(100);
const REFUSAL_PIECES: usize = 16;

/// A shard's connections to the PBX, shared by all its legs.
pub(crate) struct PbxConnections {
    pub(crate) endpoint: Arc<PbxEndpoint>,
    pub(crate) warm: WarmConnections,
    pub(crate) tokens: AccessTokens,
}

/// A leg's streams at the PBX.
#[derive(Clone)]
pub(crate) struct LegStreams {
    pub(crate) pbx: Rc<PbxConnections>,
    pub(crate) hand_over: Arc<HandOver>,
    pub(crate) address: LegAddress,
    pub(crate) path: Rc<str>,
    /// The PBX must have media for the leg by then.
    pub(crate) ready_by: Instant,
}

impl LegStreams {
    /// Sends audio to the caller until the leg's audio ends.
    pub(crate) async fn send(self, leg: &Leg) -> Result<(), StreamFailure> {
        let ready_by = tokio::select! {
            ready_by = self.until_here(leg) => ready_by,
            () = leg.closing() => return Ok(()),
        };
        leg.set_elsewhere(false);
        let mut retry = StreamRetry::opening(ready_by);
        let mut token = self.current_token().await?;
        let mut stalled = None;
        while !leg.is_closed() {
            let end = self.send_once(leg, &token, stalled).await;
            if leg.is_closed() {
                break;
            }
            if self.hand_over.leaves() {
                // The successor has the leg. Its agent is another conversation, so this one ends.
                leg.close();
                break;
            }
            let now = Instant::now();
            stalled = (end == StreamEnd::Stalled).then_some(now);
            let error = leg.detach(end, now);
            if stalled.is_some() {
                self.pbx.warm.forget();
                leg.report(LegAudioEvent::Silent(SilentStream::ToCaller));
            }
            token = self.wait(&mut retry, error, token).await?;
        }
        Ok(())
    }

    /// Waits until no other process plays into the leg. Returns until when the PBX must have media for it.
    async fn until_here(&self, leg: &Leg) -> Instant {
        if !leg.is_elsewhere() {
            return self.ready_by;
        }
        self.hand_over.until_here(&self.address).await;
        self.ready_by.max(Instant::now() + TAKEN_WITHIN)
    }

    /// One POST, from its first byte to its end. `stalled` is when the one before stalled, if it did.
    async fn send_once(&self, leg: &Leg, token: &AccessToken, stalled: Option<Instant>) -> StreamEnd {
        let Ok(mut connection) = self.new_connection().await else { return StreamEnd::Broken };
        let Some(request) = self.request("POST", POST_FIELDS, token) else {
            return StreamEnd::Refused(AttemptError::Unauthorized);
        };
        if leg.is_closed() {
            return StreamEnd::Broken;
        }
        let _open = self.pbx.tokens.stream_opened();
        let upload = Rc::new(UploadBody::new());
        leg.attach(&upload, Instant::now());
        let mut answer = std::pin::pin!(connection.post(&request, &upload));
        tokio::select! {
            biased;
            () = leg.closing() => {
                // Sends the terminating chunk and waits briefly for the answer.
                let _ = timeout(CLOSING_WITHIN, answer).await;
                StreamEnd::Broken
            }
            () = upload.aborted() => StreamEnd::Stalled,
            () = stays_silent(leg, stalled) => StreamEnd::Stalled,
            answer = &mut answer => match answer.map(AttemptError::of_status) {
                Ok(Some(error)) => StreamEnd::Refused(error),
                Ok(None) | Err(_) => StreamEnd::Broken,
            },
        }
    }

    /// Receives the caller's audio. Runs until it is dropped at the end of the leg's audio, or fails.
    pub(crate) async fn receive(self, leg: &Leg) -> Result<(), StreamFailure> {
        let mut retry = StreamRetry::opening(self.until_here(leg).await);
        let mut token = self.current_token().await?;
        let mut connection = None;
        let mut silent_after = SILENT_AFTER;
        loop {
            let heard = leg.caller_heard();
            let error = self.receive_once(leg, &token, &mut connection, silent_after).await;
            if self.hand_over.leaves() {
                // The stream to the caller says when the leg is over here.
                std::future::pending::<()>().await;
            }
            let is_news = heard != leg.caller_heard() || silent_after == SILENT_AFTER;
            match error {
                AttemptError::Silent if is_news => {
                    self.pbx.warm.forget();
                    leg.report(LegAudioEvent::Silent(SilentStream::FromCaller));
                    silent_after = SILENT_AFTER * 2;
                }
                AttemptError::Silent => silent_after = (silent_after * 2).min(SILENT_MAX),
                _ if heard != leg.caller_heard() => silent_after = SILENT_AFTER,
                _ => {}
            }
            token = self.wait(&mut retry, error, token).await?;
        }
    }

    /// One GET, from its head to the end of its body. Leaves a reusable connection in `kept`.
    async fn receive_once(
        &self,
        leg: &Leg,
        token: &AccessToken,
        kept: &mut Option<AudioConnection>,
        silent_after: Duration,
    ) -> AttemptError {
        let connection = match kept.take_if(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => self.new_connection().await,
        };
        let Ok(mut connection) = connection else { return AttemptError::Unreachable };
        let Some(request) = self.request("GET", GET_FIELDS, token) else { return AttemptError::Unauthorized };
        let _open = self.pbx.tokens.stream_opened();
        let Ok(Ok(answer)) = timeout(ANSWER_WITHIN, connection.get(&request)).await else {
            return AttemptError::Unreachable;
        };
        if let Some(error) = AttemptError::of_status(answer.status) {
            if answer.is_kept && read_to_end(&mut connection, answer.body).await {
                *kept = Some(connection);
            }
            return error;
        }
        let began = Instant::now();
        let stream = leg.receive_from(connection, answer.body, silent_after > SILENT_AFTER);
        let mut silent_after = silent_after;
        let mut silence = std::pin::pin!(sleep(silent_after));
        loop {
            tokio::select! {
                biased;
                () = stream.news() => {
                    if !stream.is_open() {
                        break;
                    }
                    silent_after = SILENT_AFTER;
                    silence.as_mut().reset((Instant::now() + SILENT_AFTER).into());
                }
                () = &mut silence => {
                    // What has arrived counts before a deadline that passed while precall did not run.
                    stream.read();
                    if !stream.is_open() {
                        break;
                    }
                    // One timer for all chunks: it is set anew only when it fires.
                    let due = leg.caller_heard().map_or(began, |heard| heard.max(began)) + silent_after;
                    if due <= Instant::now() {
                        return AttemptError::Silent;
                    }
                    silence.as_mut().reset(due.into());
                }
            }
        }
        leg.report(LegAudioEvent::StreamsEnded);
        AttemptError::Cut(began.elapsed())
    }

    /// Waits until the next attempt is due and returns its token.
    async fn wait(
        &self,
        retry: &mut StreamRetry,
        error: AttemptError,
        token: AccessToken,
    ) -> Result<AccessToken, StreamFailure> {
        match retry.after(error, Instant::now()) {
            RetryDecision::GiveUp(failure) => Err(failure),
            RetryDecision::RetryWithNewToken => {
                self.pbx.tokens.instead_of(&token).await.map_err(|_| StreamFailure::Unauthorized)
            }
            RetryDecision::RetryAfter(wait) => {
                if !wait.is_zero() {
                    sleep(wait).await;
                }
                self.current_token().await
            }
        }
    }

    /// Boxed: the state of connecting must not enlarge a task that lives as long as the call.
    fn new_connection(&self) -> Pin<Box<dyn Future<Output = io::Result<AudioConnection>> + '_>> {
        Box::pin(self.pbx.warm.take())
    }

    async fn current_token(&self) -> Result<AccessToken, StreamFailure> {
        self.pbx.tokens.current().await.map_err(|_| StreamFailure::Unauthorized)
    }

    /// The head of a request. `None` if the PBX's token cannot stand in one.
    fn request(&self, method: &str, fields: &str, token: &AccessToken) -> Option<String> {
        let (path, host, authorization) = (&self.path, self.pbx.endpoint.authority(), token.header());
        if authorization.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        Some(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n{fields}\r\n"
        ))
    }
}

/// Ends when the caller's audio came until an upload stalled and has not come since: the PBX is dead, and not only that
/// upload. The operating system of a frozen PBX would take a few seconds of audio into a new one.
async fn stays_silent(leg: &Leg, stalled: Option<Instant>) {
    if let (Some(stalled), Some(heard)) = (stalled, leg.caller_heard())
        && stalled.saturating_duration_since(heard) < SILENT_AFTER * 2
    {
        sleep(SIGN_OF_LIFE_WITHIN).await;
        if leg.caller_heard() == Some(heard) {
            return;
        }
    }
    std::future::pending().await
}

/// Reads a refusal's body. Returns whether it ended within the limits.
async fn read_to_end(connection: &mut AudioConnection, mut body: Framing) -> bool {
    let read = async {
        for _ in 0..REFUSAL_PIECES {
            match connection.next_piece(&mut body).await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    };
    timeout(REFUSAL_WITHIN, read).await.unwrap_or(false)
}
