//! Calls: the list, one call, its events.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_call::{Blame, CallId, Cause, Told};
use precall_store::reads::call_list::{self, CallFilter, Liveness, Origin, Place};
use precall_store::reads::calls::{CallDetail, CallRow, ConversationRow};
use precall_store::reads::events::EventRow;
use precall_store::reads::failures::FailureRow;
use precall_store::reads::{calls, events, failures};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Allowed, Read};
use super::call_id::call_id;
use super::caller_id::caller_in_query;
use super::live_views::LiveView;
use super::page::{NoQuery, Page, cursor_of_place, limit, place_of_cursor, seq_of_cursor};
use super::sight::{Sight, seen};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{
    CALL_STATES, CALL_STATUSES, CallBlame, CallCause, CallRoute, CallState, CallStatus, CallTold,
    ConversationDial, ConversationOutcome, ConversationPurpose, VoiceMissing, WhoAnswered, components,
};
use crate::http::openapi::problems::{API, CALL, DATABASE, problems};
use crate::http::response;

/// A call in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallItem {
    /// precall's id.
    id: Uuid,
    /// The PBX's id.
    threecx_call_id: Option<String>,
    /// Id of the agent's conversation, once known.
    conversation_id: Option<String>,
    /// The caller, E.164; masked without the scope `pii`.
    caller_id: Option<String>,
    /// The called number, E.164 or as the PBX wrote it.
    called_number: Option<String>,
    /// The line's name.
    line: String,
    /// The PBX's name.
    pbx: String,
    /// How greeting and agent reached the caller.
    #[schema(value_type = Option<CallRoute>)]
    route: Option<String>,
    /// The state.
    #[schema(value_type = CallState)]
    state: String,
    /// Whether it has had an agent.
    #[schema(value_type = CallStatus)]
    status: String,
    /// Why it ended.
    #[schema(value_type = Option<CallCause>)]
    cause: Option<String>,
    /// Who caused the end.
    #[schema(value_type = Option<CallBlame>)]
    blame: Option<String>,
    /// What the caller heard at the end.
    #[schema(value_type = Option<CallTold>)]
    told: Option<String>,
    /// Why there was no cloned voice.
    #[schema(value_type = Option<VoiceMissing>)]
    voice_missing: Option<String>,
    /// The cloned voice.
    cloned_voice_id: Option<String>,
    /// Start of the call.
    started_at: Timestamp,
    /// End of the call.
    ended_at: Option<Timestamp>,
    /// Duration of the agent's conversation.
    #[schema(minimum = 0)]
    duration_seconds: Option<i32>,
    /// `seq` of the last event in this row.
    #[schema(minimum = 0)]
    last_seq: i64,
    /// ElevenLabs' title of the agent's conversation (`analysis.call_summary_title`); null without the scope `pii`.
    summary_title: Option<String>,
    /// ElevenLabs' verdict on it: `success`, `failure` or `unknown` (`analysis.call_successful`).
    call_successful: Option<String>,
    /// What its conversations cost in ElevenLabs' credits, once reported.
    cost_credits: Option<i64>,
    /// The same in US dollars.
    cost_usd: Option<f64>,
    /// Whether it is a call of the canary, a test call of precall itself.
    canary: bool,
}

impl CallItem {
    fn seen_by(sight: Sight, row: CallRow) -> Self {
        Self {
            id: row.id,
            threecx_call_id: row.threecx_call_id,
            conversation_id: row.conversation_id,
            caller_id: row.caller_id.map(|number| sight.number(number)),
            called_number: row.called_number,
            line: row.line,
            pbx: row.pbx,
            route: row.route,
            state: row.state,
            status: row.status,
            cause: row.cause,
            blame: row.blame,
            told: row.told,
            voice_missing: row.voice_missing,
            cloned_voice_id: row.cloned_voice_id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            duration_seconds: row.duration_seconds,
            last_seq: row.last_seq,
            summary_title: sight.personal(row.summary_title),
            call_successful: row.call_successful,
            cost_credits: row.cost_credits,
            cost_usd: row.cost_usd,
            canary: row.canary,
        }
    }
}

