//! What the webhook handlers share beside [`AppState`](crate::http::app_state::AppState).

use std::sync::Arc;

use actix_web::{HttpRequest, web};

use super::recordings::Recordings;
use super::unreadable::Unreadable;
use crate::http::error::{Code, Problem};
use crate::http::fair_share::{BODY_PIECES, BodyRoom};
use crate::http::settings::Settings;

/// Shared by the webhook handlers of all workers.
pub(crate) struct WebhookState {
    /// Memory for bodies whose signature is not checked yet.
    pub(super) body_room: Arc<BodyRoom>,
    /// The limit on unreadable webhooks.
    pub(super) unreadable: Unreadable,
    /// `STORE_RECORDINGS`; none keeps no recording.
    pub(super) recordings: Option<Recordings>,
}

impl WebhookState {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            body_room: BodyRoom::new(BODY_PIECES),
            unreadable: Unreadable::default(),
            recordings: settings.recordings.clone().map(Recordings::new),
        }
    }

    /// The state of the server that took this request.
    pub(super) fn of(request: &HttpRequest) -> Result<web::Data<Self>, Problem> {
        request.app_data::<web::Data<Self>>().cloned().ok_or_else(|| Problem::of(Code::Internal))
    }
}
