//! Live supervision of bridged calls: whether it is possible, and what an operator tells the agent. `listen` has the
//! audio.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use precall_actors::api::SupervisionRefusal;
use precall_call::{CallId, NotSupervised, Operator, Telling};
use precall_store::reads::calls;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{self, Allowed, Read};
use super::call_id::call_id;
use super::fields::{TOLD_MAX, ToldText, prose};
use super::json_body::JsonBody;
use super::page::NoQuery;
use crate::config::{Principal, Scope};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::changed;
use crate::http::error::{Code, Problem, ProblemCode};
use crate::http::openapi::names::Accepted;
use crate::http::openapi::problems::{API, BODY, CALL, ENGINE, ONCE, SCOPE, problems};
use crate::http::response;

/// Why nobody may listen to a call, or tell its agent something.
pub(super) const NOT_NOW: &[Code] =
    &[Code::CallNotLive, Code::SupervisionOff, Code::NoticeNotHeard, Code::NotBridged];

/// What an operator may do with a live call now.
#[derive(Serialize, ToSchema)]
pub(crate) struct SupervisionState {
    /// Id of the call.
    id: Uuid,
    /// How many listen now.
    #[schema(minimum = 0, maximum = 4)]
    listeners: usize,
    /// Whether one may listen now.
    may_listen: bool,
    /// Why not: the code that listening would be refused with.
    #[schema(value_type = Option<ProblemCode>)]
    listen_refusal: Option<&'static str>,
    /// Whether one may tell the agent something now.
    may_tell: bool,
    /// Why not.
    #[schema(value_type = Option<ProblemCode>)]
    tell_refusal: Option<&'static str>,
}

problems!(SupervisionProblems: API, CALL, ENGINE, &[Code::CallNotLive]);

/// Whether a live call can be listened to, whether its agent can be told something, and how many listen.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/supervision", tag = "supervision",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = SupervisionState),
        SupervisionProblems,
    ),
)]
pub(crate) async fn state(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    id: web::Path<String>,
    _: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let id = call_id(&app, &id).await?;
    let view = app.engine.supervision(CallId(id.as_u128())).await;
    let view = match view {
        Ok(view) => view,
        Err(refusal) => return Err(problem(&app, id, refusal).await),
    };
    let off = (!app.settings().supervision).then_some(Code::SupervisionOff);
    let refusal = |may: Result<(), NotSupervised>| off.or(may.err().map(code)).map(Code::name);
    let (listen_refusal, tell_refusal) = (refusal(view.listen), refusal(view.tell));
    response::json(&SupervisionState {
        id,
        listeners: view.listeners,
        may_listen: listen_refusal.is_none(),
        listen_refusal,
        may_tell: tell_refusal.is_none(),
        tell_refusal,
    })
}

/// A client that may change what an agent says: one that may act on calls, and hear what the agent says then.
pub(crate) struct Supervisor(Principal);

impl FromRequest for Supervisor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(auth::authorise(request, Scope::Operate).and_then(|principal| {
            if principal.scopes.allow(Scope::Listen) {
                return Ok(Self(principal));
            }
            Err(Problem::new(Code::Forbidden, "this needs a key with the scopes listen and operate"))
        }))
    }
}

/// What the agent is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToldOrder {
    /// The text, as the agent gets it.
    #[schema(value_type = ToldText)]
    text: String,
}

/// What was told was passed on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Told {
    /// The text is passed on.
    #[schema(value_type = Accepted)]
    status: &'static str,
    /// Id of the call.
    id: Uuid,
}

problems!(TellProblems: API, SCOPE, ONCE, BODY, CALL, ENGINE, NOT_NOW, &[Code::NotConversing, Code::NotPossible]);

