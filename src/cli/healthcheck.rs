//! `precall healthcheck`: asks `/health/live` of the service at HOST and PORT. For containers without a shell.

use std::time::Duration;

use super::{Exit, environment, unusable};
use crate::config::Config;

const WITHIN: Duration = Duration::from_secs(3);

pub(super) async fn run() -> Exit {
    let server = match environment().and_then(|set| Config::server_from_map(&set)) {
        Ok(server) => server,
        Err(error) => return unusable(&error),
    };
    let url = format!("http://{}/health/live", server.probe_address());
    let client = awc::Client::builder().timeout(WITHIN).finish();
    match tokio::time::timeout(WITHIN, client.get(&url).send()).await {
        Ok(Ok(answer)) if answer.status().is_success() => Exit::Good,
        Ok(Ok(answer)) => {
            eprintln!("precall: {url} answers {}", answer.status());
            Exit::Failed
        }
        Ok(Err(error)) => {
            eprintln!("precall: {url}: {error}");
            Exit::Failed
        }
        Err(_) => {
            eprintln!("precall: {url} does not answer");
            Exit::Failed
        }
    }
}
