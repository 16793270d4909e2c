//! A handler that says nothing, and a database that is away.
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};

use super::harness::{OPERATOR, app_state, settings};
use super::log_lines::LogLines;
use super::scripted::Scripted;
use crate::http::api::auth::{Allowed, Operate};
use crate::http::audit_trail::audited;
use crate::http::error::{Code, Problem};

async fn silent(_: Allowed<Operate>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn refused(_: Allowed<Operate>) -> Result<HttpResponse, Problem> {
    Err(Problem::of(Code::CallNotLive))
}

#[actix_web::test]
async fn a_handler_that_says_nothing_is_audited_and_no_row_is_lost_in_silence() {
    let lines = LogLines::default();
    let mut settings = settings();
    settings.log = lines.logger();
    let state = web::Data::new(app_state(settings, Scripted::new()));
    let scope = web::scope("/api/v1")
        .route("/things/{id}", web::post().to(silent))
        .route("/things/{id}", web::get().to(silent))
        .route("/other/{id}", web::post().to(refused))
        .wrap(from_fn(audited));
    let app = init_service(App::new().app_data(state).service(scope)).await;
    let id = "01990000-0000-7000-8000-000000000001";
    for (request, status) in [
        (TestRequest::get().uri(&format!("/api/v1/things/{id}")), 200),
        (TestRequest::post().uri(&format!("/api/v1/other/{id}")), 409),
        (TestRequest::post().uri(&format!("/api/v1/things/{id}?number=%2B4930123456")), 200),
    ] {
        let request = request.insert_header(("x-api-key", OPERATOR)).to_request();
        assert_eq!(call_service(&app, request).await.status().as_u16(), status);
    }
    // The database is away, so the log line is the only record. It has all of the row.
    let lines = lines.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = [
        ("msg", "audit log could not be written"),
        ("action", "POST /api/v1/things/{id}"),
        ("key", "desk"),
        ("subject", id),
    ];
    for (field, value) in expected {
        assert_eq!(lines[0][field], value, "{lines:?}");
    }
}
