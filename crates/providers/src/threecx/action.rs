//! Actions on a leg and their outcome. An outcome tells whether the leg is still ours.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::address::{Dn, LegAddress};
use super::client::{ApiPath, Repeats, ThreeCx};
use super::error::{ThreeCxError, ThreeCxErrorKind};
use super::participant::Participant;
use super::wire;
use crate::http_exchange::{Execution, Response};
use crate::lenient::Scalar;
use crate::request_watch::Endpoint;

/// The PBX answers a `routeto` when its ringing ends; precall waits this much longer.
const AFTER_RINGING: Duration = Duration::from_secs(10);

/// Key of our call id in a leg's attached data. The PBX keeps only keys that begin with `public_`.
pub const ATTACHED_CALL: &str = "public_precall_id";

/// Where a leg is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A DN, or a number, which follows the PBX's outbound rules.
    pub to: String,
    /// Ringing time, in whole seconds, at least one.
    pub ringing: Duration,
}

/// The PBX's result of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionResult {
    /// The resulting leg; after `makecall` our own.
    pub participant: Option<Participant>,
}

/// Outcome of an action.
#[expect(clippy::large_enum_variant, reason = "one exists at a time, for a short time")]
#[derive(Clone, Debug, PartialEq)]
pub enum ActionOutcome {
    /// The PBX did it.
    Done(ActionResult),
    /// The PBX did not do it, and the leg is still ours.
    Refused {
        /// Why.
        reason: Refusal,
        /// For logs: at most 300 characters, without secrets and full telephone numbers.
        message: String,
    },
    /// The call has ended for us, or the leg no longer exists.
    Over,
    /// The response was lost: look up whether the leg still exists.
    Unknown {
        /// For logs.
        message: String,
    },
}

/// Why the PBX did not perform an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The destination is busy.
    Busy,
    /// The destination did not answer.
    NoAnswer,
    /// There is no such destination.
    UnknownDestination,
    /// The destination's telephone is not registered.
    NotRegistered,
    /// The destination cannot be reached.
    NotReachable,
    /// The PBX reports a timeout.
    TimedOut,
    /// The routing would loop.
    Loop,
    /// It was cancelled.
    Cancelled,
    /// 403: the API client has no permission.
    Forbidden,
    /// 422: not possible in the leg's current state.
    NotApplicable,
    /// The request did not reach the PBX: no token or no connection.
    NotSent,
    /// Any other reason.
    Other,
}

impl Refusal {
    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::UnknownDestination => "unknown_destination",
            Self::NotRegistered => "not_registered",
            Self::NotReachable => "not_reachable",
            Self::TimedOut => "timed_out",
            Self::Loop => "loop",
            Self::Cancelled => "cancelled",
            Self::Forbidden => "forbidden",
            Self::NotApplicable => "not_applicable",
            Self::NotSent => "not_sent",
            Self::Other => "other",
        }
    }
}

impl ThreeCx {
    /// Ends the leg. A leg that does not exist (404) or has ended (422) gives [`Over`](ActionOutcome::Over).
    pub async fn drop_leg(&self, leg: &LegAddress) -> ActionOutcome {
        let outcome =
            self.act(leg, Endpoint::Drop, "drop", &json!({}), self.settings().within(), Repeats::Yes).await;
        match outcome {
            ActionOutcome::Refused { reason: Refusal::NotApplicable, .. } => ActionOutcome::Over,
            other => other,
        }
    }

    /// Answers a ringing leg of a route point or of a telephone with direct control; others are
    /// [`NotApplicable`](Refusal::NotApplicable).
    pub async fn answer(&self, leg: &LegAddress) -> ActionOutcome {
        self.act(leg, Endpoint::Answer, "answer", &json!({}), self.settings().within(), Repeats::No).await
    }

