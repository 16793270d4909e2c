//! `precall why CALL`: what happened to a call, in plain sentences.

mod wire;

use serde_json::{Value, json};

use super::Exit;
use super::service::{Refusal, Service, Session, WITHIN, failed, in_url, unreadable};
use crate::story::{Called, Happened, replay, story};

/// More events has no call.
const EVENTS_MAX: usize = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// precall's id, 3CX's, that of a conversation, or a caller's number: then that caller's newest call
    call: String,
    /// Print what the API says, as JSON
    #[arg(long)]
    json: bool,
    /// Show what went over the wire as well: requests, answers and messages, redacted
    #[arg(long)]
    wire: bool,
    #[command(flatten)]
    service: Service,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    tell(&arguments).await.unwrap_or_else(|exit| exit)
}

async fn tell(arguments: &Arguments) -> Result<Exit, Exit> {
    let known = known(&arguments.service, &arguments.call).await?;
    let wire = if arguments.wire { Some(known.wire(&arguments.service).await?) } else { None };
    if arguments.json {
        println!("{:#}", json!({ "call": known.call, "events": known.events, "wire": wire }));
        return Ok(Exit::Good);
    }
    print!("{}", known.story().map_err(|error| unreadable(&error))?);
    if let Some(wire) = wire {
        print!("\n{}", wire::shown(&wire));
    }
    Ok(Exit::Good)
}

/// What the API says of a call.
pub(super) struct Known {
    pub(super) call: Value,
    pub(super) events: Vec<Value>,
}

/// What the API says of the call that is named.
pub(super) async fn known(service: &Service, named: &str) -> Result<Known, Exit> {
    let id = id_of(service, named).await?;
    with_id(&service.session(WITHIN)?, &id).await.map_err(|refusal| failed(&refusal.words))
}

/// What the API says of the call with this id.
pub(super) async fn with_id(session: &Session, id: &str) -> Result<Known, Refusal> {
    let call = session.get(&format!("calls/{id}")).await?;
    let events = session.list(&format!("calls/{id}/events"), "", EVENTS_MAX).await?;
    Ok(Known { call, events })
}

impl Known {
    /// What went over the wire for the call.
    pub(super) async fn wire(&self, service: &Service) -> Result<Value, Exit> {
        let id = self.call.get("id").and_then(Value::as_str).unwrap_or_default();
        service.get(&format!("calls/{}/wire", in_url(id))).await
    }

    /// The call's story, in plain sentences.
    ///
    /// # Errors
    /// If the answers cannot be read.
    pub(super) fn story(&self) -> Result<String, serde_json::Error> {
        let call: Called = serde_json::from_value(self.call.clone())?;
        let events = self.events.iter().cloned().map(serde_json::from_value);
        let moments = replay(&events.collect::<Result<Vec<Happened>, _>>()?);
        Ok(story(&call, &moments).to_string())
    }
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
