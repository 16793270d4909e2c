//! `GET .../stream`: the caller's sound, for as long as the leg lives.

use std::io;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;

use super::actions::controlled;
use super::answer::Answer;
use super::caller_sound::CallerSound;
use super::context::Context;
use super::leg::{Control, Status};
use super::world::World;

/// Most GET streams of one leg at once.
const MOST_PER_LEG: usize = 8;

/// Opens it.
///
/// # Errors
/// 404 and 424 until the media is there.
pub(super) fn open(context: &Data<Context>, dn: &str, id: &str) -> Result<HttpResponse, Answer> {
    let chunks = begin(&mut context.world(), dn, id, Instant::now())?;
    Ok(HttpResponse::Ok().insert_header(("content-type", "application/octet-stream")).streaming(body(chunks)))
}

fn begin(
    world: &mut World,
    dn: &str,
    id: &str,
    now: Instant,
) -> Result<mpsc::Receiver<io::Result<Bytes>>, Answer> {
    let (serial, leg_id) = controlled(world, dn, id)?;
    let options = world.options.clone();
    let Some(call) = world.calls.get_mut(serial) else { return Err(Answer::bare(404)) };
    let (missing, not_ready) = call.stream_waits(&options);
    let (sound, is_caller) = (call.sound.clone(), call.caller_leg == Some(leg_id));
    let Some(leg) = call.leg_mut(leg_id) else { return Err(Answer::bare(404)) };
    if matches!(leg.control, Control::Extension { .. }) {
        // Its media is not on the PBX (facts page, section 1.5).
        return Err(Answer::bare(424));
    }
    match (leg.status, leg.connected_at) {
        // Ringback and early media are there from the beginning (facts page, section 1.5).
        (Status::Dialing, _) => {}
        (Status::Ringing, _) | (Status::Connected, None) => return Err(Answer::bare(404)),
        (Status::Connected, Some(at)) => {
            let since = now.saturating_duration_since(at);
            if since < missing {
                return Err(Answer::bare(404));
            }
            if since < not_ready {
                return Err(Answer::bare(424));
            }
        }
    }
    if leg.gets.len() >= MOST_PER_LEG {
        return Err(Answer::refused(409, "too many streams of this participant are open"));
    }
    let (stream, chunks) = match is_caller {
        true => CallerSound::relay(leg_id, now),
        false => CallerSound::begin(sound, leg_id, now),
    };
    leg.gets.push(stream);
    call.gets_opened = call.gets_opened.saturating_add(1);
    Ok(chunks)
}

fn body(chunks: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(chunks, |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) })
}
