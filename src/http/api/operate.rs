//! Actions of operators: hang up, hand off, transfer, fallback voice, clone once more, forget a cached voice.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use precall_actors::api::{OperatorOrder, Ordered};
use precall_call::{CallId, Operator, Person, Request};
use precall_store::people::callers;
use precall_store::reads::calls;
use serde::{Deserialize, Serialize};
use serde_json::json;
use slog::info;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Allowed, Operate};
use super::call_id::call_id;
use super::caller_id::caller;
use super::json_body::JsonBody;
use crate::http::api::read::read;
use crate::http::app_state::{AppState, in_time};
use crate::http::audit_trail::changed;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{Accepted, CloneUse};
use crate::http::openapi::problems::{API, BODY, CALL, ENGINE, ONCE, SCOPE, problems};
use crate::http::response;

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";

/// A request passed to the call. Its result is in the call's events.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    /// The request is passed on.
    #[schema(value_type = Accepted)]
    status: &'static str,
    /// Id of the call.
    id: Uuid,
}

problems!(HangupProblems: API, SCOPE, ONCE, CALL, ENGINE, &[Code::CallNotLive]);

/// Ends a live call.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/hangup", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        HangupProblems,
    ),
)]
pub(crate) async fn hangup(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    ask(&app, &operator, call_id(&app, &id).await?, OperatorOrder::Request(Request::HangUp)).await
}

problems!(HandoffProblems: API, SCOPE, ONCE, CALL, ENGINE, &[Code::CallNotLive]);

/// Hands a live call off as soon as its voice is decided.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/handoff", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        HandoffProblems,
    ),
)]
pub(crate) async fn handoff(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    ask(&app, &operator, call_id(&app, &id).await?, OperatorOrder::Request(Request::HandOff)).await
}

problems!(FallbackVoiceProblems: API, SCOPE, ONCE, CALL, ENGINE, &[Code::CallNotLive, Code::NotPossible]);

/// Lets a live call go on without the caller's cloned voice: it does not wait for it any more. On route `bridge` an
/// agent that speaks with it is replaced by one in the fallback voice.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/fallback-voice", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        FallbackVoiceProblems,
    ),
)]
pub(crate) async fn fallback_voice(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    ask(&app, &operator, call_id(&app, &id).await?, OperatorOrder::Request(Request::FallbackVoice)).await
}

/// Where a caller is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferOrder {
    /// A name of `TRANSFER_DESTINATIONS`.
    #[schema(min_length = 1)]
    destination: String,
}

problems!(TransferProblems: API, SCOPE, ONCE, BODY, CALL, ENGINE, &[Code::CallNotLive, Code::NotPossible]);

/// Sends the caller of a live call to a person or queue. On routes `bridge` and `transfer` only: a call of route
/// `callback` has no leg of its own. If nobody answers, the caller returns to the agent.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/transfer", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    request_body = TransferOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        TransferProblems,
    ),
)]
pub(crate) async fn transfer(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
    order: JsonBody<TransferOrder>,
) -> Result<HttpResponse, Problem> {
    let TransferOrder { destination } = order.into_inner();
    let known = Arc::clone(&app.settings().persons);
    if !known.contains(&destination) {
        let detail = if known.is_empty() {
            "there is nobody to transfer to: TRANSFER_DESTINATIONS is not set".to_owned()
        } else {
            format!("destination must be a name of TRANSFER_DESTINATIONS: {}", known.join(", "))
        };
        return Err(Problem::new(Code::BadField, detail));
    }
    let person = Person::Named(Arc::from(destination));
    ask(&app, &operator, call_id(&app, &id).await?, OperatorOrder::Transfer(person)).await
}

problems!(FallbackProblems: API, SCOPE, ONCE, CALL, ENGINE, &[Code::CallNotLive, Code::NotPossible]);

/// Sends the caller of a live call to `FALLBACK_DESTINATION`. On routes `bridge` and `transfer` only.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/fallback", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        FallbackProblems,
    ),
)]
pub(crate) async fn fallback(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    if !app.settings().has_fallback {
        return Err(Problem::new(Code::NotPossible, "FALLBACK_DESTINATION is not set"));
    }
    ask(&app, &operator, call_id(&app, &id).await?, OperatorOrder::Transfer(Person::Fallback)).await
}

/// A clone that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloneAsked {
    /// The request is passed on.
    #[schema(value_type = Accepted)]
    status: &'static str,
    /// Id of the call.
    id: Uuid,
    /// `this_call`: the call takes the voice if it comes before the agent. `next_call`: the voice is for later calls
    /// of the caller.
    #[schema(value_type = CloneUse)]
    used_for: &'static str,
}

problems!(RetryCloneProblems: API, SCOPE, ONCE, CALL, ENGINE, &[Code::NotPossible]);

/// Clones the voice of a call's caller once more. A call whose agent has not begun takes it; otherwise the caller's
/// next call does.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/retry-clone", tag = "calls",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = CloneAsked),
        RetryCloneProblems,
    ),
)]
pub(crate) async fn retry_clone(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = call_id(&app, &id).await?;
    let order = OperatorOrder::Request(Request::RetryClone);
    let used_for = match pass(&app, &operator, id, order).await? {
        Ordered::Taken => "this_call",
        Ordered::ChangesNothing | Ordered::NotLive => {
            clone_for_next_call(&app, id).await?;
            "next_call"
        }
    };
    let answer = CloneAsked { status: "accepted", id, used_for };
    let answer = response::json_with(StatusCode::ACCEPTED, &answer)?;
    Ok(changed(answer, "call_retry_clone_asked", Some(id), json!({ "used_for": used_for })))
}

