//! Refused webhooks as a part of health: a sender with a wrong secret or a wrong clock does not reach precall, and
//! nothing else would say so.

use actix_web::http::StatusCode;
use precall_actors::api::{Area, SharedOutcomes};
use precall_actors::observe::metrics::Webhook;

/// Counts the answer to a webhook. Answers that are not the sender's doing are not counted. `clock` says by how much
/// the signature's time is off, if that is why.
pub(crate) fn note(
    outcomes: &SharedOutcomes,
    webhook: Webhook,
    status: StatusCode,
    outcome: &str,
    clock: Option<&str>,
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
        let clock = clock.map(|words| format!("; {words}")).unwrap_or_default();
        let words = format!("webhook {}: {} {outcome}{clock}", webhook.name(), status.as_u16());
        outcomes.failed(area, None, &words);
    }
}
