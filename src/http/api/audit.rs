//! The audit log: who changed what.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_store::people::audit;
use precall_store::people::audit::{AuditFilter, AuditRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Admin, Allowed};
use super::page::{Page, id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, DATABASE, SCOPE, problems};
use crate::http::response;

/// A change, without personal data.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditItem {
    /// Id, ordered by time.
    id: Uuid,
    /// Time of the change.
    at: Timestamp,
    /// Name of an API key, or `command line`.
    who: String,
    /// The action.
    action: String,
    /// Id of the mapping, speaker or erasure.
    subject: Option<Uuid>,
    /// Details, by action.
    #[schema(value_type = Option<Object>)]
    detail: Option<Value>,
}

impl From<AuditRow> for AuditItem {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            who: row.who,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        }
    }
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Name of an API key, or `command line`.
    #[param(max_length = 200)]
    who: Option<String>,
    /// The action.
    #[param(max_length = 200)]
    action: Option<String>,
    /// Id of what was changed.
    subject: Option<Uuid>,
}

problems!(ListProblems: API, SCOPE, DATABASE, &[Code::BadCursor]);

/// Lists changes by administrators, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit",
    params(AuditQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<AuditItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Admin>,
    query: web::Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    let AuditQuery { limit: most, cursor, who, action, subject } = query.into_inner();
    let (limit, before) = (limit(most)?, id_of_cursor(cursor.as_deref())?);
    let filter = AuditFilter { who, action, subject };
    let rows = read(&app, audit::list(&app.pool, &filter, before, limit.saturating_add(1))).await?;
    response::json(&Page::cut(rows, limit, |row: &AuditRow| row.id.to_string(), AuditItem::from))
}
