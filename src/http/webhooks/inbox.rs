//! Webhooks as they are kept: each once, as it came, with what its sender was told.
//!
//! One that nobody can read is kept as well, if its signature is right: somebody may teach precall to read it, and then it is
//! replayed. It is answered 400 all the same, since to send it again would change nothing.

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
/// What a sender says of the time of its event is believed within these bounds: a clock that is wrong must not decide where a row goes.
const BEHIND_MAX_DAYS: u64 = 5;
const AHEAD_MAX_DAYS: u64 = 1;
/// What a webhook is about, as far as it says.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// `3cx`, or the `type` of a report.
    pub(crate) kind: Name,
    /// The PBX's id of the call, or the provider's of the conversation.
    pub(crate) id: Option<String>,
    /// When it happened.
    pub(crate) at: Option<At>,
}

/// The row of a webhook that was read.
pub(crate) async fn read_row(
    about: About,
    outcome: &'static str,
    body: impl Into<Option<Bytes>>,
) -> WebhookRow {
    row(about, "done", outcome.into(), None, body.into()).await
}

/// Keeps a webhook that was signed as it should be and cannot be read. Whether that worked changes nothing for the sender.
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
    warn!(app.settings.log, "a webhook cannot be read, it is quarantined"; "webhook" => %id, "kind" => kind,
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
            event_timestamp: Time(believed(about.at, now)),
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
    // Lost only when the pool of threads is: then it is done here.
    let again = make.clone();
    web::block(make).await.unwrap_or_else(|_| again())
}

/// What the sender says, or the day on which it came.
fn believed(said: Option<At>, now: At) -> At {
    let span = |count| i64::try_from(days(count).as_micros()).unwrap_or(i64::MAX);
    let (oldest, newest) =
        (now.0.saturating_sub(span(BEHIND_MAX_DAYS)), now.0.saturating_add(span(AHEAD_MAX_DAYS)));
    let today = At(now.0.div_euclid(DAY).saturating_mul(DAY));
    said.filter(|said| (oldest..=newest).contains(&said.0)).unwrap_or(today)
}
