//! Opens a new socket whenever one ends, after a growing wait with jitter.

use std::pin::pin;

use futures_util::StreamExt;
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::socket::SocketEvent;
use tokio::sync::watch;

use super::{FeedPace, SocketChange};

/// Never returns. `fresh` is the generation of the token in use: a socket with an older token may get no events.
pub(crate) async fn run_sockets(
    client: &ThreeCx,
    pace: &FeedPace,
    mut fresh: watch::Receiver<u64>,
    report: impl Fn(SocketChange),
) {
    let mut backoff = Backoff::new(pace.reconnect.0, pace.reconnect.1);
    loop {
        match client.open_socket(pace.socket).await {
            Ok(open) => {
                report(SocketChange::Opened);
                let opened_at = clock::now();
                let mut news = pin!(open.events);
                let replaced = loop {
                    tokio::select! {
                        event = news.next() => match event {
                            Some(SocketEvent::Event(event)) => report(SocketChange::Event(event)),
                            Some(SocketEvent::Closed(why)) => {
                                report(SocketChange::Closed(why));
                                break false;
                            }
                            None => break false,
                        },
                        () = newer(&mut fresh, open.token_generation) => break true,
                    }
                };
                if clock::now().since(opened_at) >= pace.stable_after {
                    backoff.reset();
                }
                if replaced {
                    report(SocketChange::Replaced);
                    continue;
                }
            }
            Err(error) => report(SocketChange::NotOpened(error)),
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Waits for a newer token than this; for ever once the token keeper has stopped.
async fn newer(fresh: &mut watch::Receiver<u64>, than: u64) {
    if fresh.wait_for(|generation| *generation > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}
