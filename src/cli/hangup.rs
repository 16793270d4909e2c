//! `precall hangup CALL`: ends a live call.

use serde_json::{Value, json};

use super::Exit;
use super::service::{Service, in_url};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// precall's id of the call, 3CX's, or that of its conversation
    call: String,
    #[command(flatten)]
    service: Service,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let Arguments { call, service } = arguments;
    match service.post::<Value>(&format!("calls/{}/hangup", in_url(&call)), &json!({})).await {
        Ok(answer) => {
            let id = answer.get("id").and_then(Value::as_str).unwrap_or(&call);
            println!("{id} is told to end. `precall why {id}` says how it went.");
            Exit::Good
        }
        Err(exit) => exit,
    }
}
