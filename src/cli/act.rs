//! Commands that act on a call: `hangup`, `transfer`, `fallback`, `fallback-voice`, `retry-clone`.

use serde_json::{Value, json};

use super::Exit;
use super::service::{Output, in_url};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// precall's id of the call, 3CX's, or that of its conversation
    call: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(super) struct TransferArguments {
    /// precall's id of the call, 3CX's, or that of its conversation
    call: String,
    /// Where the caller goes: a name of TRANSFER_DESTINATIONS
    #[arg(value_name = "DEST")]
    destination: String,
    #[command(flatten)]
    output: Output,
}

impl Output {
    async fn act(
        &self,
        call: &str,
        action: &str,
        body: &Value,
        say: impl FnOnce(&str, &Value) -> String,
    ) -> Exit {
        let answer: Value = match self.service.post(&format!("calls/{}/{action}", in_url(call)), body).await {
            Ok(answer) => answer,
            Err(exit) => return exit,
        };
        if self.json {
            println!("{answer}");
        } else {
            let id = answer.get("id").and_then(Value::as_str).unwrap_or(call);
            println!("{} `precall why {id}` says how it went.", say(id, &answer));
        }
        Exit::Good
    }
}

pub(super) async fn hangup(Arguments { call, output }: Arguments) -> Exit {
    output.act(&call, "hangup", &json!({}), |id, _| format!("{id} is told to end.")).await
}

pub(super) async fn transfer(arguments: TransferArguments) -> Exit {
    let TransferArguments { call, destination, output } = arguments;
    let body = json!({ "destination": destination });
    output
        .act(&call, "transfer", &body, |id, _| format!("The caller of {id} is sent to {destination}."))
        .await
}

pub(super) async fn fallback(Arguments { call, output }: Arguments) -> Exit {
    let say = |id: &str, _: &Value| format!("The caller of {id} is sent to FALLBACK_DESTINATION.");
    output.act(&call, "fallback", &json!({}), say).await
}

pub(super) async fn fallback_voice(Arguments { call, output }: Arguments) -> Exit {
    let say = |id: &str, _: &Value| format!("{id} goes on in the fallback voice.");
    output.act(&call, "fallback-voice", &json!({}), say).await
}

pub(super) async fn retry_clone(Arguments { call, output }: Arguments) -> Exit {
    let say = |id: &str, answer: &Value| match answer.get("used_for").and_then(Value::as_str) {
        Some("this_call") => format!("{id} asks for the cloned voice once more."),
        _ => format!("A clone for the caller of {id} is started: the caller's next call uses it."),
    };
    output.act(&call, "retry-clone", &json!({}), say).await
}
