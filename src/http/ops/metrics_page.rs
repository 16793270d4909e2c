//! `/metrics` for Prometheus.

use actix_web::{HttpResponse, web};

use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::problems;

/// OpenMetrics, the format that the library writes. Readers of the older Prometheus text format can read it too.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

problems!(Problems: &[Code::NotFound, Code::Internal]);

/// All metrics. With `METRICS_ADDR` they are on that address only, and 404 here.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    Problems,
))]
pub(crate) async fn page(app: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let page = app.engine.metrics().encode(&app.engine.health());
    let page = page.map_err(|_| Problem::of(Code::Internal))?;
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).body(page))
}
