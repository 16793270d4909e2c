//! What a page answers when it cannot be shown: the sign-in page, or a page with the problem.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{document, secured};
use crate::http::error::Problem;

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Nobody has signed in. `next`: the page to show afterwards.
    SignIn {
        /// Path and query.
        next: Option<String>,
    },
    /// A problem, as the API has it.
    Problem(Problem),
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn { .. } => f.write_str("nobody has signed in"),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::Problem(problem) => problem.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::SignIn { next } => {
                let next = next
                    .as_deref()
                    .filter(|next| *next != "/")
                    .map(|next| format!("?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)));
                let place = format!("/sign-in{}", next.unwrap_or_default());
                response.insert_header((header::LOCATION, place)).finish()
            }
            Self::Problem(problem) => {
                secured(&mut response, "text/html; charset=utf-8");
                if let Some(seconds) = problem.retry_after() {
                    response.insert_header((header::RETRY_AFTER, seconds));
                }
                let body = document::bare(
                    problem.code.title(),
                    &html! {
                        p { (problem.detail) }
                        p { a href="/" { "Back to the live calls" } }
                    },
                );
                response.body(body.into_string())
            }
        }
    }
}