    /// Rings a destination while the leg and its streams stay up. The PBX responds when the destination answers (it
    /// then replaces the leg) or when ringing failed. The deadline is the ringing time plus 10 s.
    pub async fn route_to(&self, leg: &LegAddress, destination: &Destination) -> ActionOutcome {
        self.send_on(leg, Endpoint::RouteTo, "routeto", destination).await
    }

    /// Attaches data to our own leg. The PBX drops keys that do not begin with `public_`.
    pub async fn attach_participant_data(
        &self,
        leg: &LegAddress,
        data: &[(String, String)],
    ) -> ActionOutcome {
        self.attach(leg, Endpoint::AttachData, "attach_participant_data", data).await
    }

    async fn send_on(
        &self,
        leg: &LegAddress,
        endpoint: Endpoint,
        action: &str,
        destination: &Destination,
    ) -> ActionOutcome {
        let body = Value::Object(destination_body(destination));
        self.act(leg, endpoint, action, &body, destination.ringing.saturating_add(AFTER_RINGING), Repeats::No)
            .await
    }

    pub(super) async fn dial(&self, dn: &Dn, path: ApiPath<'_>, destination: &Destination) -> ActionOutcome {
        let body = Value::Object(destination_body(destination));
        self.perform(dn, path, &body, destination.ringing.saturating_add(AFTER_RINGING), Repeats::No).await
    }

    async fn attach(
        &self,
        leg: &LegAddress,
        endpoint: Endpoint,
        action: &str,
        data: &[(String, String)],
    ) -> ActionOutcome {
        let body = json!({ "attacheddata": attached(data) });
        self.act(leg, endpoint, action, &body, self.settings().within(), Repeats::No).await
    }

    async fn act(
        &self,
        leg: &LegAddress,
        endpoint: Endpoint,
        action: &str,
        body: &Value,
        limit: Duration,
        repeats: Repeats,
    ) -> ActionOutcome {
        let id = leg.participant.to_string();
        let path = ["callcontrol", leg.dn.as_str(), "participants", &id, action];
        self.perform(&leg.dn, ApiPath(endpoint, &path), body, limit, repeats).await
    }

    async fn perform(
        &self,
        dn: &Dn,
        path: ApiPath<'_>,
        body: &Value,
        limit: Duration,
        repeats: Repeats,
    ) -> ActionOutcome {
        match self.post(path, body, limit, repeats).await {
            Ok(answered) => self.outcome(&answered, dn),
            Err(error) => outcome_of_error(error),
        }
    }

    fn outcome(&self, answered: &Response, dn: &Dn) -> ActionOutcome {
        let result = RawResult::read(&answered.body);
        let refused = |reason| ActionOutcome::Refused { reason, message: self.refused(answered).message };
        let verdict = result.as_ref().and_then(|result| meaning_of(&result.reason));
        if answered.is_success() {
            let failed = result.as_ref().is_some_and(|result| is_failure(&result.finalstatus));
            if !failed {
                let participant = result.and_then(|result| wire::read_participant(result.result, dn));
                return ActionOutcome::Done(ActionResult { participant });
            }
            return match verdict {
                Some(ReasonMeaning::Over) => ActionOutcome::Over,
                Some(ReasonMeaning::Refused(reason)) => refused(reason),
                None => refused(Refusal::Other),
            };
        }
        let error = self.refused(answered);
        // A body that is not the PBX's own has no verdict; then the status decides.
        match verdict {
            Some(ReasonMeaning::Over) => return ActionOutcome::Over,
            Some(ReasonMeaning::Refused(reason)) => return refused(reason),
            None => {}
        }
        outcome_of_error(error)
    }
}

fn destination_body(destination: &Destination) -> Map<String, Value> {
    let seconds = destination.ringing.as_secs().max(1);
    let mut body = Map::new();
    // "None" resets the diversion path; without it the new leg would keep the old one's.
    body.insert("reason".to_owned(), json!("None"));
    body.insert("destination".to_owned(), json!(destination.to));
    body.insert("timeout".to_owned(), json!(seconds));
    body
}

