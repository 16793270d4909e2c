//! One socket after another, for ever: whatever ends one, the next is opened, later each time and never in step with others.

use std::pin::pin;

use futures_util::StreamExt;
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::socket::SocketEvent;
use tokio::sync::watch;

use super::{FeedPace, SocketChange};

/// Never returns. `fresh` says which token is in use: a socket of an older one may be deaf without knowing it.
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
                if clock::now().since(opened_at) >= pace.good_after {
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

/// Until a newer token is in use; for ever once nobody gets tokens any more.
async fn newer(fresh: &mut watch::Receiver<u64>, than: u64) {
    if fresh.wait_for(|generation| *generation > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}
