//! Speakers and their consents. Names are personal data, so every path needs scope admin.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_call::At;
use precall_store::people::consents::{Consent, Evidence};
use precall_store::people::speakers;
use precall_store::people::speakers::{Given, Speaker};
use serde::{Deserialize, Serialize};
use slog::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Allowed, Voice};
use super::fields::{self, AGREED_MAX, ConsentText, LocationText, NAME_MAX, NameText, Sha256Text, URL_MAX};
use super::json_body::JsonBody;
use super::page::{NoQuery, Page, id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::{timestamp, wall};
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, BODY, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";
/// Consents shown for one speaker. Older ones are in the database only.
const CONSENTS_SHOWN: i64 = 200;

/// A person whose voice is cloned.
#[derive(Serialize, ToSchema)]
pub(crate) struct SpeakerItem {
    /// Id, ordered by time.
    id: Uuid,
    /// Name; null once erased.
    name: Option<String>,
    /// When the speaker was created.
    created_at: Option<Timestamp>,
    /// When the personal data was erased.
    erased_at: Option<Timestamp>,
}

impl From<Speaker> for SpeakerItem {
    fn from(row: Speaker) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: timestamp(row.created_at),
            erased_at: row.erased_at.and_then(timestamp),
        }
    }
}

/// A consent.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentItem {
    /// Its id.
    id: Uuid,
    /// Its evidence.
    #[schema(value_type = Proof)]
    evidence: String,
    /// SHA-256 of the one sample that it covers.
    #[schema(value_type = Sha256Text)]
    sample_sha256: String,
    /// When it was given.
    given_at: Option<Timestamp>,
    /// When it expires.
    expires_at: Option<Timestamp>,
    /// When it was withdrawn or erased.
    ended_at: Option<Timestamp>,
    /// Position of the consent in the log of consents.
    #[schema(minimum = 1)]
    given: i64,
    /// Position of its end in the log of consents.
    #[schema(minimum = 1)]
    ended: Option<i64>,
    /// Location of the document; null once erased.
    reference: Option<String>,
    /// Text of the consent; null once erased.
    text: Option<String>,
}

impl From<Consent> for ConsentItem {
    fn from(row: Consent) -> Self {
        let (reference, text) = row.personal.map_or((None, None), |p| (p.reference, Some(p.text)));
        Self {
            id: row.id,
            evidence: row.evidence,
            sample_sha256: row.sample_sha256,
            given_at: timestamp(row.given_at),
            expires_at: row.expires_at.and_then(timestamp),
            ended_at: row.ended_at.and_then(timestamp),
            given: row.given,
            ended: row.ended,
            reference,
            text,
        }
    }
}

/// A speaker with consents.
#[derive(Serialize, ToSchema)]
pub(crate) struct SpeakerAnswer {
    #[serde(flatten)]
    speaker: SpeakerItem,
    /// Newest first, at most 200.
    #[schema(max_items = 200)]
    consents: Vec<ConsentItem>,
}

/// A created speaker or consent.
#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    /// Its id.
    id: Uuid,
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpeakersQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(ListProblems: API, SCOPE, DATABASE, &[Code::BadCursor]);

/// Lists speakers, oldest first.
#[utoipa::path(
    get, path = "/api/v1/speakers", tag = "speakers",
    params(SpeakersQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<SpeakerItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Voice>,
    query: web::Query<SpeakersQuery>,
) -> Result<HttpResponse, Problem> {
    let cursor = query.cursor.as_deref().filter(|text| !text.is_empty());
    let behind = cursor.map_or(Ok(Uuid::nil()), |cursor| id_of_cursor(Some(cursor)))?;
    let (limit, pool) = (limit(query.limit)?, &app.pool);
    let rows = read(&app, speakers::page(pool, ACCOUNT, behind, limit.saturating_add(1))).await?;
    response::json(&Page::cut(rows, limit, |row: &Speaker| row.id.to_string(), SpeakerItem::from))
}

