//! `POST /webhook/3cx`: what the phone system says.

use actix_web::{HttpResponse, web};
use precall_actors::engine::{Outcome, Taken};
use precall_call::Cause;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::edge::{Edge, in_time};
use super::error::{Code, Problem};
use super::intake::Body;
use super::sent_by::{SentBy, ThreeCx};
use super::threecx_wire::{Message, parse};

/// What became of a webhook of 3CX.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreeCxAnswer)]
pub struct Answer {
    /// `accepted`, `duplicate`, `ended`, `ignored` or `rejected`.
    status: &'static str,
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
        (status = "4XX", body = super::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = super::error::ProblemBody, content_type = "application/problem+json", description = "Nothing was done; try again after `Retry-After` seconds"),
    ),
)]
pub(super) async fn webhook(edge: web::Data<Edge>, sent: SentBy<ThreeCx>) -> Result<HttpResponse, Problem> {
    let Body::Whole(body) = sent.body else { return Err(Problem::of(Code::BadJson)) };
    let (threecx_call_id, taken) = match parse(&body)? {
        Message::Incoming(call) => (call.threecx_call_id.clone(), in_time(edge.engine.incoming(call)).await?),
        Message::Notice(notice) => {
            (notice.threecx_call_id.clone(), in_time(edge.engine.notice(notice)).await?)
        }
        Message::Outbound { threecx_call_id } => {
            let message = "calls that go out are not ours to answer".to_owned();
            let answer =
                Answer { status: "ignored", call_id: None, cloned_voice_id: None, threecx_call_id, message };
            return answer::counted(answer.status, &answer);
        }
    };
    let answer = Answer::to(&taken, threecx_call_id);
    answer::counted(answer.status, &answer)
}

impl Answer {
    fn to(taken: &Taken, threecx_call_id: Option<String>) -> Self {
        let (status, message) = match taken.outcome {
            Outcome::Accepted => ("accepted", "taken".to_owned()),
            Outcome::Duplicate => ("duplicate", "seen before; nothing happened".to_owned()),
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