async fn clone_for_next_call(app: &AppState, id: Uuid) -> Result<(), Problem> {
    let call = read(app, calls::find(&app.pool, id)).await?.ok_or_else(|| Problem::of(Code::CallNotFound))?;
    let Some(caller) = call.call.caller_id else {
        return Err(Problem::new(Code::NotPossible, "the call has no caller's number, so there is no voice"));
    };
    let begun = app.engine.clone_for(caller).await.map_err(|error| Problem::new(Code::CannotKeep, error))?;
    if begun { Ok(()) } else { Err(Problem::new(Code::NotPossible, "a clone of this caller is under way")) }
}

async fn pass(
    app: &AppState,
    operator: &Allowed<Operate>,
    id: Uuid,
    order: OperatorOrder,
) -> Result<Ordered, Problem> {
    let name = name(&order);
    let by = Operator::new(&operator.principal.name);
    let ordered = in_time(app.engine.order(CallId(id.as_u128()), order, by)).await?;
    info!(app.log, "operator request"; "call" => %id, "request" => name,
        "key" => %operator.principal.name, "passed" => ordered == Ordered::Taken);
    Ok(ordered)
}

fn name(order: &OperatorOrder) -> &'static str {
    match order {
        OperatorOrder::Request(request) => request.name(),
        OperatorOrder::Transfer(_) => "transfer",
    }
}

/// Passes an order to a live call.
async fn ask(
    app: &AppState,
    operator: &Allowed<Operate>,
    id: Uuid,
    order: OperatorOrder,
) -> Result<HttpResponse, Problem> {
    // Asked for twice, a handoff is still what the call will do.
    let is_repeatable = matches!(order, OperatorOrder::Request(_));
    let (action, detail) = match &order {
        OperatorOrder::Request(Request::HangUp) => ("call_hang_up_asked", None),
        OperatorOrder::Request(Request::HandOff) => ("call_hand_off_asked", None),
        OperatorOrder::Request(Request::RetryClone) => ("call_retry_clone_asked", None),
        OperatorOrder::Request(Request::FallbackVoice) => ("call_fallback_voice_asked", None),
        OperatorOrder::Transfer(Person::Fallback) => ("call_transfer_asked", None),
        OperatorOrder::Transfer(Person::Named(name)) => {
            ("call_transfer_asked", Some(json!({ "destination": name })))
        }
    };
    let wants_fallback_voice = order == OperatorOrder::Request(Request::FallbackVoice);
    let ordered = pass(app, operator, id, order).await?;
    let live = app.engine.board().find(CallId(id.as_u128()));
    match ordered {
        // It is over, and its actor still waits for its report.
        Ordered::ChangesNothing if live.is_none() => Err(Problem::of(Code::CallNotLive)),
        Ordered::ChangesNothing if !is_repeatable => Err(Problem::new(Code::NotPossible, CANNOT_GO)),
        Ordered::ChangesNothing if wants_fallback_voice && live.is_some_and(|live| live.has_clone()) => {
            Err(Problem::new(Code::NotPossible, SPEAKS_ELSEWHERE))
        }
        Ordered::Taken | Ordered::ChangesNothing => {
            let answer = response::json_with(StatusCode::ACCEPTED, &Asked { status: "accepted", id })?;
            Ok(changed(answer, action, Some(id), detail))
        }
        Ordered::NotLive => {
            let exists = read(app, calls::exists(&app.pool, id)).await?;
            Err(Problem::of(if exists { Code::CallNotLive } else { Code::CallNotFound }))
        }
    }
}

const CANNOT_GO: &str = "the caller cannot be sent there now: the call is on route callback and has no leg here, or \
    the caller is on the way to a person already";

const SPEAKS_ELSEWHERE: &str = "the agent speaks with the cloned voice in a conversation that ElevenLabs carries: \
    precall cannot change it. Hang up, or send the caller to a person";

/// Whether a cached voice was forgotten.
#[derive(Serialize, ToSchema)]
pub(crate) struct Forgotten {
    /// False when there was none.
    success: bool,
    /// A sentence for people.
    message: &'static str,
}

problems!(ForgetVoiceProblems: API, SCOPE, ENGINE, &[Code::BadNumber]);

/// Forgets the cached voice of a caller. The next call clones again.
#[utoipa::path(
    delete, path = "/api/v1/cache/{caller_id}", tag = "voices",
    params(("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, or an extension")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Forgotten),
        ForgetVoiceProblems,
    ),
)]
pub(crate) async fn forget_voice(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    caller_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&app, &caller_id)?;
    let success = in_time(app.engine.forget_voice(&caller)).await?;
    info!(app.log, "cached voice forgotten"; "key" => %operator.principal.name, "was_there" => success);
    let message =
        if success { "the cached voice is forgotten" } else { "no voice is cached for this caller" };
    // The mapping names the caller, and an erasure of the caller removes it.
    let mapping = callers::mapping(&app.pool, ACCOUNT, &caller).await.ok().flatten();
    let answer = response::json(&Forgotten { success, message })?;
    Ok(changed(answer, "cached_voice_forgotten", mapping, json!({ "was_there": success })))
}