/// Query of the list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    pub(crate) cursor: Option<String>,
    /// The state.
    #[param(value_type = Option<CallState>)]
    pub(crate) state: Option<String>,
    /// True: live calls. False: ended calls.
    pub(crate) live: Option<bool>,
    /// Whether it has had an agent.
    #[param(value_type = Option<CallStatus>)]
    pub(crate) status: Option<String>,
    /// Why the call ended.
    #[param(value_type = Option<CallCause>)]
    pub(crate) cause: Option<String>,
    /// Who caused the end.
    #[param(value_type = Option<CallBlame>)]
    pub(crate) blame: Option<String>,
    /// What the caller heard at the end.
    #[param(value_type = Option<CallTold>)]
    pub(crate) told: Option<String>,
    /// The line's name.
    #[param(max_length = 256)]
    pub(crate) line: Option<String>,
    /// The PBX's name.
    #[param(max_length = 256)]
    pub(crate) pbx: Option<String>,
    /// The caller: E.164, as dialled in DEFAULT_REGION, or an extension.
    #[param(max_length = 128)]
    pub(crate) caller_id: Option<String>,
    /// The called number, in the same forms.
    #[param(max_length = 128)]
    pub(crate) called_number: Option<String>,
    /// The PBX's id of the call. A PBX gives an id again after a restart.
    #[param(max_length = 256)]
    pub(crate) threecx_call_id: Option<String>,
    /// A conversation at ElevenLabs, of the greeting or of the agent.
    #[param(max_length = 256)]
    pub(crate) conversation_id: Option<String>,
    /// Calls that came in at this time or later, RFC 3339.
    pub(crate) since: Option<Timestamp>,
    /// Calls that came in before this time, RFC 3339.
    pub(crate) until: Option<Timestamp>,
    /// True: only calls of the canary, test calls of precall itself. False, or missing: only calls of callers.
    pub(crate) canary: Option<bool>,
}

/// A name out of a closed list.
fn one_of(name: &str, text: Option<&String>, known: &[&str]) -> Result<Option<String>, Problem> {
    let text = text.filter(|text| !text.is_empty());
    if text.is_some_and(|text| !known.contains(&text.as_str())) {
        return Err(Problem::new(Code::BadQuery, format!("{name} must be one of {}", known.join(", "))));
    }
    Ok(text.cloned())
}

impl CallsQuery {
    pub(crate) fn filter(&self, app: &AppState) -> Result<CallFilter, Problem> {
        let liveness = self.live.map(|live| if live { Liveness::Live } else { Liveness::Released });
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let number = |text: &Option<String>| given(text).map(|text| caller_in_query(app, &text)).transpose();
        let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        let blames: Vec<&str> = Blame::ALL.iter().map(|blame| blame.name()).collect();
        let told: Vec<&str> = Told::ALL.iter().map(|told| told.name()).collect();
        Ok(CallFilter {
            liveness,
            state: one_of("state", self.state.as_ref(), &CALL_STATES)?,
            status: one_of("status", self.status.as_ref(), &CALL_STATUSES)?,
            cause: one_of("cause", self.cause.as_ref(), &causes)?,
            blame: one_of("blame", self.blame.as_ref(), &blames)?,
            told: one_of("told", self.told.as_ref(), &told)?,
            line: given(&self.line),
            pbx: given(&self.pbx),
            caller: number(&self.caller_id)?,
            called: number(&self.called_number)?,
            threecx_call_id: given(&self.threecx_call_id),
            conversation: given(&self.conversation_id),
            since: self.since,
            until: self.until,
            origin: if self.canary == Some(true) { Origin::Canary } else { Origin::Callers },
        })
    }
}

problems!(ListProblems: API, DATABASE, &[Code::BadCursor, Code::BadNumber]);

