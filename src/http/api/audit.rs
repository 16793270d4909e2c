//! The audit log over the API: who changed what.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_store::people::audit;
use precall_store::people::audit::AuditRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Admin, Allowed};
use super::page::{Page, id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::response;

/// A change; nothing in it is personal.
#[derive(Serialize, ToSchema)]
pub struct AuditItem {
    /// Time-ordered.
    id: Uuid,
    /// When.
    at: Timestamp,
    /// The name of a key, or `command line`.
    who: String,
    /// What was done.
    action: String,
    /// To which mapping, speaker or erasure.
    subject: Option<Uuid>,
    /// More of it, by action.
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

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what administrators changed, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = Page<AuditItem>),
    (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Admin>,
    query: web::Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, before) = (limit(query.limit)?, id_of_cursor(query.cursor.as_deref())?);
    let rows = read(&app, audit::list(&app.pool, before, limit.saturating_add(1))).await?;
    response::json(&Page::cut(rows, limit, |row: &AuditRow| row.id.to_string(), AuditItem::from))
}
