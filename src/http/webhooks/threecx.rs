//! `POST /webhook/3cx`: what the phone system says.

use actix_web::{HttpResponse, web};
use precall_actors::api::{Busy, Outcome, Taken};
use precall_call::Cause;
use serde::Serialize;
use utoipa::ToSchema;

use super::inbox::{self, About};
use super::threecx_wire::{Message, happened_at, parse};
use crate::http::app_state::{Edge, in_time};
use crate::http::error::{Code, Problem};
use crate::http::response;
use crate::http::webhooks::body::Body;
use crate::http::webhooks::signed_body::{SentBy, ThreeCx};

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

/// Takes a webhook of 3CX.
#[utoipa::path(
    post, path = "/webhook/3cx", tag = "webhooks",
    request_body(content = String, content_type = "application/json", description = "`{event_type, call_id, caller_id, called_number, timestamp, direction, duration, recording_url, state}`, signed in `X-3CX-Signature`"),
    responses(
        (status = 200, body = Answer),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json", description = "Nothing was done; try again after `Retry-After` seconds"),
    ),
)]
pub(crate) async fn webhook(edge: web::Data<Edge>, sent: SentBy<ThreeCx>) -> Result<HttpResponse, Problem> {
    let Body::Whole(body) = sent.body else { return Err(Problem::of(Code::BadJson)) };
    let message = match parse(&body) {
        Ok(message) => message,
        Err(problem) => {
            inbox::quarantine(&edge, KIND, &problem, body).await;
            return Err(problem);
        }
    };
    let id = message.threecx_call_id().map(ToOwned::to_owned);
    let about = About { kind: KIND.into(), id, at: happened_at(&body) };
    let answer = in_time(async {
        let answer = take(&edge, message).await?;
        let row = inbox::read_row(about, answer.status, body).await;
        edge.engine.keep_webhook(row).await?;
        Ok(answer)
    });
    let answer = answer.await?;
    response::counted(answer.status, &answer)
}

/// Does what the PBX says.
pub(crate) async fn take(edge: &Edge, message: Message) -> Result<Answer, Busy> {
    let threecx_call_id = message.threecx_call_id().map(ToOwned::to_owned);
    let taken = match message {
        Message::Incoming(call) => edge.engine.incoming(call).await?,
        Message::Notice(notice) => edge.engine.notice(notice).await?,
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
