//! The live calls in the engine's memory, for the live board. They are right even during a database outage.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::api::LiveCall;
use precall_call::At;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Allowed, Read};
use super::page::NoQuery;
use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::openapi::names::{CallRoute, CallState, LiveVoice, VoiceMissing};
use crate::http::openapi::problems::{API, problems};
use crate::http::ops::figures::SeenFigures;
use crate::http::status::health::HealthAnswer;
use crate::http::{clock, response};

/// A live call.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveView {
    /// precall's id.
    id: String,
    /// The PBX's id.
    threecx_call_id: Option<String>,
    /// The number, masked.
    caller: String,
    /// The line's name.
    line: String,
    /// How greeting and agent reach the caller.
    #[schema(value_type = CallRoute)]
    route: &'static str,
    /// The state.
    #[schema(value_type = CallState)]
    state: &'static str,
    /// Since when it is in this state; after a restart of precall, since the restart.
    state_since: Option<Timestamp>,
    /// The voice.
    #[schema(value_type = LiveVoice)]
    voice: &'static str,
    /// Why there is no cloned voice.
    #[schema(value_type = Option<VoiceMissing>)]
    voice_missing: Option<&'static str>,
    /// Whether the call waits for its caller's cloned voice.
    awaits_voice: bool,
    /// When the voice was decided.
    voice_decided_at: Option<Timestamp>,
    /// Start of the call.
    offered_at: Option<Timestamp>,
    /// The next deadline of the state.
    deadline_at: Option<Timestamp>,
    /// Kind of the last event; null for a call that was read back a moment ago.
    last_event: Option<&'static str>,
    /// Time of the last event.
    last_event_at: Option<Timestamp>,
    /// Id of the agent's conversation, once known.
    conversation_id: Option<String>,
    /// Running actors of this call.
    actors: Vec<&'static str>,
}

impl LiveView {
    pub(crate) fn of(call: LiveCall) -> Self {
        Self {
            id: call.id.to_string(),
            threecx_call_id: call.threecx_call_id,
            caller: call.caller,
            line: call.line,
            route: call.route.name(),
            state: call.state,
            state_since: clock::timestamp(At(call.state_since)),
            voice: call.voice,
            voice_missing: call.voice_missing,
            awaits_voice: call.awaits_voice,
            voice_decided_at: call.voice_decided.and_then(clock::timestamp),
            offered_at: clock::timestamp(At(call.offered_at)),
            deadline_at: call.deadline.and_then(|deadline| clock::timestamp(deadline.due)),
            last_event: call.last_event,
            last_event_at: clock::timestamp(call.last_event_at),
            conversation_id: call.conversation.map(|id| id.as_str().to_owned()),
            actors: call.actors,
        }
    }
}

/// All live calls at one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveAnswer {
    /// Time of the answer, because clocks differ.
    now: Option<Timestamp>,
    /// Health of precall.
    health: HealthAnswer,
    /// The calls, oldest first.
    items: Vec<LiveView>,
}

problems!(LiveProblems: API);

/// The live calls.
#[utoipa::path(get, path = "/api/v1/live", tag = "calls", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = LiveAnswer),
    LiveProblems,
))]
pub(crate) async fn live(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    _: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let mut calls = app.engine.live();
    calls.sort_by_key(|call| (call.offered_at, call.id));
    response::json(&LiveAnswer {
        now: clock::timestamp(clock::now()),
        health: HealthAnswer::of(&app.engine.health(), SeenFigures::All),
        items: calls.into_iter().map(LiveView::of).collect(),
    })
}