fn attached(data: &[(String, String)]) -> Value {
    Value::Object(data.iter().map(|(key, value)| (key.clone(), json!(value))).collect())
}

/// What the PBX says, also in the body of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawResult {
    finalstatus: Scalar,
    reason: Scalar,
    result: Value,
}

impl RawResult {
    fn read(body: &[u8]) -> Option<Self> {
        let value = wire::value(body)?;
        value.is_object().then(|| serde_json::from_value(value).ok()).flatten()
    }
}

enum ReasonMeaning {
    Over,
    Refused(Refusal),
}

/// `finalstatus`: `Rejected` is 0, `Failed` -1, `Success` 1. Without it the HTTP status decides.
fn is_failure(finalstatus: &Scalar) -> bool {
    if let Some(number) = finalstatus.integer() {
        return number != 1;
    }
    finalstatus.text().is_some_and(|word| !word.eq_ignore_ascii_case("success"))
}

/// Reads `reason`, a number or a name; none for `NotSpecified` and for unknown values.
fn meaning_of(reason: &Scalar) -> Option<ReasonMeaning> {
    const REASONS: [(i64, &str, ReasonMeaning); 12] = [
        (1, "OperationTimeout", ReasonMeaning::Refused(Refusal::TimedOut)),
        (2, "UnknownDestination", ReasonMeaning::Refused(Refusal::UnknownDestination)),
        (3, "DestinationBusy", ReasonMeaning::Refused(Refusal::Busy)),
        (4, "DestinationNoAnswer", ReasonMeaning::Refused(Refusal::NoAnswer)),
        (5, "DestinationIsNotRegistered", ReasonMeaning::Refused(Refusal::NotRegistered)),
        (6, "DestinationIsNotReachable", ReasonMeaning::Refused(Refusal::NotReachable)),
        (7, "PartyConnectionLost", ReasonMeaning::Over),
        (8, "ParentConnectionTerminated", ReasonMeaning::Over),
        (9, "CompletedElsewhere", ReasonMeaning::Over),
        (10, "Cancelled", ReasonMeaning::Refused(Refusal::Cancelled)),
        (11, "SubjectNotFound", ReasonMeaning::Over),
        (12, "RoutingLoopDetected", ReasonMeaning::Refused(Refusal::Loop)),
    ];
    let (number, word) = (reason.integer(), reason.text());
    REASONS
        .into_iter()
        .find(|(code, name, _)| {
            number == Some(*code) || word.is_some_and(|word| word.eq_ignore_ascii_case(name))
        })
        .map(|(_, _, verdict)| verdict)
}

fn outcome_of_error(error: ThreeCxError) -> ActionOutcome {
    let reason = match error.kind {
        ThreeCxErrorKind::NotFound => return ActionOutcome::Over,
        ThreeCxErrorKind::Forbidden => Refusal::Forbidden,
        ThreeCxErrorKind::NotApplicable | ThreeCxErrorKind::NotReady => Refusal::NotApplicable,
        ThreeCxErrorKind::NoToken | ThreeCxErrorKind::Unreachable => Refusal::NotSent,
        ThreeCxErrorKind::Unauthorised
        | ThreeCxErrorKind::RateLimited
        | ThreeCxErrorKind::Invalid
        | ThreeCxErrorKind::Server
        | ThreeCxErrorKind::Redirected
        | ThreeCxErrorKind::Lost
        | ThreeCxErrorKind::Timeout
        | ThreeCxErrorKind::Garbled => match error.execution {
            Execution::SurelyNot if error.status.is_none() => Refusal::NotSent,
            Execution::SurelyNot => Refusal::Other,
            Execution::Maybe => return ActionOutcome::Unknown { message: error.to_string() },
        },
    };
    ActionOutcome::Refused { reason, message: error.to_string() }
}
