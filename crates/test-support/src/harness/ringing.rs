//! Callers who ring at a fixed rate, until all of them talk to an agent.

use std::time::{Duration, Instant};

use serde_json::json;

use super::load::{Exchange, open_loop};
use super::world::{SECRET, World, incoming};
use super::{Outcome, client};

/// Calls a second.
const RATE: u32 = 100;
const ALL_TALK_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A busy service asks for a webhook again (503), and a PBX sends it again.
const TRIES_MAX: u32 = 5;

/// The PBX's id of a call, by its ordinal.
pub fn call_id(ordinal: usize) -> String {
    format!("bench-{ordinal}")
}

/// A webhook that changes one call after the other. `run` makes the words of each run new.
pub fn change(ordinal: usize, calls: usize, run: usize) -> Vec<u8> {
    let state = format!("Talking {run}-{}", ordinal / calls);
    let body =
        json!({ "event_type": "CallStateChanged", "call_id": call_id(ordinal % calls), "state": state });
    client::webhook(SECRET, &body)
}

/// Places these calls and waits until all of them talk to an agent. `already`: calls that were placed before.
pub async fn ring(world: &mut World, callers: Vec<String>, already: usize) -> Outcome<()> {
    let wanted = i64::try_from(callers.len().saturating_add(already))?;
    let requests = callers
        .iter()
        .enumerate()
        .map(|(i, caller)| client::webhook(SECRET, &incoming(&call_id(already.saturating_add(i)), caller)));
    let mut waiting: Vec<Vec<u8>> = requests.collect();
    for attempt in 1..=TRIES_MAX {
        let exchanges = open_loop(world.service.address, RATE, waiting.clone()).await?;
        let is_over = |exchange: &&Exchange| exchange.answer.status != 503 || attempt == TRIES_MAX;
        if let Some(refused) = exchanges.iter().filter(is_over).find(|exchange| exchange.answer.status != 200)
        {
            return Err(format!("a call was not taken: {:?}", refused.answer.json()).into());
        }
        let busy = exchanges.iter().filter(|exchange| exchange.answer.status == 503);
        waiting = busy.filter_map(|exchange| waiting.get(exchange.ordinal).cloned()).collect();
        if waiting.is_empty() {
            break;
        }
    }
    let begun = Instant::now();
    let talking = "select count(*) from call_log where state = 'conversing'";
    loop {
        let count: i64 = world.database.query_one(talking, &[]).await?.get(0);
        if count == wanted {
            return Ok(());
        }
        if begun.elapsed() > ALL_TALK_WITHIN {
            let log = world.service.log_tail();
            return Err(format!("{count} of {wanted} callers talk to an agent\n{log}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