/// A new speaker.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpeakerOrder {
    /// Name of the person.
    #[schema(value_type = NameText)]
    name: String,
}

problems!(CreateProblems: API, SCOPE, ONCE, BODY, DATABASE);

/// Creates a speaker.
#[utoipa::path(
    post, path = "/api/v1/speakers", tag = "speakers",
    request_body = SpeakerOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 201, body = Made),
        CreateProblems,
    ),
)]
pub(crate) async fn create(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    order: JsonBody<SpeakerOrder>,
) -> Result<HttpResponse, Problem> {
    fields::line("name", &order.name, NAME_MAX)?;
    let (by, pool) = (&admin.principal.name, &app.pool);
    let id = read(&app, speakers::create(pool, ACCOUNT, &order.name, by, wall())).await?;
    info!(app.log, "speaker created"; "key" => %by, "speaker" => %id);
    Ok(recorded(response::json_with(StatusCode::CREATED, &Made { id })?))
}

problems!(OneProblems: API, SCOPE, DATABASE, &[Code::SpeakerNotFound]);

/// Shows a speaker with consents.
#[utoipa::path(
    get, path = "/api/v1/speakers/{id}", tag = "speakers",
    params(("id" = Uuid, Path, description = "Id of the speaker")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = SpeakerAnswer),
        OneProblems,
    ),
)]
pub(crate) async fn one(
    app: web::Data<AppState>,
    _: Allowed<Voice>,
    _: web::Query<NoQuery>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, pool) = (speaker(&id)?, &app.pool);
    let shown = read(&app, speakers::with_consents(pool, ACCOUNT, id, CONSENTS_SHOWN)).await?;
    let (speaker, consents) = shown.ok_or_else(|| Problem::of(Code::SpeakerNotFound))?;
    let consents = consents.into_iter().map(ConsentItem::from).collect();
    response::json(&SpeakerAnswer { speaker: speaker.into(), consents })
}

/// Evidence of a consent.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub(crate) enum Proof {
    /// The speaker gives the consent in the sample itself.
    Recorded,
    /// A document that the speaker signed.
    Signed,
    /// A record of another system.
    Imported,
}

// Parsed from a string, as `Policy` in callers.rs.
impl TryFrom<String> for Proof {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let all = [Self::Recorded, Self::Signed, Self::Imported];
        all.into_iter().find(|proof| Evidence::from(*proof).name() == text).ok_or("no evidence")
    }
}

impl From<Proof> for Evidence {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::Recorded => Self::Recorded,
            Proof::Signed => Self::Signed,
            Proof::Imported => Self::Imported,
        }
    }
}

/// A new consent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentOrder {
    /// Evidence of the consent.
    evidence: Proof,
    /// SHA-256 of the sample file. The consent covers no other sample.
    #[schema(value_type = Sha256Text)]
    sample_sha256: String,
    /// SHA-256 of the document. Required for `signed` and `imported`.
    #[schema(value_type = Option<Sha256Text>)]
    document_sha256: Option<String>,
    /// Location of the document. Required for `signed` and `imported`.
    #[schema(value_type = Option<LocationText>)]
    reference: Option<String>,
    /// Text of the consent.
    #[schema(value_type = ConsentText)]
    text: String,
    /// Version of the text.
    #[schema(value_type = NameText)]
    text_version: String,
    /// When it was given; default: now.
    given_at: Option<Timestamp>,
    /// When it expires; default: never.
    expires_at: Option<Timestamp>,
}

