//! The page of a call and the search, as far as they need no database.

use std::sync::Arc;

use precall_actors::api::{LiveCall, Parties};
use precall_call::{CallId, ConversationId};
use uuid::Uuid;

use super::client::get;
use super::harness::{OPERATOR, READER, Running, run};
use super::pages::sign_in;
use super::scripted::live_call;

/// Where the path leads to.
async fn place(server: &Running, cookie: &str, path: &str) -> String {
    let answer = get(server.address, path, &[("cookie", cookie)]).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    answer.headers["location"].clone()
}

#[actix_web::test]
async fn the_page_of_a_call_needs_a_session_and_leads_back() {
    let server = run();
    let call = Uuid::from_u128(7);
    let answer = get(server.address, &format!("/calls/{call}?at=3"), &[]).await;
    assert_eq!(answer.status, 303);
    let next = answer.headers["location"].clone();
    assert!(next.starts_with("/sign-in?next=%2Fcalls%2F") && next.ends_with("%3Fat%3D3"), "{next}");
    assert_eq!(get(server.address, "/search?q=1", &[]).await.status, 303);
}

#[actix_web::test]
async fn a_live_call_is_shown_from_memory_while_the_database_is_away() {
    let server = run();
    let (cookie, _) = sign_in(&server, OPERATOR).await;
    let live = live_call();
    let answer = get(server.address, &format!("/calls/{}", live.id), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for part in [
        "The database cannot be reached.",
        "data-from-memory",
        &live.parties.caller,
        "call <span>0.3 ms</span>",
        "player <span class=\"bad\">",
        "/hangup",
        "/fallback-voice",
        "id=\"wire\"",
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    let (cookie, _) = sign_in(&server, READER).await;
    let answer = get(server.address, &format!("/calls/{}", live.id), &[("cookie", &cookie)]).await;
    assert!(!answer.body.contains("/hangup") && !answer.body.contains("id=\"wire\""), "{}", answer.body);
}

#[actix_web::test]
async fn a_call_that_is_over_is_not_shown_while_the_database_is_away() {
    let server = run();
    let (cookie, _) = sign_in(&server, READER).await;
    let answer = get(server.address, &format!("/calls/{}", Uuid::from_u128(7)), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.headers["content-type"].starts_with("text/html"));
    let answer = get(server.address, "/calls/x?at=later", &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

#[actix_web::test]
async fn an_id_of_the_pbx_or_a_conversation_leads_to_the_page_of_the_call() {
    let server = run();
    let (cookie, _) = sign_in(&server, READER).await;
    let call = LiveCall {
        id: CallId(9),
        parties: Arc::new(Parties {
            threecx_call_id: Some("4711".to_owned()),
            ..(*live_call().parties).clone()
        }),
        conversation: Some(ConversationId::new("conv_a/b")),
        ..live_call()
    };
    server.engine.board.put(call);
    let page = format!("/calls/{}", Uuid::from_u128(9));
    assert_eq!(place(&server, &cookie, "/calls/4711").await, page);
    assert_eq!(place(&server, &cookie, "/calls/4711?at=4").await, format!("{page}?at=4"));
    assert_eq!(place(&server, &cookie, "/calls/conv_a%2Fb").await, page);
    for (wanted, found) in [
        ("4711", page.as_str()),
        ("conv_a%2Fb", page.as_str()),
        (&Uuid::from_u128(9).to_string(), page.as_str()),
        ("%2B4930123456", "/calls?caller_id=%2B4930123456"),
        ("+4930123456", "/calls?caller_id=%2B4930123456"),
        ("", "/"),
        ("%20", "/"),
    ] {
        assert_eq!(place(&server, &cookie, &format!("/search?q={wanted}")).await, found, "{wanted}");
    }
}
