//! Rows of the webhook inbox: each webhook once, as it came, with the outcome that its sender got.
//!
//! An unreadable webhook with a good signature is quarantined: a later version of precall may read it, and an operator
//! can replay it. Its sender gets 400, because sending it again changes nothing.

use actix_web::web;
use bytes::Bytes;
use precall_call::At;
use precall_store::events::rows::{Name, RawBody, Time, WebhookRow};
use precall_store::growth::partitions::days;
use sha2::{Digest as _, Sha256};
use slog::warn;
use uuid::Uuid;

use super::unreadable::Unreadable;
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::error::Problem;
use crate::http::inbound::READ_HERE_MAX;

const DAY: i64 = 24 * 3600 * 1_000_000;
/// The sender's time of an event is used within these bounds. A wrong clock must not choose the partition of a row.
const BEHIND_MAX_DAYS: u64 = 5;
const AHEAD_MAX_DAYS: u64 = 1;
/// What a webhook is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// `3cx`, or the `type` of a report.
    pub(crate) kind: Name,
    /// The PBX's id of the call, or ElevenLabs' id of the conversation.
    pub(crate) id: Option<String>,
    /// When it happened, by the sender's clock.
    pub(crate) at: Option<At>,
}

/// The row of a readable webhook.
pub(crate) async fn read_row(
    about: About,
    outcome: &'static str,
    body: impl Into<Option<Bytes>>,
) -> WebhookRow {
    row(about, "done", outcome.into(), None, body.into()).await
}

/// Keeps a webhook that has a good signature and cannot be read. A failure does not change the answer to the sender.
pub(crate) async fn quarantine(
    app: &AppState,
    unreadable: &Unreadable,
    kind: &'static str,
    problem: &Problem,
    body: Bytes,
) {
    if !unreadable.has_room(clock::now()) {
        return;
    }
    let about = About { kind: kind.into(), ..About::default() };
    let reason = Some(problem.detail.to_string());
    let row = row(about, "quarantined", problem.code.name().into(), reason, Some(body)).await;
    let id = row.id;
    let kept = app.engine.keep_webhook(row).await;
    warn!(app.log, "webhook cannot be read, quarantined"; "webhook" => %id, "kind" => kind,
        "reason" => problem.to_string(), "kept" => kept.is_ok());
}

async fn row(
    about: About,
    state: &'static str,
    outcome: Name,
    reason: Option<String>,
    body: Option<Bytes>,
) -> WebhookRow {
    let now = clock::now();
    let is_large = body.as_ref().is_some_and(|body| body.len() > READ_HERE_MAX);
    let make = move || {
        let body_sha256 = body.as_ref().map(|body| hex::encode(Sha256::digest(body))).unwrap_or_default();
        WebhookRow {
            id: Uuid::now_v7(),
            kind: about.kind,
            provider_id: about.id.unwrap_or_default(),
            event_timestamp: Time(plausible_time(about.at, now)),
            body_sha256,
            received_at: Time(now),
            state: state.into(),
            outcome,
            reason,
            body: body.map(|body| RawBody::of(body.into())),
        }
    };
    if !is_large {
        return make();
    }
    // Fails only when the thread pool is gone.
    let make_here = make.clone();
    web::block(make).await.unwrap_or_else(|_| make_here())
}

/// The sender's time if it is plausible, else the day of receipt.
fn plausible_time(said: Option<At>, now: At) -> At {
    let span = |count| i64::try_from(days(count).as_micros()).unwrap_or(i64::MAX);
    let (oldest, newest) =
        (now.0.saturating_sub(span(BEHIND_MAX_DAYS)), now.0.saturating_add(span(AHEAD_MAX_DAYS)));
    let today = At(now.0.div_euclid(DAY).saturating_mul(DAY));
    said.filter(|said| (oldest..=newest).contains(&said.0)).unwrap_or(today)
}