/// Lists calls, newest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls",
    params(CallsQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<CallItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    query: web::Query<CallsQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, behind) = (limit(query.limit)?, place_of_cursor(query.cursor.as_deref())?);
    let filter = query.filter(&app)?;
    let most = limit.saturating_add(1);
    let rows = read(&app, app.pools.history(async |pool| call_list::list(pool, &filter, behind, most).await))
        .await?;
    let (sight, count) = (Sight::of(&reader.principal), rows.len());
    let cursor = |row: &CallRow| cursor_of_place(&Place::behind(row));
    let page = Page::cut(rows, limit, cursor, |row| CallItem::seen_by(sight, row));
    let detail = json!({ "calls": count });
    Ok(seen(&reader.principal, response::json(&page)?, "calls_seen", None, detail))
}

/// A conversation at ElevenLabs.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConversationItem {
    /// What it is for.
    #[schema(value_type = ConversationPurpose)]
    purpose: String,
    /// Number within the purpose, from 1.
    #[schema(minimum = 1)]
    ordinal: i32,
    /// Id at ElevenLabs, once known.
    conversation_id: Option<String>,
    /// Result of the dial.
    #[schema(value_type = ConversationDial)]
    dial: String,
    /// By the report.
    #[schema(value_type = ConversationOutcome)]
    outcome: String,
    /// By the report.
    #[schema(minimum = 0)]
    duration_seconds: Option<i32>,
    /// Start of the conversation.
    started_at: Timestamp,
    /// Time of the report.
    reported_at: Option<Timestamp>,
    /// What else the report says.
    #[serde(flatten)]
    report: ReportItem,
}

/// What a report says beside transcript, outcome and duration.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub(crate) struct ReportItem {
    /// ElevenLabs' reason for the end.
    termination_reason: Option<String>,
    /// In ElevenLabs' credits.
    #[serde(rename(deserialize = "cost"))]
    cost_credits: Option<i64>,
    /// In US dollars (`metadata.cost_fiat`).
    #[schema(value_type = Option<f64>)]
    cost_usd: Option<serde_json::Number>,
    /// Who answered.
    #[schema(value_type = Option<WhoAnswered>)]
    answered: Option<String>,
    /// ElevenLabs' `analysis` as it came: results of criteria, collected data, summary, title. Null without
    /// the scope `pii`.
    #[schema(value_type = Option<Object>)]
    analysis: Option<serde_json::Value>,
    /// `data` of the webhook `answering_machine_detection` as it came; null without the scope `pii`.
    #[schema(value_type = Option<Object>)]
    machine_detection: Option<serde_json::Value>,
}

impl ConversationItem {
    fn seen_by(sight: Sight, row: ConversationRow) -> Self {
        let report = row.report.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let report: ReportItem = report.unwrap_or_default();
        let (analysis, machine_detection) =
            (sight.personal(report.analysis), sight.personal(report.machine_detection));
        Self {
            purpose: row.purpose,
            ordinal: row.ordinal,
            conversation_id: row.conversation_id,
            dial: row.dial,
            outcome: row.outcome,
            duration_seconds: row.duration_seconds,
            started_at: row.started_at,
            reported_at: row.reported_at,
            report: ReportItem { analysis, machine_detection, ..report },
        }
    }
}

/// Something that failed in a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailureItem {
    /// `seq` of its event.
    #[schema(minimum = 1)]
    seq: i64,
    /// When it happened.
    at: Timestamp,
    /// Kind of the event, such as `handoff_failed`.
    kind: String,
    /// The reason's name.
    why: Option<String>,
    /// Why, in the words of the provider, the PBX or precall. Numbers are masked.
    detail: Option<String>,
    /// The clone job of a missing voice.
    job: Option<String>,
}

impl From<FailureRow> for FailureItem {
    fn from(row: FailureRow) -> Self {
        let FailureRow { seq, at, kind, why, detail, job } = row;
        Self { seq, at, kind, why, detail, job }
    }
}

