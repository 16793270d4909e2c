//! Passes a message of 3CX to the engine, and makes the answer.

use std::sync::Arc;

use precall_actors::api::{Busy, Outcome, Taken};
use precall_call::Cause;
use precall_store::events::rows::WebhookRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::threecx_wire::Message;
use crate::http::engine::Engine;
use crate::http::openapi::names::ThreeCxStatus;

/// Kind of a 3CX webhook in the inbox.
pub(crate) const KIND: &str = "3cx";
/// Kind of one that is not signed.
pub(crate) const KIND_BY_TOKEN: &str = "3cx_by_token";

/// Kind of a report of the CRM template.
pub(crate) const KIND_OF_REPORT: &str = "3cx_report";

/// The answer to a webhook of 3CX.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreeCxAnswer)]
pub(crate) struct Answer {
    /// What became of it.
    #[schema(value_type = ThreeCxStatus)]
    pub(crate) status: &'static str,
    /// precall's id of the call.
    pub(crate) call_id: Option<String>,
    /// The caller's voice, if one is cached.
    cloned_voice_id: Option<String>,
    /// The PBX's id of the call, as sent.
    threecx_call_id: Option<String>,
    /// For people.
    message: String,
    /// Whether the webhook is stored already, with the event.
    #[serde(skip)]
    pub(crate) is_kept: bool,
}

/// Passes the message to the engine, with the webhook that is to be stored with its event.
pub(crate) async fn apply(
    engine: &dyn Engine,
    message: Message,
    webhook: Option<Arc<WebhookRow>>,
) -> Result<Answer, Busy> {
    let threecx_call_id = message.threecx_call_id().map(ToOwned::to_owned);
    let taken = match message {
        Message::Incoming(call) => engine.incoming(call, webhook).await?,
        Message::Notice(notice) => engine.notice(notice, webhook).await?,
        Message::Outbound { .. } => {
            let message = "outbound calls are ignored".to_owned();
            return Ok(Answer { message, ..Answer::begins_nothing(threecx_call_id) });
        }
    };
    Ok(Answer::to(&taken, threecx_call_id))
}

impl Answer {
    /// To an incoming call by token.
    pub(crate) fn begins_nothing(threecx_call_id: Option<String>) -> Self {
        let message = "a webhook that is not signed begins no call".to_owned();
        let status = Outcome::Ignored.name();
        Self { status, call_id: None, cloned_voice_id: None, threecx_call_id, message, is_kept: false }
    }

    fn to(taken: &Taken, threecx_call_id: Option<String>) -> Self {
        let message = match taken.outcome {
            Outcome::Accepted => "accepted".to_owned(),
            Outcome::Duplicate => "already known; nothing was done".to_owned(),
            Outcome::Ignored => "no known call has this id or caller".to_owned(),
            Outcome::Ended => "the call has ended".to_owned(),
            Outcome::Rejected(cause) => refusal(cause),
        };
        Self {
            status: taken.outcome.name(),
            call_id: taken.call.map(|call| call.to_string()),
            cloned_voice_id: taken.cached_voice.as_ref().map(|voice| voice.as_str().to_owned()),
            threecx_call_id,
            message,
            is_kept: taken.is_kept,
        }
    }
}

fn refusal(cause: Cause) -> String {
    match cause {
        Cause::DialRefused => "the dial guard refuses a callback to this caller (dial_refused)".to_owned(),
        Cause::Loop => "the number leads back to precall (loop)".to_owned(),
        Cause::Busy => "an earlier call uses the caller's telephone (busy)".to_owned(),
        Cause::Budget => "the budget of calls is used up (budget)".to_owned(),
        Cause::Bypassed => "an operator has switched the bypass on (bypassed)".to_owned(),
        other => format!("refused ({})", other.name()),
    }
}
