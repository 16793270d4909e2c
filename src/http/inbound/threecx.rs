//! Passes a message of 3CX to the engine, and says what became of it.

use precall_actors::api::{Busy, Outcome, Taken};
use precall_call::Cause;
use serde::Serialize;
use utoipa::ToSchema;

use super::threecx_wire::Message;
use crate::http::engine::Engine;

/// In the inbox.
pub(crate) const KIND: &str = "3cx";

/// What became of a webhook of 3CX.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreeCxAnswer)]
pub struct Answer {
    /// `accepted`, `duplicate`, `ended`, `ignored` or `rejected`.
    pub(crate) status: &'static str,
    /// Our id of the call.
    call_id: Option<String>,
    /// The caller's voice, where the cache holds one.
    cloned_voice_id: Option<String>,
    /// The PBX's id of the call, as it was sent.
    threecx_call_id: Option<String>,
    /// For people.
    message: String,
}

/// Does what the PBX says.
pub(crate) async fn apply(engine: &dyn Engine, message: Message) -> Result<Answer, Busy> {
    let threecx_call_id = message.threecx_call_id().map(ToOwned::to_owned);
    let taken = match message {
        Message::Incoming(call) => engine.incoming(call).await?,
        Message::Notice(notice) => engine.notice(notice).await?,
        Message::Outbound { .. } => {
            let message = "calls that go out are not ours to answer".to_owned();
            return Ok(Answer {
                status: "ignored",
                call_id: None,
                cloned_voice_id: None,
                threecx_call_id,
                message,
            });
        }
    };
    Ok(Answer::to(&taken, threecx_call_id))
}

impl Answer {
    fn to(taken: &Taken, threecx_call_id: Option<String>) -> Self {
        let (status, message) = match taken.outcome {
            Outcome::Accepted => ("accepted", "taken".to_owned()),
            Outcome::Duplicate => ("duplicate", "seen before; nothing happened".to_owned()),
            Outcome::Ignored => ("ignored", "no call is known that this is about".to_owned()),
            Outcome::Ended => ("ended", "the call is over".to_owned()),
            Outcome::Rejected(cause) => ("rejected", refusal(cause)),
        };
        Self {
            status,
            call_id: taken.call.map(|call| call.to_string()),
            cloned_voice_id: taken.cached_voice.as_ref().map(|voice| voice.as_str().to_owned()),
            threecx_call_id,
            message,
        }
    }
}

fn refusal(cause: Cause) -> String {
    match cause {
        Cause::DialRefused => "this caller must not be called back (dial_refused)".to_owned(),
        Cause::Loop => "this number leads back to us (loop)".to_owned(),
        Cause::Budget => "as many calls as are allowed were made (budget)".to_owned(),
        other => format!("refused ({})", other.name()),
    }
}
