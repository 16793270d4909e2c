//! What went over the wire for a call.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::observe::wire_log::KeptLine;
use precall_call::CallId;
use precall_providers::wire_record::Way;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Allowed, Operate};
use super::call_id::call_id;
use super::page::NoQuery;
use crate::http::app_state::AppState;
use crate::http::clock::timestamp;
use crate::http::error::Problem;
use crate::http::openapi::names::{WirePeer, WireWay};
use crate::http::openapi::problems::{API, CALL, SCOPE, problems};
use crate::http::response;

/// One message, or one request with its answer. Without audio, secrets, numbers and words.
#[derive(Serialize, ToSchema)]
pub(crate) struct WireItem {
    /// When it was sent or received; of a request, when it was sent.
    at: Option<Timestamp>,
    /// The other side.
    #[schema(value_type = WirePeer)]
    peer: &'static str,
    /// Seen from precall.
    #[schema(value_type = WireWay)]
    way: &'static str,
    /// Method and path of a request, or the type of a message.
    what: String,
    /// Status of the answer.
    status: Option<u16>,
    /// How long the answer took.
    took_ms: Option<u64>,
    /// The provider's id of the request.
    request_id: Option<String>,
    /// Why there was no answer, or what happened.
    failure: Option<String>,
    /// What was sent, redacted.
    sent: Option<String>,
    /// What was received, redacted.
    received: Option<String>,
}

impl From<KeptLine> for WireItem {
    fn from(KeptLine { at, line }: KeptLine) -> Self {
        Self {
            at: timestamp(at),
            peer: line.peer,
            way: match line.way {
                Way::Sent => "sent",
                Way::Received => "received",
            },
            what: line.what,
            status: line.status,
            took_ms: line.took.and_then(|took| u64::try_from(took.as_millis()).ok()),
            request_id: line.request_id,
            failure: line.failure,
            sent: line.sent,
            received: line.received,
        }
    }
}

/// The messages of a call, from memory.
#[derive(Serialize, ToSchema)]
pub(crate) struct WireAnswer {
    /// In the order in which they ended, 256 at most: the first and the last ones. Empty if precall was restarted
    /// since, or if the call ended so long ago that newer ones took its place.
    items: Vec<WireItem>,
    /// How many are missing between the first 64 and the last ones.
    dropped: u64,
}

problems!(WireProblems: API, SCOPE, CALL);

/// Shows what went over the wire for a call: events and requests of 3CX, requests to ElevenLabs, the agent's messages.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/wire", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = WireAnswer),
        WireProblems,
    ),
)]
pub(crate) async fn wire(
    app: web::Data<AppState>,
    _: Allowed<Operate>,
    _: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = call_id(&app, &id).await?;
    let wire = app.engine.wire().of(CallId(id.as_u128())).unwrap_or_default();
    let items = wire.lines.into_iter().map(WireItem::from).collect();
    response::json(&WireAnswer { items, dropped: wire.dropped })
}
