//! The two requests of a leg: audio to the caller, audio from the caller (3CX facts, section 1.5).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use precall_providers::threecx::access_token::{AccessToken, AccessTokens};
use tokio::time::{sleep, timeout};

use super::leg::Leg;
use crate::leg_events::{LegNews, StreamFailure};
use crate::net::connection::{Line, Route};
use crate::net::stream_retry::{Patience, Trouble, Verdict};
use crate::net::upload_body::OutletBody;
use crate::net::warm_connections::WarmWires;
use crate::playout::StreamEnd;

const AUDIO: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// How long the PBX may think about a request for the caller's audio.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take note of the end of ours.
const CLOSING_WITHIN: Duration = Duration::from_millis(250);
/// What is read of a refusal's body, so that its connection can be used again.
const REFUSAL_WITHIN: Duration = Duration::from_millis(100);
const REFUSAL_FRAMES: usize = 16;

/// What every stream of a shard needs.
pub(super) struct Pbx {
    pub(super) route: Arc<Route>,
    pub(super) wires: WarmWires,
    pub(super) tokens: AccessTokens,
}

/// A leg's streams at the PBX.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) pbx: Rc<Pbx>,
    pub(super) path: Uri,
    /// Until when readiness is waited for.
    pub(super) ready_by: Instant,
}

impl Streams {
    /// Carries audio to the caller until the leg's audio ends.
    pub(super) async fn speak(self, leg: &Leg) -> Result<(), StreamFailure> {
        let mut patience = Patience::opening(self.ready_by);
        let mut token = self.current_token().await?;
        while !leg.is_gone() {
            let end = self.speak_once(leg, &token).await;
            if leg.is_gone() {
                break;
            }
            let trouble = leg.detach(end, Instant::now());
            token = self.wait(&mut patience, trouble, token).await?;
        }
        Ok(())
    }

    /// One POST, from its first byte to its end.
    async fn speak_once(&self, leg: &Leg, token: &AccessToken) -> StreamEnd {
        let Ok(mut line) = self.new_line().await else { return StreamEnd::Broken };
        let Ok(mut request) = self.request(Method::POST, token) else {
            return StreamEnd::Refused(Trouble::Unauthorized);
        };
        if leg.is_gone() {
            return StreamEnd::Broken;
        }
        request.headers_mut().insert(CONTENT_TYPE, AUDIO);
        *request.body_mut() = OutletBody::of(&line.outlet);
        let _open = self.pbx.tokens.stream_opened();
        leg.attach(&line.outlet, Instant::now());
        let mut answer = std::pin::pin!(line.sender.send_request(request));
        tokio::select! {
            biased;
            () = leg.closing() => {
                // The terminating chunk, and the PBX's word that it came; not for long.
                let _ = timeout(CLOSING_WITHIN, answer).await;
                StreamEnd::Broken
            }
            () = line.outlet.given_up() => StreamEnd::Broken,
            answer = &mut answer => match answer.map(|response| Trouble::of_status(response.status().as_u16())) {
                Ok(Some(trouble)) => StreamEnd::Refused(trouble),
                Ok(None) | Err(_) => StreamEnd::Broken,
            },
        }
    }

    /// Reads the caller's audio until the leg's audio ends, which drops this.
    pub(super) async fn listen(self, leg: &Leg) -> Result<(), StreamFailure> {
        let mut patience = Patience::opening(self.ready_by);
        let mut token = self.current_token().await?;
        let mut line = None;
        loop {
            let trouble = self.listen_once(leg, &token, &mut line).await;
            token = self.wait(&mut patience, trouble, token).await?;
        }
    }

    /// One GET, from its head to the end of its body. A connection that can be used again is left in `kept`.
    async fn listen_once(&self, leg: &Leg, token: &AccessToken, kept: &mut Option<Line>) -> Trouble {
        let line = match kept.take() {
            Some(line) if !line.sender.is_closed() => Ok(line),
            Some(_) | None => self.new_line().await,
        };
        let Ok(mut line) = line else { return Trouble::Unreachable };
        let Ok(mut request) = self.request(Method::GET, token) else { return Trouble::Unauthorized };
        request.headers_mut().insert(ACCEPT, AUDIO);
        let _open = self.pbx.tokens.stream_opened();
        let Ok(Ok(response)) = timeout(ANSWER_WITHIN, line.sender.send_request(request)).await else {
            return Trouble::Unreachable;
        };
        if let Some(trouble) = Trouble::of_status(response.status().as_u16()) {
            if is_read_out(response).await && line.sender.ready().await.is_ok() {
                *kept = Some(line);
            }
            return trouble;
        }
        let began = Instant::now();
        let mut body = response.into_body();
        while let Some(Ok(frame)) = next_frame(&mut body).await {
            if let Ok(chunk) = frame.into_data() {
                leg.hear_caller(&chunk);
            }
        }
        leg.report(LegNews::StreamsEnded);
        Trouble::Cut(began.elapsed())
    }

    /// Waits for the next try as long as is right, and says which token it takes.
    async fn wait(
        &self,
        patience: &mut Patience,
        trouble: Trouble,
        token: AccessToken,
    ) -> Result<AccessToken, StreamFailure> {
        match patience.after(trouble, Instant::now()) {
            Verdict::GiveUp(failure) => Err(failure),
            Verdict::AgainWithNewToken => {
                self.pbx.tokens.instead_of(&token).await.map_err(|_| StreamFailure::Unauthorized)
            }
            Verdict::Again(wait) => {
                if !wait.is_zero() {
                    sleep(wait).await;
                }
                self.current_token().await
            }
        }
    }

    /// On the heap: what connecting needs is not to be a part of a task that lives as long as its call.
    fn new_line(&self) -> Pin<Box<dyn Future<Output = io::Result<Line>> + '_>> {
        Box::pin(self.pbx.wires.take())
    }

    async fn current_token(&self) -> Result<AccessToken, StreamFailure> {
        self.pbx.tokens.current().await.map_err(|_| StreamFailure::Unauthorized)
    }

    fn request(&self, method: Method, token: &AccessToken) -> io::Result<Request<OutletBody>> {
        let mut authorization = HeaderValue::try_from(token.header()).map_err(io::Error::other)?;
        authorization.set_sensitive(true);
        let mut request = Request::new(OutletBody::none());
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone();
        request.headers_mut().insert(HOST, self.pbx.route.authority());
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(request)
    }
}

/// Whether a refusal's body came to its end soon.
async fn is_read_out(response: Response<Incoming>) -> bool {
    let mut body = response.into_body();
    let read = async {
        for _ in 0..REFUSAL_FRAMES {
            match next_frame(&mut body).await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    };
    timeout(REFUSAL_WITHIN, read).await.unwrap_or(false)
}

async fn next_frame(body: &mut Incoming) -> Option<hyper::Result<hyper::body::Frame<bytes::Bytes>>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}
