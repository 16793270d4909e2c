//! Tests of the ranges.

use actix_web::http::StatusCode;
use actix_web::http::header::{IF_RANGE, RANGE};
use actix_web::test::TestRequest;

use super::{Part, part_of};

fn asked(range: &str) -> Option<(usize, usize, u16)> {
    let request = TestRequest::default().insert_header((RANGE, range)).to_http_request();
    part_of(&request, 100).map(|Part { first, end, status }| (first, end, status.as_u16()))
}

#[test]
fn one_range_is_a_part_and_all_else_is_the_whole() {
    for (range, part) in [
        ("bytes=0-", Some((0, 100, 206))),
        ("bytes=0-1", Some((0, 2, 206))),
        ("bytes=99-", Some((99, 100, 206))),
        ("bytes=90-400", Some((90, 100, 206))),
        ("bytes=-10", Some((90, 100, 206))),
        ("bytes=-400", Some((0, 100, 206))),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=0-1,5-6", Some((0, 100, 200))),
        ("bytes=5-1", Some((0, 100, 200))),
        ("bytes=a-b", Some((0, 100, 200))),
        ("bytes=99999999999999999999999-", Some((0, 100, 200))),
        ("lines=1-2", Some((0, 100, 200))),
        ("", Some((0, 100, 200))),
    ] {
        assert_eq!(asked(range), part, "{range}");
    }
}

#[test]
fn a_condition_on_a_validator_never_holds() {
    let request =
        TestRequest::default().insert_header((RANGE, "bytes=1-")).insert_header((IF_RANGE, "\"x\""));
    let part = part_of(&request.to_http_request(), 100);
    assert_eq!(part, Some(Part { first: 0, end: 100, status: StatusCode::OK }));
}

#[test]
fn an_empty_file_has_no_range() {
    let request = TestRequest::default().insert_header((RANGE, "bytes=0-")).to_http_request();
    assert_eq!(part_of(&request, 0), None);
}
