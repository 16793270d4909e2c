//! `/webhook/3cx/crm/...`: the requests of the CRM template (docs/3cx-crm-template.xml). They begin no call, no dial
//! and no clone: a template can only show a token, which is read more easily than a signature is forged.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::inbox::About;
use super::threecx::apply_and_keep;
use super::threecx_proof::{CrmBody, FromCrm};
use crate::http::app_state::{AppState, in_time};
use crate::http::error::{Code, Problem};
use crate::http::inbound::threecx::{Answer, KIND_OF_REPORT, apply};
use crate::http::inbound::threecx_crm::{LookupQuery, ReportBody, parse_report};
use crate::http::inbound::threecx_wire::happened_at;
use crate::http::openapi::problems::{WEBHOOK, problems};
use crate::http::response;

/// The contacts of a caller, for the PBX.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreeCxContacts)]
pub(crate) struct Contacts {
    /// Always empty: precall tells the PBX neither a name, nor whether it knows a number. Who has the token could ask
    /// for every number.
    #[schema(max_items = 0)]
    contacts: [String; 0],
}

const CRM: &[Code] = &[
    Code::SecretWrong,
    Code::NotFound,
    Code::NoCall,
    Code::BadField,
    Code::BadQuery,
    Code::CannotKeep,
    Code::NotInTime,
    Code::Draining,
];
problems!(Problems: WEBHOOK, CRM);

/// Takes the look-up of a caller while the PBX routes the call. The call that it fits notes it.
#[utoipa::path(
    get, path = "/webhook/3cx/crm/lookup", tag = "webhooks",
    params(LookupQuery),
    security(("threecx_token" = [])),
    responses(
        (status = 200, body = Contacts),
        Problems,
    ),
)]
pub(crate) async fn lookup(
    app: web::Data<AppState>,
    _: FromCrm,
    query: web::Query<LookupQuery>,
) -> Result<HttpResponse, Problem> {
    let message = query.into_inner().message()?;
    let answer = in_time(apply(&*app.engine, message, None)).await?;
    // Neither the inbox nor the wire record gets it: it says nothing but a number.
    response::counted(answer.status, &Contacts { contacts: [] })
}

/// Takes the report of a call that is over. It adds to the one call of this caller that came in while the PBX's call
/// lasted; without one it stays in the inbox alone.
#[utoipa::path(
    post, path = "/webhook/3cx/crm/report", tag = "webhooks",
    request_body(content = ReportBody, content_type = "application/json", description = "Any content type is taken"),
    security(("threecx_token" = [])),
    responses(
        (status = 200, body = Answer),
        Problems,
    ),
)]
pub(crate) async fn report(
    app: web::Data<AppState>,
    CrmBody(body): CrmBody,
) -> Result<HttpResponse, Problem> {
    let message = parse_report(&body)?;
    let about = About { kind: KIND_OF_REPORT.into(), id: None, at: happened_at(&body) };
    let kept = apply_and_keep(&app, "POST /webhook/3cx/crm/report", message, about, body);
    let answer = in_time(kept).await?;
    response::counted(answer.status, &answer)
}
