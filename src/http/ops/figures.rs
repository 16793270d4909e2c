//! Who sees figures: metrics, capacity, problems, version.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::config::Scope;
use crate::http::api::auth::{authorise, presented_key};
use crate::http::app_state::AppState;
use crate::http::client_address;
use crate::http::error::{Code, Problem};
use crate::http::outcome_metrics::refused;
use crate::http::settings::Figures;
use crate::http::status::seen_figures::SeenFigures;

/// What a request is answered whose key does not count.
pub(super) const PROBLEMS: &[Code] = &[
    Code::Unauthenticated,
    Code::TooManyWrongKeys,
    Code::AddressNotTrusted,
    Code::Forbidden,
    Code::Internal,
];

impl FromRequest for SeenFigures {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(seen(request))
    }
}

/// A wrong key is refused and counted as in the API: keys must not be tried here, past the limit of wrong ones.
fn seen(request: &HttpRequest) -> Result<SeenFigures, Problem> {
    let app = AppState::of(request)?;
    if app.figures == Figures::Open {
        return Ok(SeenFigures::All);
    }
    if presented_key(request).is_none() {
        return Ok(SeenFigures::None);
    }
    match authorise(request, Scope::Read) {
        Ok(_) => Ok(SeenFigures::All),
        // Health is asked above all while the database is away.
        Err(problem) if problem.code == Code::DatabaseUnreachable => Ok(SeenFigures::None),
        Err(problem) => {
            refused(&app, problem.code.name(), client_address::address(request, &app.settings()));
            Err(problem)
        }
    }
}
