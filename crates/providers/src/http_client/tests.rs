//! Connections to a real server, counted at the server.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::http_exchange::{Failure, Progress, within};

const LOOK: Duration = Duration::from_millis(50);

/// A server that answers each request after `pause`, and the number of its open connections.
async fn server(pause: Duration) -> (String, Rc<Cell<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let open = Rc::new(Cell::new(0));
    let counted = Rc::clone(&open);
    tokio::task::spawn_local(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let counted = Rc::clone(&counted);
            counted.set(counted.get() + 1);
            tokio::task::spawn_local(async move {
                let mut bytes = [0; 1_024];
                while socket.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    tokio::time::sleep(pause).await;
                    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                }
                counted.set(counted.get() - 1);
            });
        }
    });
    (url, open)
}

async fn ask(client: &HttpClient, url: &str) {
    let lease = client.lease();
    let body = lease.get(url).send().await.unwrap().body().await.unwrap();
    assert_eq!(body, "ok");
}

async fn until(what: &str, is_true: impl Fn() -> bool) {
    let within = tokio::time::timeout(Duration::from_secs(30), async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(within.await.is_ok(), "{what}");
}

#[actix::test]
async fn connections_of_a_burst_are_closed_when_nobody_needs_them() {
    let (url, open) = server(Duration::from_millis(20)).await;
    let client = HttpClient::looked_at(LOOK, Client::default);
    for _ in 0..2 {
        join_all((0..50).map(|_| ask(&client, &url))).await;
        assert_eq!(open.get(), 50, "as many as requests at once");
        until("idle connections are closed", || open.get() == 0).await;
    }
}

#[actix::test]
async fn a_few_requests_after_a_burst_do_not_keep_its_connections() {
    let (url, open) = server(Duration::from_millis(5)).await;
    let client = HttpClient::looked_at(LOOK, Client::default);
    join_all((0..50).map(|_| ask(&client, &url))).await;
    let shrunk = tokio::time::timeout(Duration::from_secs(30), async {
        while open.get() > 2 {
            ask(&client, &url).await;
        }
    });
    assert!(shrunk.await.is_ok(), "{} connections are open for one request at a time", open.get());
}

#[actix::test]
async fn a_request_longer_than_a_look_ends_well() {
    let (url, _) = server(8 * LOOK).await;
    let client = HttpClient::looked_at(LOOK, Client::default);
    ask(&client, &url).await;
}

#[test]
fn a_small_pool_in_use_is_kept() {
    let usage = Usage::default();
    for _ in 0..FEW_AT_ONCE {
        drop(usage.begin());
    }
    assert!(!usage.is_over(), "it was used since");
    assert!(usage.is_over(), "nobody used it since the last look");
    let long = usage.begin();
    assert!(!usage.is_over() && !usage.is_over(), "a use goes on");
    drop(long);
}

const FEW_AT_ONCE: usize = 3;

#[actix::test]
async fn a_request_without_an_answer_lets_the_kept_connections_go() {
    let (url, open) = server(Duration::from_millis(20)).await;
    let client = HttpClient::new(Client::default);
    join_all((0..5).map(|_| ask(&client, &url))).await;
    assert_eq!(open.get(), 5, "they are kept");
    let never = std::future::pending::<Result<(), Failure>>();
    within(&client, Duration::from_millis(10), &Progress::new(), never).await.unwrap_err();
    until("the kept connections are closed", || open.get() == 0).await;
    ask(&client, &url).await;
    assert_eq!(open.get(), 1, "and the next request opens its own");
}
