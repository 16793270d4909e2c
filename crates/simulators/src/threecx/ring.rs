//! `precall simulate ring`: a caller rings a simulated PBX that runs on this machine. For a place without `curl`.

use std::time::{Duration, Instant};

use awc::Client;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::call::{NewCall, WebhookMode};
use crate::shared::posting::client;

const EXCHANGE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Why the call could not be made or seen to its end.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RingError {
    /// Nothing answers at the port, or not as the simulator does.
    #[error("no 3CX simulator answers on port {0} of this machine")]
    NoSimulator(u16),
    /// The simulator does not take the call, and says why.
    #[error("the simulator refused the call: {0}")]
    Refused(String),
}

/// Flags of `precall simulate ring`. No flag reads the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port of `precall simulate threecx` on 127.0.0.1
    #[arg(long, value_name = "PORT")]
    pub port: u16,
    /// The number that the caller shows
    #[arg(long, value_name = "NUMBER")]
    pub caller: String,
    /// The number that the caller dials
    #[arg(long, value_name = "NUMBER", default_value = "")]
    pub called: String,
    /// The PBX announces the call by its webhook first, as route `callback` needs it
    #[arg(long)]
    pub announce: bool,
    /// The caller hangs up after N seconds, unless the call is over before
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
}

#[derive(Deserialize)]
struct Placed {
    call_id: String,
}

/// Places the call, waits until it is over, and gives the PBX's report on it: `GET /sim/calls/{call_id}`.
///
/// # Errors
/// When no simulator answers, or it refuses the call.
pub async fn ring(args: &Args) -> Result<Value, RingError> {
    let gone = || RingError::NoSimulator(args.port);
    let client = client(EXCHANGE);
    let calls = format!("http://127.0.0.1:{}/sim/calls", args.port);
    let call = NewCall {
        called: args.called.clone(),
        webhook: if args.announce { WebhookMode::First } else { WebhookMode::None },
        ..NewCall::from(&args.caller)
    };
    let mut answer = client.post(&calls).send_json(&call).await.map_err(|_| gone())?;
    let body = answer.body().await.map_err(|_| gone())?;
    if answer.status() == 400 {
        return Err(RingError::Refused(String::from_utf8_lossy(&body).into_owned()));
    }
    let Placed { call_id } = serde_json::from_slice(&body).map_err(|_| gone())?;
    let url = format!("{calls}/{call_id}");
    let hangs_up = Instant::now() + Duration::from_secs(args.seconds);
    loop {
        let report = report(&client, &url).await.ok_or_else(gone)?;
        if report.get("state").is_some_and(|state| state == "ended") {
            return Ok(report);
        }
        if Instant::now() >= hangs_up {
            client.post(format!("{url}/hangup")).send().await.map_err(|_| gone())?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn report(client: &Client, url: &str) -> Option<Value> {
    client.get(url).send().await.ok()?.json().await.ok()
}