/// A call with its conversations.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallAnswer {
    /// The call as in a list.
    #[serde(flatten)]
    call: CallItem,
    /// Lines of `role: message`; null without the scope `pii`.
    transcript: Option<String>,
    /// Other data of the call; null without the scope `pii`.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Named times of the call.
    #[schema(value_type = Option<Object>)]
    timings: Option<Box<RawValue>>,
    /// Its conversations at ElevenLabs, oldest first.
    conversations: Vec<ConversationItem>,
    /// What went wrong, oldest first.
    failures: Vec<FailureItem>,
    /// Id of its trace (W3C, 32 hexadecimal digits); null if the call is not traced.
    trace_id: Option<String>,
    /// State in the engine's memory, while the call is live.
    live: Option<LiveView>,
}

problems!(OneProblems: API, CALL);

/// Shows a call.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = CallAnswer),
        OneProblems,
    ),
)]
pub(crate) async fn one(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    _: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (pool, id) = (&app.pool, call_id(&app, &id).await?);
    let sight = Sight::of(&reader.principal);
    let found = read(&app, calls::find(pool, id)).await?;
    let CallDetail { call, transcript, metadata, timings } =
        found.ok_or_else(|| Problem::of(Code::CallNotFound))?;
    let conversations = read(&app, calls::conversations(pool, id)).await?;
    let failures = read(&app, failures::of_call(pool, id)).await?;
    let live = app.engine.board().find(CallId(id.as_u128()));
    let conversations = conversations.into_iter().map(|row| ConversationItem::seen_by(sight, row));
    let answer = response::json(&CallAnswer {
        call: CallItem::seen_by(sight, call),
        transcript: sight.personal(transcript),
        metadata: sight.personal(metadata),
        timings,
        conversations: conversations.collect(),
        failures: failures.into_iter().map(FailureItem::from).collect(),
        trace_id: app.engine.trace_id(CallId(id.as_u128())).map(|trace| trace.to_string()),
        live: live.map(LiveView::of),
    })?;
    Ok(seen(&reader.principal, answer, "call_seen", Some(id), None))
}

components! {
    /// An event as the log stores it: `v` is the version of the format, `kind` for example `offered`. It has other
    /// fields by its kind.
    StoredEvent = ObjectBuilder::new()
        .property("v", ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)))
        .property("kind", ObjectBuilder::new().schema_type(Type::String))
        .required("v")
        .required("kind")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)));
}

/// An event of a call, without personal data.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventItem {
    /// Number within the call, from 1.
    #[schema(minimum = 1)]
    seq: i64,
    /// When it happened.
    at: Timestamp,
    /// Position among all events.
    #[schema(minimum = 0)]
    position: i64,
    /// As stored.
    #[schema(value_type = StoredEvent)]
    event: Box<RawValue>,
    /// Why something failed, in the words of the provider, the PBX or precall. Numbers are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Query of the list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(EventsProblems: API, CALL, &[Code::BadCursor]);

/// Lists the events of a call, oldest first.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/events", tag = "calls",
    params(
        ("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation"),
        EventsQuery
    ),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<EventItem>),
        EventsProblems,
    ),
)]
pub(crate) async fn events(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    id: web::Path<String>,
    query: web::Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, behind) = (limit(query.limit)?, seq_of_cursor(query.cursor.as_deref())?);
    let (pool, id) = (&app.pool, call_id(&app, &id).await?);
    let rows = read(&app, events::of_call(pool, id, behind, limit.saturating_add(1))).await?;
    if rows.is_empty() && !read(&app, calls::exists(pool, id)).await? {
        return Err(Problem::of(Code::CallNotFound));
    }
    let cursor = |row: &EventRow| row.seq.to_string();
    let item = |row: EventRow| {
        let EventRow { seq, at, position, event, detail, .. } = row;
        EventItem { seq, at, position, event, detail }
    };
    response::json(&Page::cut(rows, limit, cursor, item))
}

#[cfg(test)]
mod tests;
