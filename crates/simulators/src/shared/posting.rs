//! The HTTP client with which a simulator calls the service: webhooks and questions.

use std::time::Duration;

use awc::{Client, ClientRequest, Connector};
use bytes::Bytes;

/// Connections to one service at once.
const MOST_CONNECTIONS: usize = 256;
/// Shorter than a server keeps its side open, so that no request meets a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(2);
/// Most bytes of an answer that are read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A client for the thread that calls this: awc's client cannot leave its thread.
pub(crate) fn client(timeout: Duration) -> Client {
    let connector = Connector::new().limit(MOST_CONNECTIONS).conn_keep_alive(IDLE_CONNECTION);
    // A redirect could lead away from this machine.
    Client::builder().connector(connector).disable_redirects().timeout(timeout).finish()
}

/// Posts JSON and gives the status of the answer; None when there was none in time.
pub(crate) async fn post_json(request: ClientRequest, body: Bytes, within: Duration) -> Option<u16> {
    let request = request.insert_header(("content-type", "application/json"));
    let exchange = async {
        let mut response = request.send_body(body).await.ok()?;
        // Read to the end, so that the connection can be used again; the content does not matter.
        let _ = response.body().limit(ANSWER_LIMIT).await;
        Some(response.status().as_u16())
    };
    tokio::time::timeout(within, exchange).await.ok().flatten()
}
