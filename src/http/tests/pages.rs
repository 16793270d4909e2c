//! Sessions of the dashboard: signing in and out, and what a page may change.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::client::{Answer, PATIENCE, connect, get, head, read_until, send};
use super::harness::{OPERATOR, READER, Running, run};

/// Sends the form of a page.
pub(super) async fn post(server: &Running, path: &str, cookie: &str, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
    send(server.address, "POST", path, &headers, form.as_bytes()).await
}

/// Signs in. Returns the cookie and the token of the session.
pub(super) async fn sign_in(server: &Running, key: &str) -> (String, String) {
    let answer = post(server, "/sign-in", "", &format!("key={key}&next=%2Fcalls")).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/calls"));
    let set = &answer.headers["set-cookie"];
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let page = get(server.address, "/", &[("cookie", &cookie)]).await;
    assert_eq!(page.status, 200, "{page:?}");
    let token = page.body.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    (cookie.clone(), token.to_owned())
}

#[actix_web::test]
async fn a_page_needs_a_session_and_loads_only_its_own_files() {
    let server = run();
    let answer = get(server.address, "/?order=new", &[]).await;
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (303, "/sign-in?next=%2F%3Forder%3Dnew")
    );
    let (cookie, _) = sign_in(&server, READER).await;
    let page = get(server.address, "/", &[("cookie", &cookie)]).await;
    let files: Vec<&str> = page.body.split('"').filter(|text| text.starts_with("/assets/")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let file = get(server.address, path, &[]).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.headers["cache-control"].contains("immutable"));
        assert!(file.headers["content-security-policy"].contains("default-src 'none'"));
    }
    for forbidden in ["http://", "https://", " style=", "onclick", READER] {
        assert!(!page.body.contains(forbidden), "{forbidden}");
    }
    let policy = &page.headers["content-security-policy"];
    assert!(policy.contains("script-src 'self'; ") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-store");
}

#[actix_web::test]
async fn a_change_by_a_page_needs_the_token_of_its_session() {
    let server = run();
    let (cookie, token) = sign_in(&server, OPERATOR).await;
    let (_, other) = sign_in(&server, OPERATOR).await;
    let path = "/api/v1/bypass";
    let put = async |headers: &[(&str, &str)]| {
        send(server.address, "PUT", path, headers, b"{\"on\":true,\"reason\":\"test\"}").await.status
    };
    let json = ("content-type", "application/json");
    for refused in [
        vec![json],
        vec![json, ("x-csrf-token", &token)],
        vec![json, ("cookie", &cookie)],
        vec![json, ("cookie", &cookie), ("x-csrf-token", &other)],
        vec![json, ("cookie", &cookie), ("x-csrf-token", &token), ("sec-fetch-site", "same-site")],
        vec![json, ("cookie", &cookie), ("x-csrf-token", &token), ("origin", "https://elsewhere.example")],
    ] {
        assert!([401, 403].contains(&put(&refused).await), "{refused:?}");
    }
    let good = [json, ("cookie", &cookie), ("x-csrf-token", &token), ("sec-fetch-site", "same-origin")];
    assert!(![401, 403].contains(&put(&good).await));
}

#[actix_web::test]
async fn signing_out_ends_the_session() {
    let server = run();
    let (cookie, token) = sign_in(&server, READER).await;
    assert_eq!(post(&server, "/sign-out", &cookie, "csrf=wrong").await.status, 403);
    let answer = post(&server, "/sign-out", &cookie, &format!("csrf={token}")).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/sign-in"));
    assert_eq!(get(server.address, "/", &[("cookie", &cookie)]).await.status, 303);
    assert_eq!(get(server.address, "/api/v1/live", &[("cookie", &cookie)]).await.status, 401);
}

#[actix_web::test]
async fn a_stream_ends_with_the_session_that_it_began_with() {
    let server = run();
    let (cookie, token) = sign_in(&server, READER).await;
    let mut streams = Vec::new();
    for path in ["/api/v1/live/stream", "/api/v1/events"] {
        let mut stream = connect(server.address).await;
        stream.write_all(head("GET", path, &[("cookie", &cookie)]).as_bytes()).await.unwrap();
        read_until(&mut stream, "retry: 2000").await;
        streams.push(stream);
    }
    assert_eq!(post(&server, "/sign-out", &cookie, &format!("csrf={token}")).await.status, 303);
    for mut stream in streams {
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the stream ends").unwrap();
    }
}

#[actix_web::test]
async fn a_wrong_key_begins_no_session() {
    let server = run();
    let answer = post(&server, "/sign-in", "", "key=too-short").await;
    assert_eq!(answer.status, 401);
    assert!(
        !answer.headers.contains_key("set-cookie") && answer.body.contains("role=\"alert\""),
        "{answer:?}"
    );
}

#[actix_web::test]
async fn a_page_reads_the_api_with_masks() {
    let server = run();
    let (cookie, _) = sign_in(&server, READER).await;
    assert_eq!(get(server.address, "/api/v1/live", &[("cookie", &cookie)]).await.status, 200);
    assert_eq!(get(server.address, "/api/v1/audit", &[("cookie", &cookie)]).await.status, 403);
}
