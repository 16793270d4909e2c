//! `/metrics` for Prometheus.

use actix_web::{HttpResponse, web};

use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::problems;
use crate::http::ops::figures;
use crate::http::status::seen_figures::SeenFigures;

/// OpenMetrics, the format that the library writes. Readers of the older Prometheus text format can read it too.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

problems!(Problems: figures::PROBLEMS, &[Code::Unauthenticated]);

/// All metrics. Beside a listener for management (`METRICS_ADDR`, the default in production) they need a key here.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    Problems,
))]
pub(crate) async fn page(app: web::Data<AppState>, seen: SeenFigures) -> Result<HttpResponse, Problem> {
    if seen == SeenFigures::None {
        let detail = "send an API key, or ask the address of METRICS_ADDR";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    let page = app.engine.metrics().encode(&app.engine.health());
    let page = page.map_err(|_| Problem::of(Code::Internal))?;
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).body(page))
}
