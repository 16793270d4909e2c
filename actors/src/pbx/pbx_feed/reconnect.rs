//! Opens a new socket whenever one ends, after a growing wait with jitter. It stays short: callers may be waiting.

use std::pin::pin;

use futures_util::StreamExt;
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::error::ThreeCxErrorKind;
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
    let mut refused = Backoff::new(pace.refused.0, pace.refused.1);
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
                            Some(SocketEvent::Doubtful { answers_pings }) => {
                                report(SocketChange::Doubtful { answers_pings });
                            }
                            Some(SocketEvent::Sure) => report(SocketChange::Sure),
                            Some(SocketEvent::Closed(why)) => {
                                report(SocketChange::Closed(why));
                                break false;
                            }
                            None => break false,
                        },
                        () = newer(&mut fresh, open.token_generation) => break true,
                    }
                };
                refused.reset();
                if clock::now().since(opened_at) >= pace.stable_after {
                    backoff.reset();
                }
                if replaced {
                    report(SocketChange::Replaced);
                    continue;
                }
            }
            Err(error) => {
                let is_refusal = is_refusal(error.kind);
                report(SocketChange::NotOpened(error));
                if is_refusal {
                    tokio::time::sleep(refused.wait()).await;
                    continue;
                }
            }
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Whether the PBX answered, and will not change its mind within seconds: somebody has to change a setting.
pub(crate) fn is_refusal(kind: ThreeCxErrorKind) -> bool {
    match kind {
        ThreeCxErrorKind::Forbidden
        | ThreeCxErrorKind::NotFound
        | ThreeCxErrorKind::RateLimited
        | ThreeCxErrorKind::Redirected
        | ThreeCxErrorKind::Invalid
        | ThreeCxErrorKind::NotApplicable => true,
        ThreeCxErrorKind::NoToken
        | ThreeCxErrorKind::Unauthorised
        | ThreeCxErrorKind::NotReady
        | ThreeCxErrorKind::Server
        | ThreeCxErrorKind::Unreachable
        | ThreeCxErrorKind::Lost
        | ThreeCxErrorKind::Timeout
        | ThreeCxErrorKind::Garbled => false,
    }
}

/// Waits for a newer token than this; for ever once the token keeper has stopped.
async fn newer(fresh: &mut watch::Receiver<u64>, than: u64) {
    if fresh.wait_for(|generation| *generation > than).await.is_err() {
        std::future::pending::<()>().await;
    }
}
