//! Which web pages may open a WebSocket. A browser sends cookies with a WebSocket to any host, and asks nobody first.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};
use url::Url;

use crate::config::CorsOrigins;
use crate::http::error::{Code, Problem};

/// Refuses a page that is neither precall's own nor in `CORS_ORIGINS`. `*` names no page. A client without `Origin` is
/// no browser.
pub(super) fn check(request: &HttpRequest, origins: &CorsOrigins) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = origin.to_str().unwrap_or_default();
    if is_own(origin, host) || is_listed(origin, origins) {
        return Ok(());
    }
    Err(Problem::of(Code::OriginNotAllowed))
}

/// Whether the page comes from the host that was asked, over HTTP or HTTPS.
fn is_own(origin: &str, host: &str) -> bool {
    let parsed = |text: &str| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(page) = parsed(origin) else { return false };
    let Some(asked) = parsed(&format!("{}://{host}", page.scheme())) else { return false };
    page.host_str().is_some() && page.origin() == asked.origin()
}

fn is_listed(origin: &str, origins: &CorsOrigins) -> bool {
    match origins {
        CorsOrigins::None | CorsOrigins::Any => false,
        CorsOrigins::These(list) => list.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn passes(origin: Option<&str>, host: &str, origins: &CorsOrigins) -> bool {
        let mut request = TestRequest::default().insert_header((HOST, host));
        if let Some(origin) = origin {
            request = request.insert_header((ORIGIN, origin));
        }
        check(&request.to_http_request(), origins).is_ok()
    }

    #[test]
    fn a_page_of_another_host_is_refused_unless_it_is_listed() {
        let listed = CorsOrigins::These(vec!["https://desk.example".to_owned()]);
        for (origin, host, is_right) in [
            (None, "calls.example", true),
            (Some("https://calls.example"), "calls.example", true),
            (Some("https://CALLS.example"), "calls.example", true),
            (Some("https://calls.example"), "calls.example:443", true),
            (Some("http://127.0.0.1:3006"), "127.0.0.1:3006", true),
            (Some("https://desk.example"), "calls.example", true),
            (Some("https://desk.example:444"), "calls.example", false),
            (Some("http://127.0.0.1:3007"), "127.0.0.1:3006", false),
            (Some("https://calls.example.evil"), "calls.example", false),
            (Some("https://evil.example"), "calls.example", false),
            (Some("null"), "calls.example", false),
            (Some(""), "calls.example", false),
            (Some("file://calls.example"), "calls.example", false),
            (Some("https://calls.example"), "", false),
        ] {
            assert_eq!(passes(origin, host, &listed), is_right, "{origin:?} at {host}");
        }
        assert!(!passes(Some("https://desk.example"), "calls.example", &CorsOrigins::Any));
        assert!(!passes(Some("https://desk.example"), "calls.example", &CorsOrigins::None));
    }
}
