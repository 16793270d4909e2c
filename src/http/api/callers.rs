//! Callers: the sample that each is mapped to, and who may hear the voice.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::call::pin::hash_pin;
use precall_actors::voices::samples::SampleError;
use precall_store::people::callers;
use precall_store::people::callers::{CallerRow, NewCaller, Pin, Put, SampleSeen};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use slog::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Admin, Allowed, Read};
use super::caller_id::{self, caller};
use super::erasure::{self, ErasureAnswer};
use super::etag::{self, Precondition};
use super::fields::{self, DescriptionText, LocationText, NAME_MAX, NameText, PinText, TEXT_MAX, URL_MAX};
use super::json_body::JsonBody;
use super::page::{NoQuery, Page, limit};
use super::sight::{Sight, seen};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::wall;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{IfNoneMatch, SampleState};
use crate::http::openapi::problems::{API, BODY, DATABASE, SCOPE, problems};
use crate::http::response;

/// The only account. Lines will have accounts of their own.
pub(crate) const ACCOUNT: &str = "default";
/// Time limit for looking at a sample. A request must not wait for a slow store.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A caller with a voice.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallerItem {
    /// Id of the mapping. The sample can be played by it without the number.
    id: Uuid,
    /// E.164, or an extension of the PBX; numbers are masked without the scope `pii`.
    caller_id: String,
    /// Path or URL of the sample; null without the scope `pii`.
    voice_sample_url: Option<String>,
    /// Name of the voice, for people.
    voice_name: String,
    /// Description, for people.
    description: Option<String>,
    /// Speaker of the sample.
    speaker: Option<Uuid>,
    /// Who may hear it; null uses the policy of the line.
    #[schema(value_type = Option<Policy>)]
    voice_policy: Option<String>,
    /// Whether the caller has a PIN. The PIN is never shown.
    has_pin: bool,
    /// When the caller was mapped.
    created_at: Timestamp,
    /// When the mapping was last changed.
    updated_at: Timestamp,
    /// What precall saw when it last looked at the sample.
    #[schema(value_type = SampleState)]
    sample_state: &'static str,
    /// Why a `refused` sample cannot be used.
    sample_problem: Option<String>,
    /// When precall looked at the sample; null while it is `unchecked`.
    sample_checked_at: Option<Timestamp>,
}

impl CallerItem {
    fn seen_by(sight: Sight, row: CallerRow) -> Self {
        let (sample_state, sample_problem) = match row.sample {
            SampleSeen::NotLooked => ("unchecked", None),
            SampleSeen::Usable => ("usable", None),
            SampleSeen::Refused(why) => ("refused", Some(why)),
        };
        Self {
            id: row.id,
            sample_state,
            sample_problem,
            sample_checked_at: row.sample_checked_at,
            caller_id: sight.number(row.caller_id),
            voice_sample_url: sight.personal(Some(row.voice_sample_url)),
            voice_name: row.voice_name,
            description: row.description,
            speaker: row.speaker,
            voice_policy: row.voice_policy,
            has_pin: row.has_pin,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallersQuery {
    /// Prefix of the number: `+49`, as dialled in DEFAULT_REGION, or the first digits of an extension.
    #[param(max_length = 64)]
    prefix: Option<String>,
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(ListProblems: API, SCOPE, DATABASE, &[Code::BadCursor]);

/// Lists callers with a voice, by number.
#[utoipa::path(
    get, path = "/api/v1/callers", tag = "callers",
    params(CallersQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<CallerItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    query: web::Query<CallersQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, sight) = (limit(query.limit)?, Sight::of(&reader.principal));
    let prefix = query.prefix.as_deref().unwrap_or_default();
    if !prefix.is_empty() && sight == Sight::Masked {
        // Digit by digit it would show the numbers.
        return Err(Problem::new(Code::Forbidden, "`prefix` needs a key with the scope pii"));
    }
    let prefix = caller_id::prefix(&app, prefix)?;
    let behind = number_of_cursor(&app, query.cursor.as_deref()).await?;
    let rows = callers::list(&app.pool, ACCOUNT, &prefix, &behind, limit.saturating_add(1));
    let rows = read(&app, rows).await?;
    let detail = json!({ "callers": rows.len() });
    let page = Page::cut(rows, limit, |row| row.id.to_string(), |row| CallerItem::seen_by(sight, row));
    Ok(seen(&reader.principal, response::json(&page)?, "callers_seen", None, detail))
}

problems!(OneProblems: API, DATABASE, &[Code::BadNumber, Code::CallerNotFound]);

/// Shows a caller.
#[utoipa::path(
    get, path = "/api/v1/callers/{caller_id}", tag = "callers",
    params(("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, or an extension")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = CallerItem),
        OneProblems,
    ),
)]
pub(crate) async fn one(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    _: web::Query<NoQuery>,
    caller_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, &caller(&app, &caller_id)?).await?;
    let mapping = row.id;
    let item = CallerItem::seen_by(Sight::of(&reader.principal), row);
    let answer = etag::tagged(StatusCode::OK, &item)?;
    Ok(seen(&reader.principal, answer, "caller_seen", Some(mapping), None))
}

