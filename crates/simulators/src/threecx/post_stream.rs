//! `POST .../stream`: the audio that the client plays to the caller, one chunked request for the whole call.

use std::io;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::oneshot;

use super::actions::controlled;
use super::answer::Answer;
use super::context::Context;
use super::ending::Ending;
use super::faults::StreamFault;
use super::leg::{Control, OpenPost, Status};
use super::options::SecondPost;
use super::world::World;
use crate::shared::requests::RequestNumber;
use crate::shared::server::hang_up;

/// How often a stream that is not read looks whether it may be read again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a client may keep sending after its leg is gone. The client is told at once.
const LINGER: Duration = Duration::from_secs(1);

/// Whether the caller hears a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Heard,
    /// It was opened before the leg was connected: taken, and never heard (facts page, section 1.5).
    Discarded,
}

/// A stream that was accepted. Dropping it, also when the client leaves, closes it.
struct Stream {
    context: Data<Context>,
    request: RequestNumber,
    serial: u64,
    leg: u64,
    number: u64,
    heard: Use,
    bytes: u64,
}

/// Takes a stream to its end.
pub(super) async fn listen(
    context: &Data<Context>,
    http: &HttpRequest,
    mut payload: Payload,
    request: RequestNumber,
    dn: &str,
    id: &str,
) -> Result<HttpResponse, Answer> {
    check_framing(context, http.headers(), dn, id)?;
    let (mut stream, mut end) = open(context, request, dn, id)?;
    loop {
        let is_deaf = context.world().faults.streams(StreamFault::Deaf);
        tokio::select! {
            biased;
            ending = &mut end => match ending {
                Ok(Ending::Reset) => return Ok(hang_up()),
                Ok(Ending::Clean) | Err(_) => return Ok(linger(stream, payload)),
                Ok(Ending::Replaced) => {
                    // The rest of this body goes unread.
                    return Ok(HttpResponse::Ok().force_close().finish());
                }
            },
            () = tokio::time::sleep(LOOK_EVERY), if is_deaf => {}
            chunk = payload.next(), if !is_deaf => match chunk {
                Some(Ok(piece)) => stream.take(&piece),
                Some(Err(_)) | None => return Ok(HttpResponse::Ok().finish()),
            },
        }
    }
}

/// Only chunked bodies are audio; an empty one closes the stream that is open.
fn check_framing(context: &Data<Context>, headers: &HeaderMap, dn: &str, id: &str) -> Result<(), Answer> {
    let chunked = headers.get(TRANSFER_ENCODING).and_then(|value| value.to_str().ok());
    if chunked.is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return Ok(());
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).unwrap_or("0");
    if length != "0" {
        return Err(Answer::refused(400, "audio comes with Transfer-Encoding: chunked"));
    }
    let mut world = context.world();
    let (serial, leg_id) = controlled(&world, dn, id)?;
    if let Some(leg) = world.calls.get_mut(serial).and_then(|call| call.leg_mut(leg_id)) {
        leg.end_post(Ending::Clean);
    }
    Err(Answer::bare(200))
}

fn open(
    context: &Data<Context>,
    request: RequestNumber,
    dn: &str,
    id: &str,
) -> Result<(Stream, oneshot::Receiver<Ending>), Answer> {
    let mut world = context.world();
    let now = Instant::now();
    let (serial, leg_id) = match controlled(&world, dn, id) {
        Ok(found) => found,
        Err(refused) => {
            note_late(&mut world, id);
            return Err(refused);
        }
    };
    let options = world.options.clone();
    world.posts = world.posts.saturating_add(1);
    let (number, discard) = (world.posts, world.faults.discard_first());
    let Some(call) = world.calls.get_mut(serial) else { return Err(Answer::bare(404)) };
    let discard =
        call.wanted.discard_first_ms.map(Duration::from_millis).or(discard).unwrap_or(options.discard_first);
    let (had_one, is_caller) = (call.posts_opened > 0, call.caller_leg == Some(leg_id));
    let Some(leg) = call.leg_mut(leg_id) else { return Err(Answer::bare(404)) };
    if matches!(leg.control, Control::Extension { .. }) {
        return Err(Answer::bare(424));
    }
    let since = leg.connected_at.map(|at| now.saturating_duration_since(at));
    if since.is_some_and(|since| since < options.post_not_ready) {
        return Err(Answer::bare(424));
    }
    let is_refused = match options.second_post {
        SecondPost::Replaces => false,
        SecondPost::Refused => leg.post.is_some(),
        SecondPost::Never => had_one,
    };
    if is_refused {
        return Err(Answer::refused(409, "the participant has a stream already"));
    }
    if leg.post.is_some() {
        leg.end_post(Ending::Replaced);
    }
    let (end, ended) = oneshot::channel();
    leg.post = Some(OpenPost { number, end });
    // What the second client plays into its call goes nowhere.
    let is_heard = leg.status == Status::Connected && !is_caller;
    let heard = if is_heard { Use::Heard } else { Use::Discarded };
    if !is_caller {
        call.posts_opened = call.posts_opened.saturating_add(1);
        call.silent_since = None;
    }
    if heard == Use::Heard {
        // A stream that is replaced is closed before the next one opens, not when its task notices.
        call.ear.close(now);
        call.ear.discard_first(discard);
        call.ear.open();
    }
    let context = context.clone();
    Ok((Stream { context, request, serial, leg: leg_id, number, heard, bytes: 0 }, ended))
}

/// A stream to a leg that is gone.
fn note_late(world: &mut World, id: &str) {
    let serial = id.parse().ok().and_then(|id| world.calls.serial_of_leg(id));
    if let Some(call) = serial.and_then(|serial| world.calls.get_mut(serial)) {
        call.late.posts = call.late.posts.saturating_add(1);
    }
}

impl Stream {
    fn take(&mut self, piece: &[u8]) {
        let now = Instant::now();
        let count = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(count);
        let mut world = self.context.world();
        let grace = world.options.hangup_grace;
        let Some(call) = world.calls.get_mut(self.serial) else { return };
        if call.leg(self.leg).is_none() {
            call.late_bytes(count, now, grace);
            return;
        }
        match self.heard {
            Use::Heard => {
                call.ear.hear(now, piece);
                call.relay(piece);
            }
            Use::Discarded => call.discarded_bytes = call.discarded_bytes.saturating_add(count),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut world = self.context.world();
        world.requests.body(self.request, json!({"stream_bytes": self.bytes}));
        world.requests.answered(self.request, 200);
        let Some(call) = world.calls.get_mut(self.serial) else { return };
        let Some(leg) = call.leg_mut(self.leg) else { return };
        if leg.post.as_ref().is_some_and(|post| post.number == self.number) {
            leg.post = None;
            call.silent_since = Some(now);
            if self.heard == Use::Heard {
                call.ear.close(now);
            }
        }
    }
}

/// Answers at once, and counts what still comes until the client ends its body.
fn linger(stream: Stream, payload: Payload) -> HttpResponse {
    let rest = stream::once(async move {
        let (mut stream, mut payload) = (stream, payload);
        let counting = async {
            while let Some(Ok(piece)) = payload.next().await {
                stream.take(&piece);
            }
        };
        match tokio::time::timeout(LINGER, counting).await {
            Ok(()) => Ok(Bytes::new()),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    });
    HttpResponse::Ok().force_close().streaming(rest)
}
