//! Voices: the list with consents, reconciliation with the account, and clones ahead of calls.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::api::{NotReconciled, Reconciled};
use precall_actors::voices::reconcile_rules::Approval;
use precall_store::reads::voices;
use precall_store::reads::voices::VoiceRow;
use serde::{Deserialize, Serialize};
use serde_json::json;
use slog::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Allowed, Read, Voice};
use super::fields::Sha256Text;
use super::json_body::OptionalJsonBody;
use super::page::{Page, id_of_cursor, limit};
use super::sight::{Sight, seen};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::changed;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, BODY, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";
/// Highest and default number of clones that one request starts.
const AHEAD_MAX: usize = 100;
const AHEAD: usize = 10;

/// A voice at ElevenLabs.
#[derive(Serialize, ToSchema)]
pub(crate) struct VoiceItem {
    /// Id at ElevenLabs.
    voice_id: String,
    /// The clone job.
    job: Uuid,
    /// The caller, E.164, masked without the scope `pii`; null once erased.
    caller_id: Option<String>,
    /// Speaker who gave the consent; null where none was needed.
    speaker: Option<Uuid>,
    /// Position of the consent in the log of consents.
    #[schema(minimum = 1)]
    consent: Option<i64>,
    /// SHA-256 of its sample.
    #[schema(value_type = Option<Sha256Text>)]
    sample_sha256: Option<String>,
    /// When it was cloned.
    created_at: Timestamp,
    /// Calls use it until then; null when calls no longer use it.
    expires_at: Option<Timestamp>,
    /// When a call last started to use it.
    last_used_at: Option<Timestamp>,
    /// Calls that used it.
    #[schema(minimum = 0)]
    calls: Option<i32>,
}

impl VoiceItem {
    fn seen_by(sight: Sight, row: VoiceRow) -> Self {
        Self {
            voice_id: row.voice_id,
            job: row.job,
            caller_id: row.caller_id.map(|number| sight.number(number)),
            speaker: row.speaker,
            consent: row.consent,
            sample_sha256: row.sample_sha256,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            calls: row.calls,
        }
    }
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VoicesQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(ListProblems: API, DATABASE, &[Code::BadCursor]);

/// Lists voices, newest first.
#[utoipa::path(
    get, path = "/api/v1/voices", tag = "voices",
    params(VoicesQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<VoiceItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    query: web::Query<VoicesQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, before) = (limit(query.limit)?, id_of_cursor(query.cursor.as_deref())?);
    let pool = &app.pool;
    let rows = read(&app, voices::list(pool, ACCOUNT, before, limit.saturating_add(1))).await?;
    let (sight, detail) = (Sight::of(&reader.principal), json!({ "voices": rows.len() }));
    let cursor = |row: &VoiceRow| row.job.to_string();
    let page = Page::cut(rows, limit, cursor, |row| VoiceItem::seen_by(sight, row));
    Ok(seen(&reader.principal, response::json(&page)?, "voices_seen", None, detail))
}

/// Confirmation of a reconciliation.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReconcileOrder {
    /// True also makes changes that need a confirmation: many at once, or with a database that is new to this account.
    yes: bool,
}

/// Differences between account and tables, and what was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReconcileAnswer {
    /// Voices of this installation at ElevenLabs, by name.
    at_provider: usize,
    /// Voices in the tables.
    known: usize,
    /// At ElevenLabs only.
    strays: Vec<String>,
    /// In the tables only.
    gone: Vec<String>,
    /// Deleted `strays`.
    deleted: usize,
    /// `strays` that could not be deleted.
    not_deleted: usize,
    /// Why nothing was changed. Check the lists, then send `{"yes": true}`.
    needs_yes: Option<String>,
}

impl From<Reconciled> for ReconcileAnswer {
    fn from(done: Reconciled) -> Self {
        let names = |voices: Vec<precall_call::VoiceId>| voices.iter().map(ToString::to_string).collect();
        Self {
            at_provider: done.found.ours,
            known: done.found.known,
            strays: names(done.found.strays),
            gone: names(done.found.gone),
            deleted: done.deleted,
            not_deleted: done.not_deleted,
            needs_yes: done.objection,
        }
    }
}

problems!(ReconcileProblems: API, SCOPE, ONCE, BODY,
    &[Code::CannotKeep, Code::ProviderUnreachable, Code::TooManyAtOnce]);

/// Reconciles the voices at ElevenLabs with the tables.
#[utoipa::path(
    post, path = "/api/v1/voices/reconcile", tag = "voices",
    request_body = ReconcileOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = ReconcileAnswer),
        ReconcileProblems,
    ),
)]
pub(crate) async fn reconcile(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    order: OptionalJsonBody<ReconcileOrder>,
) -> Result<HttpResponse, Problem> {
    let yes = order.yes;
    let approval = if yes { Approval::Given } else { Approval::NotAsked };
    let done = app.engine.reconcile_voices(approval).await.map_err(|error| {
        let code = match &error {
            NotReconciled::UnderWay => Code::TooManyAtOnce,
            NotReconciled::NotReady => Code::CannotKeep,
            NotReconciled::Provider(_) => Code::ProviderUnreachable,
        };
        Problem::new(code, error.to_string())
    })?;
    info!(app.log, "voices reconciled"; "key" => %admin.principal.name, "yes" => yes,
        "strays" => done.found.strays.len(), "gone" => done.found.gone.len(), "deleted" => done.deleted);
    let detail = json!({ "yes": yes, "strays": done.found.strays.len(), "gone": done.found.gone.len(),
        "deleted": done.deleted });
    Ok(changed(response::json(&ReconcileAnswer::from(done))?, "voices_reconciled", None, detail))
}

/// How many clones to start.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AheadOrder {
    /// Highest number of clones: 1 to 100, 10 when missing.
    #[schema(minimum = 1, maximum = 100, default = 10)]
    limit: Option<usize>,
}

/// Clones that were started.
#[derive(Serialize, ToSchema)]
pub(crate) struct AheadAnswer {
    /// Callers within the limit who called in the last 30 days, may have a voice, and have none.
    wanting: usize,
    /// Started clones.
    begun: usize,
    /// Free voice slots; null if the account's limit is unknown.
    free: Option<usize>,
}

problems!(WarmProblems: API, SCOPE, ONCE, BODY, &[Code::CannotKeep]);

/// Clones voices of frequent callers ahead of their calls, into free slots only.
#[utoipa::path(
    post, path = "/api/v1/voices/warm", tag = "voices",
    request_body = AheadOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = AheadAnswer),
        WarmProblems,
    ),
)]
pub(crate) async fn warm(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    order: OptionalJsonBody<AheadOrder>,
) -> Result<HttpResponse, Problem> {
    let most = order.limit.unwrap_or(AHEAD);
    if !(1..=AHEAD_MAX).contains(&most) {
        return Err(Problem::new(Code::BadField, format!("limit must be from 1 to {AHEAD_MAX}")));
    }
    let begun = app.engine.clone_ahead(most).await.map_err(|error| Problem::new(Code::CannotKeep, error))?;
    info!(app.log, "voices are cloned ahead"; "key" => %admin.principal.name, "begun" => begun.begun);
    let detail = json!({ "wanting": begun.wanting, "begun": begun.begun });
    let answer = AheadAnswer { wanting: begun.wanting, begun: begun.begun, free: begun.free };
    let answer = response::json_with(actix_web::http::StatusCode::ACCEPTED, &answer)?;
    Ok(changed(answer, "voices_cloned_ahead", None, detail))
}