/// Who may hear a voice.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub(crate) enum Policy {
    /// Every caller with this number.
    Number,
    /// A caller who gives the PIN.
    Proof,
    /// No caller.
    Never,
}

// Parsed from a string: the library reports a value of another type in place of an enum as broken JSON.
impl TryFrom<String> for Policy {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let all = [Self::Number, Self::Proof, Self::Never];
        all.into_iter().find(|policy| policy.name() == text).ok_or("not a policy")
    }
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Proof => "proof",
            Self::Never => "never",
        }
    }
}

/// Change of a PIN.
#[derive(Default)]
pub(crate) enum PinOrder {
    /// Left out: the PIN stays.
    #[default]
    Keep,
    /// `null`: the PIN is removed.
    Remove,
    /// The new PIN.
    Set(String),
}

impl<'de> Deserialize<'de> for PinOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Remove, Self::Set))
    }
}

/// The new state of a caller. A missing field is removed, except the PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerOrder {
    /// Path or URL of the sample.
    #[schema(value_type = LocationText)]
    voice_sample_url: String,
    /// Name of the voice, for people.
    #[schema(value_type = NameText)]
    voice_name: String,
    /// Description, for people.
    #[schema(value_type = Option<DescriptionText>)]
    description: Option<String>,
    /// Speaker of the sample. Without a consent of the speaker the voice is not used.
    speaker: Option<Uuid>,
    /// Who may hear it; null uses the policy of the line.
    voice_policy: Option<Policy>,
    /// PIN of the caller. Missing: it stays. Null: it is removed.
    #[serde(default)]
    #[schema(value_type = Option<PinText>)]
    pin: PinOrder,
}

problems!(PutProblems: API, SCOPE, BODY, DATABASE,
    &[Code::BadNumber, Code::CallerNotFound, Code::SpeakerNotFound, Code::ChangedMeanwhile, Code::SampleRefused]);

/// Creates or changes the mapping of a caller to a sample.
#[utoipa::path(
    put, path = "/api/v1/callers/{caller_id}", tag = "callers",
    params(
        ("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, or an extension"),
        ("If-Match" = Option<String>, Header, max_length = 1024,
            description = "ETag of the caller as the client has seen it"),
        ("If-None-Match" = Option<IfNoneMatch>, Header,
            description = "`*`: the caller must be new"),
    ),
    request_body = CallerOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = CallerItem, description = "Changed"),
        (status = 201, body = CallerItem, description = "New"),
        PutProblems,
    ),
)]
pub(crate) async fn put(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    caller_id: web::Path<String>,
    precondition: Precondition,
    order: JsonBody<CallerOrder>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&app, &caller_id)?;
    let order = order.into_inner();
    fields::line("voice_sample_url", &order.voice_sample_url, URL_MAX)?;
    fields::line("voice_name", &order.voice_name, NAME_MAX)?;
    if let Some(description) = &order.description {
        fields::prose("description", description, TEXT_MAX)?;
    }
    let sample = look(&app, &caller, &order.voice_sample_url).await?;
    let new = NewCaller {
        sample,
        voice_sample_url: order.voice_sample_url,
        voice_name: order.voice_name,
        description: order.description,
        speaker: order.speaker,
        voice_policy: order.voice_policy.map(Policy::name),
        pin: match order.pin {
            PinOrder::Keep => Pin::Kept,
            PinOrder::Remove => Pin::Removed,
            PinOrder::Set(pin) => Pin::Set(hashed(pin).await?),
        },
    };
    let (by, pool) = (&admin.principal.name, &app.pool);
    let may = |now: Option<&CallerRow>| {
        let tag = now.and_then(|row| etag::of(&CallerItem::seen_by(Sight::Whole, row.clone())).ok());
        precondition.holds(tag.as_deref())
    };
    let status = match read(&app, callers::put(pool, ACCOUNT, &caller, &new, &may, by, wall())).await? {
        Put::Created => StatusCode::CREATED,
        Put::Changed => StatusCode::OK,
        Put::NotAsExpected => return Err(Problem::of(Code::ChangedMeanwhile)),
        Put::NoSpeaker => return Err(Problem::of(Code::SpeakerNotFound)),
    };
    app.engine.look_at_voices();
    info!(app.log, "caller mapped"; "key" => %by, "is_new" => status == StatusCode::CREATED);
    let item = CallerItem::seen_by(Sight::Whole, found(&app, &caller).await?);
    Ok(recorded(etag::tagged(status, &item)?))
}