impl ConsentOrder {
    fn checked(self, now: At) -> Result<Given, Problem> {
        let wrong = |detail: &'static str| Err(Problem::new(Code::BadField, detail));
        fields::sha256("sample_sha256", &self.sample_sha256)?;
        fields::prose("text", &self.text, AGREED_MAX)?;
        fields::line("text_version", &self.text_version, NAME_MAX)?;
        if let Some(hash) = &self.document_sha256 {
            fields::sha256("document_sha256", hash)?;
        }
        if let Some(reference) = &self.reference {
            fields::line("reference", reference, URL_MAX)?;
        }
        let evidence = Evidence::from(self.evidence);
        if evidence.needs_document() && (self.document_sha256.is_none() || self.reference.is_none()) {
            return wrong("evidence signed or imported needs document_sha256 and reference");
        }
        let at = |time: Timestamp| At(time.as_microsecond());
        let (given_at, expires_at) = (self.given_at.map_or(now, at), self.expires_at.map(at));
        if given_at > now {
            return wrong("given_at must not be in the future");
        }
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            return wrong("expires_at must be in the future");
        }
        Ok(Given {
            evidence,
            sample_sha256: self.sample_sha256,
            document_sha256: self.document_sha256,
            reference: self.reference,
            text: self.text,
            text_version: self.text_version,
            given_at,
            expires_at,
        })
    }
}

problems!(AgreeProblems: API, SCOPE, ONCE, BODY, DATABASE, &[Code::SpeakerNotFound]);

/// Records a consent of a speaker.
#[utoipa::path(
    post, path = "/api/v1/speakers/{id}/consents", tag = "speakers",
    params(("id" = Uuid, Path, description = "Id of the speaker")),
    request_body = ConsentOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 201, body = Made),
        AgreeProblems,
    ),
)]
pub(crate) async fn agree(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    id: web::Path<String>,
    order: JsonBody<ConsentOrder>,
) -> Result<HttpResponse, Problem> {
    let (speaker, now) = (speaker(&id)?, wall());
    let given = order.into_inner().checked(now)?;
    let (by, pool) = (&admin.principal.name, &app.pool);
    let written = read(&app, speakers::agree(pool, ACCOUNT, speaker, given, by, now)).await?;
    let id = written.ok_or_else(|| Problem::of(Code::SpeakerNotFound))?;
    app.engine.look_at_voices();
    info!(app.log, "consent recorded"; "key" => %by, "speaker" => %speaker, "consent" => %id);
    Ok(recorded(response::json_with(StatusCode::CREATED, &Made { id })?))
}

/// Result of a withdrawal.
#[derive(Serialize, ToSchema)]
pub(crate) struct WithdrawalAnswer {
    /// Consents that ended.
    consents_ended: u64,
    /// Callers mapped to this voice. They hear the fallback voice from now on.
    callers: usize,
    /// Samples being deleted. A sample that other callers use stays.
    samples: u64,
}

problems!(WithdrawProblems: API, SCOPE, ONCE, DATABASE, &[Code::SpeakerNotFound]);

/// Withdraws all consents of a speaker. precall deletes voices and samples, also at ElevenLabs.
#[utoipa::path(
    post, path = "/api/v1/speakers/{id}/withdrawal", tag = "speakers",
    params(("id" = Uuid, Path, description = "Id of the speaker")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = WithdrawalAnswer),
        WithdrawProblems,
    ),
)]
pub(crate) async fn withdraw(
    app: web::Data<AppState>,
    admin: Allowed<Voice>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let speaker = speaker(&id)?;
    let (by, pool) = (&admin.principal.name, &app.pool);
    let done = read(&app, speakers::withdraw(pool, ACCOUNT, speaker, by, wall())).await?;
    let done = done.ok_or_else(|| Problem::of(Code::SpeakerNotFound))?;
    let answer = WithdrawalAnswer {
        consents_ended: done.consents_ended,
        callers: done.callers.len(),
        samples: done.samples,
    };
    app.engine.revoke_voices(done.callers);
    app.engine.look_at_voices();
    info!(app.log, "consents withdrawn"; "key" => %by, "speaker" => %speaker,
        "consents" => answer.consents_ended, "callers" => answer.callers);
    Ok(recorded(response::json(&answer)?))
}

fn speaker(id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(id).map_err(|_| Problem::of(Code::SpeakerNotFound))
}
