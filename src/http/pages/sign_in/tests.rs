//! Tests of where the sign-in leads.

use super::own_path;

#[test]
fn the_sign_in_leads_to_pages_of_precall_alone() {
    for own in ["/", "/calls?state=ended", "/calls/abc#t=5"] {
        assert_eq!(own_path(Some(own)), own);
    }
    for other in [
        "",
        "calls",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "https://elsewhere.example",
        "/a\r\nb",
        "/ü",
    ] {
        assert_eq!(own_path(Some(other)), "/", "{other}");
    }
    assert_eq!(own_path(None), "/");
}
