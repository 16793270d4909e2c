//! The live calls in the engine's memory, for the live board. They are right even during a database outage.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Allowed, Read};
use super::live_views::{CountersView, EndedView, LiveView};
use super::page::NoQuery;
use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::openapi::problems::{API, problems};
use crate::http::status::health::HealthAnswer;
use crate::http::status::seen_figures::SeenFigures;
use crate::http::{clock, response};

/// All live calls at one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveAnswer {
    /// Time of the answer, because clocks differ.
    now: Option<Timestamp>,
    /// Health of precall.
    health: HealthAnswer,
    /// Calls by state.
    counters: CountersView,
    /// The calls, oldest first.
    items: Vec<LiveView>,
    /// The calls that ended in the last five minutes, the earliest end first; at most 500.
    ended: Vec<EndedView>,
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
    let mut board = app.engine.board().view(clock::now());
    board.live.sort_by_key(|call| (call.offered_at, call.id));
    response::json(&LiveAnswer {
        now: clock::timestamp(clock::now()),
        health: HealthAnswer::of(&app.engine.health(), SeenFigures::All),
        counters: board.counters.into(),
        items: board.live.into_iter().map(LiveView::of).collect(),
        ended: board.ended.into_iter().map(EndedView::of).collect(),
    })
}
