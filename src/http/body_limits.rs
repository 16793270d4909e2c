//! Limits on request bodies: the announced length, and how a refused body is read to its end.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header;
use futures_util::StreamExt as _;

use super::error::{Code, Problem};

/// A refused body of up to this many bytes is read to its end: a new connection would cost more.
const DRAIN_BYTES: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The problem for a body longer than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("this body may have {limit} bytes at most"))
}

fn announced_length(request: &HttpRequest) -> Option<usize> {
    let value = request.headers().get(header::CONTENT_LENGTH)?;
    // A length that does not fit a usize is above every limit.
    value.to_str().ok().map(|text| text.trim().parse().unwrap_or(usize::MAX))
}

/// Checks the announced length, if there is one.
///
/// # Errors
/// `body_too_large`.
pub(crate) fn fits(request: &HttpRequest, limit: usize) -> Result<(), Problem> {
    if announced_length(request).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    Ok(())
}

/// Reads a small refused body to its end, so that the connection can be used again.
pub(crate) async fn drain(request: &HttpRequest, payload: &mut Payload) {
    if announced_length(request).is_some_and(|length| length > DRAIN_BYTES) {
        return;
    }
    let reading = async {
        let mut read = 0_usize;
        while let Some(Ok(chunk)) = payload.next().await {
            read = read.saturating_add(chunk.len());
            if read > DRAIN_BYTES {
                return;
            }
        }
    };
    // The response is the same if this is too slow.
    drop(tokio::time::timeout(DRAIN_TIME, reading).await);
}
