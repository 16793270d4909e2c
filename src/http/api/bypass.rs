//! Bypass: new calls of a line, or of all lines, go to the fallback destination.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::api::NotBypassed;
use precall_call::At;
use precall_store::bypass::BypassRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Allowed, Operate, Read};
use super::fields::{self, REASON_MAX, ReasonText};
use super::json_body::JsonBody;
use super::page::NoQuery;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::{timestamp, wall};
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, BODY, ENGINE, SCOPE, problems};
use crate::http::response;

/// The longest time that can be given: a bypass for longer has no end.
const SECONDS_MAX: u64 = 365 * 24 * 3600;

/// A bypass in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct BypassItem {
    /// The line; null for every line.
    line: Option<String>,
    /// Until when; null until somebody switches it off.
    until: Option<Timestamp>,
    /// Why, in the operator's words.
    reason: String,
    /// The name of the API key.
    by: String,
    /// Since when.
    since: Option<Timestamp>,
}

impl From<BypassRow> for BypassItem {
    fn from(row: BypassRow) -> Self {
        Self {
            line: Some(row.line).filter(|line| !line.is_empty()),
            until: row.until.and_then(timestamp),
            reason: row.reason,
            by: row.who,
            since: timestamp(row.changed_at),
        }
    }
}

/// The bypasses in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bypasses {
    /// That of every line first.
    items: Vec<BypassItem>,
}

problems!(ListProblems: API);

/// Lists the bypasses in force.
#[utoipa::path(get, path = "/api/v1/bypass", tag = "calls", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = Bypasses),
    ListProblems,
))]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    _: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    response::json(&in_force(&app))
}

fn in_force(app: &AppState) -> Bypasses {
    Bypasses { items: app.engine.bypasses().into_iter().map(BypassItem::from).collect() }
}

/// Switches a bypass.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BypassOrder {
    /// True: new calls go to the fallback destination, without any contact to ElevenLabs. False: they are taken again.
    on: bool,
    /// The line, as in `line` of a call; without it every line.
    line: Option<String>,
    /// After this time it is off again: 1 to 31,536,000 seconds. Without it, when somebody switches it off.
    #[schema(minimum = 1, maximum = 31_536_000)]
    for_seconds: Option<u64>,
    /// Why, for people.
    #[schema(value_type = ReasonText)]
    reason: String,
}

problems!(SwitchProblems: API, SCOPE, BODY, ENGINE);

/// Switches a bypass, at once and over restarts, also while the database is away. The answer shows what is in force.
#[utoipa::path(
    put, path = "/api/v1/bypass", tag = "calls",
    request_body = BypassOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Bypasses),
        SwitchProblems,
    ),
)]
pub(crate) async fn switch(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    order: JsonBody<BypassOrder>,
) -> Result<HttpResponse, Problem> {
    let BypassOrder { on, line, for_seconds, reason } = order.into_inner();
    fields::line("reason", &reason, REASON_MAX)?;
    if for_seconds.is_some_and(|seconds| !on || !(1..=SECONDS_MAX).contains(&seconds)) {
        let words = format!("`for_seconds` must be from 1 to {SECONDS_MAX}, and only with `on`: true");
        return Err(Problem::new(Code::BadField, words));
    }
    let now = wall();
    let word = BypassRow {
        line: line.unwrap_or_default(),
        is_on: on,
        until: for_seconds.map(|seconds| now.plus(Duration::from_secs(seconds))),
        reason,
        who: operator.principal.name.to_string(),
        changed_at: At(0),
    };
    app.engine.set_bypass(word).await.map_err(|error| match error {
        NotBypassed::NoSuchLine(lines) => {
            let known = lines.join(", ");
            Problem::new(
                Code::BadField,
                format!("`line` must be one of: {known}; or leave it out for every line"),
            )
        }
        NotBypassed::Busy(busy) => Problem::from(busy),
    })?;
    // The audit row is written where the word gets into the database, which may be later.
    Ok(recorded(response::json(&in_force(&app))?))
}
