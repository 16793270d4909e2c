//! Refused webhooks as a part of health: a sender with a wrong secret or a wrong clock does not reach precall, and
//! nothing else would say so.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use precall_actors::api::{Area, SharedOutcomes};
use precall_actors::observe::metrics::Webhook;
use precall_call::At;

use crate::signature::{Kind, signed_at};

/// Counts the answer to a webhook. Answers that are not the sender's doing are not counted.
pub(crate) fn note(
    outcomes: &SharedOutcomes,
    webhook: Webhook,
    request: &HttpRequest,
    status: StatusCode,
    outcome: &str,
    now: At,
) {
    let area = match webhook {
        Webhook::ThreeCx => Area::ThreeCxWebhook,
        Webhook::PostCall => Area::ReportWebhook,
        Webhook::Initiation => Area::InitiationWebhook,
    };
    if status.is_success() {
        return outcomes.succeeded(area, None);
    }
    let is_senders_doing = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    if is_senders_doing {
        let clock = clock_words(webhook, request, now).unwrap_or_default();
        let words = format!("webhook {}: {} {outcome}{clock}", webhook.name(), status.as_u16());
        outcomes.failed(area, None, &words);
    }
}

/// How far the sender's clock is off, if its signature says a time outside of the accepted window.
fn clock_words(webhook: Webhook, request: &HttpRequest, now: At) -> Option<String> {
    let kind = match webhook {
        Webhook::ThreeCx => Kind::ThreeCx,
        Webhook::PostCall => Kind::ElevenLabs,
        Webhook::Initiation => return None,
    };
    let header = request.headers().get(kind.header_name())?.as_bytes();
    let behind = now.0.div_euclid(1_000_000).saturating_sub(signed_at(kind, header)?);
    if behind > kind.past_seconds() {
        return Some(format!("; the sender's clock is {behind} s behind the clock of this machine"));
    }
    let ahead = behind.saturating_neg();
    (ahead > kind.future_seconds())
        .then(|| format!("; the sender's clock is {ahead} s ahead of the clock of this machine"))
}
