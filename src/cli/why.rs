//! `precall why CALL`: what happened to a call, in plain sentences.

mod causes;
mod sentences;
mod story;

use serde_json::{Value, json};

use self::story::{Called, Happened, story};
use super::Exit;
use super::service::{Service, failed, in_url, read};

/// More events has no call.
const EVENTS_MAX: usize = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// precall's id, 3CX's, that of a conversation, or a caller's number: then that caller's newest call
    call: String,
    /// Print what the API says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: Service,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    tell(&arguments).await.unwrap_or_else(|exit| exit)
}

async fn tell(arguments: &Arguments) -> Result<Exit, Exit> {
    let service = &arguments.service;
    let id = id_of(service, &arguments.call).await?;
    let call: Value = service.get(&format!("calls/{id}")).await?;
    let events = service.list(&format!("calls/{id}/events"), "", EVENTS_MAX).await?;
    if arguments.json {
        println!("{:#}", json!({ "call": call, "events": events }));
        return Ok(Exit::Good);
    }
    let call: Called = read(call)?;
    let events = events.into_iter().map(read).collect::<Result<Vec<Happened>, Exit>>()?;
    print!("{}", story(&call, &events));
    Ok(Exit::Good)
}

/// precall's id of the call that is named.
async fn id_of(service: &Service, named: &str) -> Result<String, Exit> {
    // No id of a call begins like that, and a number with spaces is no id.
    if !named.starts_with(['+', '(']) && !named.contains(' ') {
        return Ok(in_url(named));
    }
    let of_caller = format!("caller_id={}", in_url(named));
    let newest = service.list("calls", &of_caller, 1).await?;
    let id = newest.first().and_then(|call| call.get("id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| failed(&format!("no call of {named}")))
}
