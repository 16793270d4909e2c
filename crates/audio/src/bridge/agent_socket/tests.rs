//! A socket whose other side takes nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use precall_providers::elevenlabs::AgentUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::*;

/// More than the buffers of both sides hold.
const MUCH: usize = 16 * 1024 * 1024;

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A socket to an agent that says something every 20 ms and reads nothing.
async fn socket_to_a_deaf_agent() -> AgentSocket {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut agent = accept_async(client).await.unwrap();
        while agent.send(Message::Text("word".into())).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (socket, heard) = HeardSocket::new(Address::from_url(&url, None).unwrap().connect().await.unwrap());
    let config = WebSocketConfig::default().write_buffer_size(0);
    let (stream, _) = client_async_with_config(url.as_str(), socket, Some(config)).await.unwrap();
    AgentSocket { stream, sending: None, heard, liveness: Liveness::new(Instant::now()) }
}

#[test]
fn what_the_agent_says_is_received_while_it_takes_nothing() {
    run(async {
        let mut socket = socket_to_a_deaf_agent().await;
        assert!(socket.send(Message::Text("x".repeat(MUCH).into())).is_none());
        for _ in 0..20 {
            match timeout(Duration::from_secs(10), socket.moved()).await.unwrap() {
                Moved::Received(Some(Ok(Message::Text(text)))) => assert_eq!(text.as_str(), "word"),
                Moved::Received(other) => panic!("{other:?}"),
                Moved::Sent(_) => panic!("the agent reads nothing"),
            }
        }
        // It counts as dead when it has taken nothing for too long, although it speaks.
        socket.sending = Some(Instant::now() - SEND_WITHIN);
        assert!(socket.look_at() <= Instant::now());
        let Some(SocketEnd::Broken(words)) = socket.look() else { panic!("it is alive") };
        assert_eq!(words, "the agent takes no audio");
    });
}

/// Opens a session at a server that treats its first connection like this, and all later ones well.
async fn opened_after(first: &'static [u8]) -> Result<AgentSocket, SocketEnd> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_buf(&mut Vec::with_capacity(8_192)).await.unwrap();
        client.write_all(first).await.unwrap();
        client.shutdown().await.unwrap();
        while let Ok((client, _)) = listener.accept().await {
            let mut agent = accept_async(client).await.unwrap();
            while let Some(Ok(_)) = agent.next().await {}
        }
    });
    let base = url::Url::parse(&url.as_str().replace("ws", "http")).unwrap();
    let setup = SocketSetup {
        url: AgentUrl::checked(url, &base, &[]).unwrap(),
        initiation: "{}".to_owned(),
        outbox: Rc::default(),
        begin: Rc::default(),
    };
    setup.begin.notify_one();
    open(&setup, None).await
}

#[test]
fn a_connection_that_the_server_has_given_up_is_replaced_and_a_refusal_counts() {
    let answer = |status: &'static str| -> &'static [u8] {
        format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").leak().as_bytes()
    };
    for first in [answer("408 Request Timeout"), b""] {
        assert!(run(opened_after(first)).is_ok(), "{}", String::from_utf8_lossy(first));
    }
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        assert!(matches!(run(opened_after(answer(status))), Err(SocketEnd::Refused(_))), "{status}");
    }
    let server_error = run(opened_after(answer("500 Internal Server Error")));
    assert!(matches!(server_error, Err(SocketEnd::Broken(_))));
}
