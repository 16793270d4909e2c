//! Tests of problems.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]
use std::collections::HashSet;

use actix_web::ResponseError;
use precall_store::StoreError;

use super::{Code, Problem};

#[test]
fn names_are_unique_and_statuses_are_errors() {
    let names: HashSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!((400..=503).contains(&code.status()), "{code:?}");
        assert!(Problem::of(*code).status_code().as_u16() == code.status(), "{code:?}");
    }
}

#[test]
fn only_429_and_503_have_retry_after() {
    for code in Code::ALL {
        let says = Problem::of(*code).error_response().headers().contains_key("retry-after");
        assert_eq!(says, matches!(code.status(), 429 | 503), "{code:?}");
    }
}

#[test]
fn internal_faults_show_no_detail() {
    let problem = Problem::from(StoreError::Refused("42703 column secret does not exist".to_owned()));
    assert_eq!(problem.status_code().as_u16(), 500);
    assert!(!problem.body().contains("secret"));
    let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
    assert_eq!(body["type"], "urn:precall:problem:internal");
    assert_eq!(body["status"], 500);
}
