//! Middleware: writes an audit row for every change by API, and for every look at personal data. No handler can forget
//! a change: a handler that says nothing gets a row with its method and path. A refused request changes nothing and has
//! no row; the log has it.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use precall_store::StoreError;
use precall_store::people::audit;
use serde_json::{Value, json};
use slog::warn;
use uuid::Uuid;

use super::app_state::AppState;
use super::clock;
use super::error::{Code, Problem};
use crate::config::Principal;

/// Time limit for the row. The change is done, and its answer must not wait for a dead database.
const LONGEST: Duration = Duration::from_secs(2);

/// What a request changed. Stored in the extensions of the response.
#[derive(Clone, Debug)]
enum Change {
    /// The transaction of the change has written its row.
    Recorded,
    /// The row to write. Without personal data.
    Row { action: &'static str, subject: Option<Uuid>, detail: Option<Value> },
}

/// Says that the transaction of the change has written the audit row.
pub(crate) fn recorded(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Change::Recorded);
    response
}

/// Says what was changed. `detail` must not hold personal data.
pub(crate) fn changed(
    mut response: HttpResponse,
    action: &'static str,
    subject: Option<Uuid>,
    detail: impl Into<Option<Value>>,
) -> HttpResponse {
    response.extensions_mut().insert(Change::Row { action, subject, detail: detail.into() });
    response
}

/// Says that the answer shows personal data: numbers, or what was said. Without its row there is no such answer.
pub(crate) fn seen(
    response: HttpResponse,
    action: &'static str,
    subject: Option<Uuid>,
    detail: impl Into<Option<Value>>,
) -> HttpResponse {
    changed(response, action, subject, detail)
}

/// Writes the audit row of a successful change or of a look at personal data, before the answer.
pub(crate) async fn audited<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let app = request.app_data::<web::Data<AppState>>().cloned();
    let response = next.call(request).await?;
    // A form of the dashboard is answered with a redirect.
    let is_done = response.status().is_success() || response.status() == StatusCode::SEE_OTHER;
    let (true, Some(app)) = (is_done, app) else { return Ok(response) };
    let change = response.response().extensions().get::<Change>().cloned();
    if is_read && change.is_none() {
        return Ok(response);
    }
    let (action, subject, detail) = match change {
        Some(Change::Recorded) => return Ok(response),
        Some(Change::Row { action, subject, detail }) => (action.to_owned(), subject, detail),
        None => unnamed(&response),
    };
    let who = response.request().extensions().get::<Principal>().map(|principal| principal.name.clone());
    let written = record(&app, who.as_deref().unwrap_or("unknown"), &action, subject, detail).await;
    // What was done is done; what would be seen need not be.
    if is_read && !written { Err(Problem::of(Code::DatabaseUnreachable).into()) } else { Ok(response) }
}

/// The row of a handler that says nothing. The path is a pattern, so that no number is in it.
fn unnamed<B>(response: &ServiceResponse<B>) -> (String, Option<Uuid>, Option<Value>) {
    let request = response.request();
    let id = request.match_info().get("id").and_then(|id| Uuid::try_parse(id).ok());
    let path = request.match_pattern().unwrap_or_default();
    (format!("{} {path}", request.method()), id, Some(json!({ "status": response.status().as_u16() })))
}

/// Writes a row. If that fails, the log line is the only record. Returns whether it was written. `detail` must not hold
/// personal data.
pub(crate) async fn record(
    app: &AppState,
    who: &str,
    action: &str,
    subject: Option<Uuid>,
    detail: Option<Value>,
) -> bool {
    let writing = async {
        let client = app.pool.get().await?;
        audit::record(&**client, who, action, subject, detail, clock::wall()).await
    };
    let written = tokio::time::timeout(LONGEST, writing).await.unwrap_or(Err(StoreError::TooSlow));
    if let Err(error) = &written {
        warn!(app.log, "audit log could not be written"; "action" => action, "key" => who,
            "subject" => subject.map(|subject| subject.to_string()), "error" => %error);
    }
    written.is_ok()
}