/// Looks at the sample, [`LOOK_WITHIN`] at most. A sample that cannot be reached in time is not refused: the clone
/// looks again.
///
/// # Errors
/// `sample_refused`, unless the caller is mapped to this sample already: then the rest of the order is carried out.
async fn look(app: &AppState, caller: &str, reference: &str) -> Result<SampleSeen, Problem> {
    let samples = &app.settings().samples;
    let error = match tokio::time::timeout(LOOK_WITHIN, samples.read(reference)).await {
        Ok(Ok(_)) => return Ok(SampleSeen::Usable),
        Ok(Err(error)) if !error.is_passing() => error,
        Ok(Err(_)) | Err(_) => return Ok(SampleSeen::NotLooked),
    };
    // The first upload of a caller follows the mapping.
    let is_missing = matches!(error, SampleError::Missing | SampleError::MissingObject);
    if is_missing && samples.is_upload(reference) {
        return Ok(SampleSeen::NotLooked);
    }
    let mapped = read(app, callers::find(&app.pool, ACCOUNT, caller)).await?;
    if mapped.is_some_and(|mapped| mapped.voice_sample_url == reference) {
        return Ok(SampleSeen::Refused(error.to_string()));
    }
    Err(Problem::new(Code::SampleRefused, error.to_string()))
}

/// Hashes a PIN on another thread, because hashing blocks.
async fn hashed(pin: String) -> Result<String, Problem> {
    let hashed = web::block(move || hash_pin(&pin)).await.map_err(|_| Problem::of(Code::Internal))?;
    hashed.map_err(|error| Problem::new(Code::BadField, error.to_string()))
}

/// Query of the deletion.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// True: erases the caller with all personal data.
    #[serde(default)]
    erase: bool,
}

problems!(DeleteProblems: API, SCOPE, DATABASE,
    &[Code::BadNumber, Code::CallerNotFound, Code::CallerIsLive, Code::CannotKeep]);

/// Deletes the mapping of a caller, or erases the caller.
#[utoipa::path(
    delete, path = "/api/v1/callers/{caller_id}", tag = "callers",
    params(
        ("caller_id" = String, Path, min_length = 1, max_length = 128,
        description = "E.164, as dialled in DEFAULT_REGION, or an extension"),
        DeleteQuery,
    ),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = ErasureAnswer, description = "Erased"),
        (status = 204, description = "The mapping is deleted; calls and transcripts stay"),
        DeleteProblems,
    ),
)]
pub(crate) async fn delete(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    caller_id: web::Path<String>,
    query: web::Query<DeleteQuery>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&app, &caller_id)?;
    let by = &admin.principal.name;
    if query.erase {
        return erasure::erase(&app, &caller, by).await;
    }
    if !read(&app, callers::delete(&app.pool, ACCOUNT, &caller, by, wall())).await? {
        return Err(Problem::of(Code::CallerNotFound));
    }
    app.engine.look_at_voices();
    info!(app.log, "caller deleted"; "key" => %by);
    Ok(recorded(HttpResponse::NoContent().finish()))
}

/// The mapping of a caller.
///
/// # Errors
/// `caller_not_found`.
pub(super) async fn found(app: &AppState, caller: &str) -> Result<CallerRow, Problem> {
    let row = read(app, callers::find(&app.pool, ACCOUNT, caller)).await?;
    row.ok_or_else(|| Problem::of(Code::CallerNotFound))
}

/// The number of a cursor, which is the id of a mapping and shows no number. Without a cursor: before the first number.
pub(crate) async fn number_of_cursor(app: &AppState, cursor: Option<&str>) -> Result<String, Problem> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(String::new()) };
    let mapping = Uuid::try_parse(cursor).map_err(|_| Problem::of(Code::BadCursor))?;
    let number = read(app, callers::number(&app.pool, ACCOUNT, mapping)).await?;
    number.ok_or_else(|| Problem::of(Code::BadCursor))
}