/// Tells the agent of a bridged call something. The agent knows it from then on and does not answer
/// (`contextual_update`). The caller hears nothing. Needs the scopes `listen` and `operate`.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/tell", tag = "supervision",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    request_body = ToldOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Told),
        TellProblems,
    ),
)]
pub(crate) async fn tell(
    app: web::Data<AppState>,
    operator: Supervisor,
    id: web::Path<String>,
    order: JsonBody<ToldOrder>,
) -> Result<HttpResponse, Problem> {
    pass(&app, &operator, &id, order.into_inner(), Telling::Context).await
}

/// Asks the agent of a bridged call to say a sentence to the caller. ElevenLabs has no message that makes an agent say
/// given words: the agent gets an instruction in place of the caller's speech (`user_message`), and may word it in its
/// own way. Needs the scopes `listen` and `operate`.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/say", tag = "supervision",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    request_body = ToldOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Told),
        TellProblems,
    ),
)]
pub(crate) async fn say(
    app: web::Data<AppState>,
    operator: Supervisor,
    id: web::Path<String>,
    order: JsonBody<ToldOrder>,
) -> Result<HttpResponse, Problem> {
    pass(&app, &operator, &id, order.into_inner(), Telling::Say).await
}

async fn pass(
    app: &AppState,
    Supervisor(who): &Supervisor,
    id: &str,
    ToldOrder { text }: ToldOrder,
    what: Telling,
) -> Result<HttpResponse, Problem> {
    prose("text", &text, TOLD_MAX)?;
    let id = call_id(app, id).await?;
    is_on(app)?;
    let characters = text.chars().count();
    let by = Operator::new(&who.name);
    let told = app.engine.tell_agent(CallId(id.as_u128()), what, text, by).await;
    if let Err(refusal) = told {
        return Err(problem(app, id, refusal).await);
    }
    let answer = response::json_with(StatusCode::ACCEPTED, &Told { status: "accepted", id })?;
    let action = match what {
        Telling::Context => "call_agent_told",
        Telling::Say => "call_agent_say_asked",
    };
    // The text itself is personal data: it is in the events of the call.
    Ok(changed(answer, action, Some(id), json!({ "characters": characters })))
}

/// Refuses while `SUPERVISION` is off.
pub(super) fn is_on(app: &AppState) -> Result<(), Problem> {
    if app.settings().supervision {
        return Ok(());
    }
    Err(Problem::new(Code::SupervisionOff, "SUPERVISION is off"))
}

/// The code of a refusal.
pub(crate) fn code(why: NotSupervised) -> Code {
    match why {
        NotSupervised::Over => Code::CallNotLive,
        NotSupervised::Unannounced => Code::SupervisionOff,
        NotSupervised::NoticeNotHeard => Code::NoticeNotHeard,
        NotSupervised::NotBridged => Code::NotBridged,
        NotSupervised::NotConversing => Code::NotConversing,
        NotSupervised::TooOften => Code::NotPossible,
    }
}

/// Why the call is not supervised, as a problem.
pub(super) async fn problem(app: &AppState, id: Uuid, refusal: SupervisionRefusal) -> Problem {
    match refusal {
        SupervisionRefusal::NotLive => match read(app, calls::exists(&app.pool, id)).await {
            Ok(true) => Problem::of(Code::CallNotLive),
            Ok(false) => Problem::of(Code::CallNotFound),
            Err(problem) => problem,
        },
        SupervisionRefusal::NotNow(NotSupervised::Unannounced) => Problem::new(
            Code::SupervisionOff,
            "the notice of this call does not mention supervision (NOTICE_MENTIONS_SUPERVISION), or SUPERVISION was \
             off when the call came in",
        ),
        SupervisionRefusal::NotNow(NotSupervised::TooOften) => {
            Problem::new(Code::NotPossible, "the agent of this call was told too much already")
        }
        SupervisionRefusal::NotNow(why) => Problem::of(code(why)),
        SupervisionRefusal::TooManyListeners => Problem::of(Code::TooManyListeners),
        SupervisionRefusal::NotInTime => Problem::of(Code::NotInTime),
    }
}
