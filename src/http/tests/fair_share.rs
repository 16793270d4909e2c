//! Rate limit of one source.

use std::num::NonZeroU32;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{PATIENCE, connect, get};
use super::harness::{POSTCALL, READER, THREECX, run, run_with, settings};
use crate::http::Settings;

const CALL: &str = r#"{"event_type":"IncomingCall","call_id":"1","caller_id":"+12025550123"}"#;
const REPORT: &str =
    r#"{"call_id":"c2","agent_id":"a","transcript":"hello","duration_seconds":"12","status":"completed"}"#;

#[actix_web::test]
async fn a_flood_gets_429_at_once_and_does_not_affect_others() {
    let server = run_with(Settings { source_limit: NonZeroU32::new(3).unwrap(), ..settings() });
    let mut taken = 0;
    for _ in 0..30 {
        let answer = server.post(THREECX, CALL).await;
        if answer.status == 200 {
            taken += 1;
            continue;
        }
        assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_from_source"));
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.headers["ratelimit-policy"], "\"address\";q=3;w=1");
        assert_eq!(answer.headers["ratelimit"], "\"address\";r=0;t=1");
    }
    assert!((3..30).contains(&taken), "{taken}");
    assert_eq!(server.engine.asked().len(), taken, "nothing of the others was looked at");
    assert_eq!(server.post(POSTCALL, REPORT).await.status, 200, "reports are counted apart");
    assert_eq!(get(server.address, "/health", &[]).await.status, 200);
    // The API says what is left before it is too late.
    let mut left = Vec::new();
    for _ in 0..4 {
        let answer = get(server.address, "/api/v1/live", &[("x-api-key", READER)]).await;
        left.push((answer.status, answer.headers["ratelimit"].clone()));
    }
    assert_eq!(left.first(), Some(&(200, "\"address\";r=2;t=1".to_owned())), "{left:?}");
    let page = get(server.address, "/metrics", &[]).await;
    assert!(page.body.contains("outcome=\"too_many_from_source\""), "{}", page.body);
}

#[actix_web::test]
async fn an_endless_head_times_out() {
    let server = run();
    let mut stream = connect(server.address).await;
    stream.write_all(b"POST /webhook/3cx HTTP/1.1\r\nhost: x\r\nx-slow").await.unwrap();
    let mut said = Vec::new();
    // The server closes the connection, with or without an answer.
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok());
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
}
