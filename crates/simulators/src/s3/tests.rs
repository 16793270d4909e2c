//! The signature of the one example that Amazon publishes, and pages of versions.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use actix_web::test::TestRequest;
use bytes::Bytes;
use jiff::Timestamp;

use super::Options;
use super::list::{Asked, answer};
use super::objects::{Absent, Objects, Versioning};
use super::signature::check;

/// From the documentation of presigned addresses.
const EXAMPLE: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
    &X-Amz-Date=20130524T000000Z\
    &X-Amz-Expires=86400\
    &X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

fn options() -> Options {
    Options {
        bucket: "examplebucket".to_owned(),
        region: "us-east-1".to_owned(),
        key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        ..Options::default()
    }
}

#[test]
fn the_published_example_is_good_for_its_day_and_nothing_else() {
    let ask = |address: &str, options: &Options, at: &str| {
        let request =
            TestRequest::get().uri(address).insert_header(("host", "examplebucket.s3.amazonaws.com"));
        let at: Timestamp = at.parse().unwrap();
        check(&request.to_http_request(), options, at)
    };
    let good = "2013-05-24T12:00:00Z";
    assert_eq!(ask(EXAMPLE, &options(), good), Ok(()));
    assert_eq!(ask(EXAMPLE, &options(), "2013-05-25T00:00:01Z"), Err((403, "AccessDenied")));
    assert_eq!(ask(EXAMPLE, &options(), "2013-05-23T23:00:00Z"), Err((403, "AccessDenied")));
    let wrong = Err((403, "SignatureDoesNotMatch"));
    assert_eq!(ask(&EXAMPLE.replace("test.txt", "test.tx"), &options(), good), wrong);
    assert_eq!(ask(&format!("{EXAMPLE}&versionId=1"), &options(), good), wrong);
    assert_eq!(ask(EXAMPLE, &Options { secret: "another".to_owned(), ..options() }, good), wrong);
    let other = Options { key_id: "another".to_owned(), ..options() };
    assert_eq!(ask(EXAMPLE, &other, good), Err((403, "InvalidAccessKeyId")));
    assert_eq!(ask("/test.txt", &options(), good), Err((403, "AccessDenied")));
}

#[test]
fn versions_come_in_pages_and_go_one_by_one() {
    let mut objects = Objects::new(Versioning::Kept);
    let put = |objects: &mut Objects, key: &str| objects.put(key, Bytes::from_static(b"x")).unwrap().id;
    let first = put(&mut objects, "a&b");
    put(&mut objects, "a&b");
    objects.delete("a&b", None);
    put(&mut objects, "a&b.old");
    assert!(matches!(objects.get("a&b", None), Err(Absent::Deleted)));
    assert!(objects.get("a&b", Some(&first)).is_ok());
    let one = answer(&objects, "voices", &Asked { prefix: "a".to_owned(), ..Asked::default() }, 2);
    assert!(one.contains("<IsTruncated>true") && one.matches("<Key>a&amp;b</Key>").count() == 2, "{one}");
    assert!(one.contains("<NextVersionIdMarker>2/+=<"), "{one}");
    let asked = Asked {
        prefix: "a".to_owned(),
        key_marker: Some("a&b".to_owned()),
        version_marker: Some("2/+=".to_owned()),
        is_encoded: true,
    };
    let two = answer(&objects, "voices", &asked, 2);
    assert!(two.contains("<IsTruncated>false") && two.contains("<Key>a%26b</Key><VersionId>1/+=<"), "{two}");
    assert!(two.contains("<Key>a%26b.old</Key>") && !two.contains("DeleteMarker"), "{two}");
    for id in ["1/+=", "2/+=", "3/+="] {
        objects.delete("a&b", Some(id));
    }
    assert!(matches!(objects.get("a&b", None), Err(Absent::Never)));
}

#[actix_web::test]
async fn an_error_names_its_request_once() {
    let refused = super::server::error(404, "NoSuchKey");
    let id = refused.headers().get("x-amz-request-id").unwrap().to_str().unwrap().to_owned();
    let body = actix_web::body::to_bytes(refused.into_body()).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(text.contains(&format!("<Code>NoSuchKey</Code><RequestId>{id}</RequestId>")), "{text}");
}
