//! Callers over the API: whose sample each is mapped to, and who may hear the voice.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use precall_actors::call::pin::hash_pin;
use precall_base::phone_number::CallerNumber;
use precall_store::people::callers;
use precall_store::people::callers::{CallerRow, NewCaller, Pin, Put};
use serde::{Deserialize, Deserializer, Serialize};
use slog::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Admin, Allowed, Read};
use super::erasure::{self, ErasureAnswer};
use super::fields::{self, NAME_MAX, TEXT_MAX, URL_MAX};
use super::page::{Page, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::clock::now;
use crate::http::error::{Code, Problem};
use crate::http::response;

/// Several accounts come with the management of lines.
const ACCOUNT: &str = "default";
/// Characters of a prefix: E.164 has no more, the plus included.
const PREFIX_MAX: usize = 16;

/// A caller who has a voice.
#[derive(Serialize, ToSchema)]
pub struct CallerItem {
    /// E.164, or an extension of the PBX.
    caller_id: String,
    /// Where the sample lies.
    voice_sample_url: String,
    /// What people call the voice.
    voice_name: String,
    /// For people.
    description: Option<String>,
    /// Whose voice the sample is.
    speaker: Option<Uuid>,
    /// Who may hear it: `number`, `proof` or `never`; none takes the line's.
    voice_policy: Option<String>,
    /// Whether a PIN proves who calls. It is never shown.
    has_pin: bool,
    /// When the caller was mapped.
    created_at: Timestamp,
    /// When that was last changed.
    updated_at: Timestamp,
}

impl From<CallerRow> for CallerItem {
    fn from(row: CallerRow) -> Self {
        Self {
            caller_id: row.caller_id,
            voice_sample_url: row.voice_sample_url,
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

/// Which callers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallersQuery {
    /// How their numbers begin: `+49`, or the first digits of an extension.
    prefix: Option<String>,
    /// Items on a page: 1 to 200, 50 when missing.
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists callers who have a voice, by number.
#[utoipa::path(get, path = "/api/v1/callers", tag = "callers", params(CallersQuery), security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = Page<CallerItem>),
    (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    query: web::Query<CallersQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, behind) = (limit(query.limit)?, number_of_cursor(query.cursor.as_deref())?);
    let prefix = prefix(query.prefix.as_deref().unwrap_or_default())?;
    let pool = &app.pool;
    let rows = callers::list(pool, ACCOUNT, &prefix, &behind, limit.saturating_add(1));
    let cursor = |row: &CallerRow| URL_SAFE_NO_PAD.encode(&row.caller_id);
    response::json(&Page::cut(read(&app, rows).await?, limit, cursor, CallerItem::from))
}

/// Shows a caller.
#[utoipa::path(get, path = "/api/v1/callers/{caller_id}", tag = "callers", params(("caller_id" = String, Path, description = "E.164, or as it is written where precall is")), security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = CallerItem),
    (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn one(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    caller_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    response::json(&found(&app, &number(&app, &caller_id)?).await?)
}

/// Who may hear a voice.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub enum Policy {
    /// Whoever rings from the number.
    Number,
    /// Who proves it.
    Proof,
    /// Nobody.
    Never,
}

// Read by way of text: the library takes another kind of value in the place of an enum for JSON that is broken.
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

/// Left out, taken away or given.
#[derive(Default)]
pub enum PinOrder {
    /// It stays what it is.
    #[default]
    Keep,
    /// `null`.
    Remove,
    /// A new one.
    Set(String),
}

impl<'de> Deserialize<'de> for PinOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Remove, Self::Set))
    }
}

/// A caller as it shall be. What is left out is taken away, but for the PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerOrder {
    /// Where the sample lies; at most 1,024 bytes.
    voice_sample_url: String,
    /// What people call the voice; at most 200 bytes.
    voice_name: String,
    /// For people; at most 2,000 bytes.
    description: Option<String>,
    /// Whose voice the sample is; without a consent of theirs nobody hears it.
    speaker: Option<Uuid>,
    /// Who may hear it; none takes the line's.
    voice_policy: Option<Policy>,
    /// What proves who calls. Left out, it stays; null takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pin: PinOrder,
}

/// Maps a caller to a sample, or changes how.
#[utoipa::path(put, path = "/api/v1/callers/{caller_id}", tag = "callers", params(("caller_id" = String, Path, description = "E.164, or as it is written where precall is")), request_body = CallerOrder, security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = CallerItem, description = "Changed"),
    (status = 201, body = CallerItem, description = "New"),
    (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn put(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    caller_id: web::Path<String>,
    order: web::Json<CallerOrder>,
) -> Result<HttpResponse, Problem> {
    let caller = number(&app, &caller_id)?;
    let order = order.into_inner();
    fields::line("voice_sample_url", &order.voice_sample_url, URL_MAX)?;
    fields::line("voice_name", &order.voice_name, NAME_MAX)?;
    if let Some(description) = &order.description {
        fields::prose("description", description, TEXT_MAX)?;
    }
    let new = NewCaller {
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
    let status = match read(&app, callers::put(pool, ACCOUNT, &caller, &new, by, now())).await? {
        Put::Created => StatusCode::CREATED,
        Put::Changed => StatusCode::OK,
        Put::NoSpeaker => return Err(Problem::of(Code::SpeakerNotFound)),
    };
    app.engine.look_at_voices();
    info!(app.settings.log, "caller mapped"; "key" => %by, "is_new" => status == StatusCode::CREATED);
    response::json_with(status, &found(&app, &caller).await?)
}

/// The hash of a PIN; what makes it blocks, so that it needs a thread of its own.
async fn hashed(pin: String) -> Result<String, Problem> {
    let hashed = web::block(move || hash_pin(&pin)).await.map_err(|_| Problem::of(Code::Internal))?;
    hashed.map_err(|error| Problem::new(Code::BadField, error.to_string()))
}

/// Which way.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// True: for good, with everything that was kept of the caller.
    #[serde(default)]
    erase: bool,
}

/// Takes a caller's voice away, or erases the caller.
#[utoipa::path(delete, path = "/api/v1/callers/{caller_id}", tag = "callers", params(("caller_id" = String, Path, description = "E.164, or as it is written where precall is"), DeleteQuery), security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = ErasureAnswer, description = "Erased"),
    (status = 204, description = "The mapping is gone; calls and their words stay"),
    (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn delete(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    caller_id: web::Path<String>,
    query: web::Query<DeleteQuery>,
) -> Result<HttpResponse, Problem> {
    let caller = number(&app, &caller_id)?;
    let by = &admin.principal.name;
    if query.erase {
        return erasure::erase(&app, &caller, by).await;
    }
    if !read(&app, callers::delete(&app.pool, ACCOUNT, &caller, by, now())).await? {
        return Err(Problem::of(Code::CallerNotFound));
    }
    app.engine.look_at_voices();
    info!(app.settings.log, "caller deleted"; "key" => %by);
    Ok(HttpResponse::NoContent().finish())
}

async fn found(app: &AppState, caller: &str) -> Result<CallerItem, Problem> {
    let row = read(app, callers::find(&app.pool, ACCOUNT, caller)).await?;
    row.map(CallerItem::from).ok_or_else(|| Problem::of(Code::CallerNotFound))
}

/// A number as people write it, in the form that calls have it.
fn number(app: &AppState, text: &str) -> Result<String, Problem> {
    match CallerNumber::parse(text, app.settings.region) {
        CallerNumber::Public(number) => Ok(number.as_e164().to_owned()),
        CallerNumber::Internal(extension) => Ok(extension.as_str().to_owned()),
        CallerNumber::Withheld | CallerNumber::Unreadable => Err(Problem::new(
            Code::BadNumber,
            "write the number as +<country code><number>, as it is dialled in DEFAULT_REGION, or as an extension",
        )),
    }
}

/// A `+` that a query made a space of is forgiven.
fn prefix(text: &str) -> Result<String, Problem> {
    let text = text.strip_prefix(' ').map_or_else(|| text.to_owned(), |digits| format!("+{digits}"));
    let digits = text.strip_prefix('+').unwrap_or(&text);
    if text.len() > PREFIX_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::new(
            Code::BadQuery,
            "prefix must be + and digits, or digits, 16 characters at most",
        ));
    }
    Ok(text)
}

/// The number that a cursor names; before the first without one.
fn number_of_cursor(cursor: Option<&str>) -> Result<String, Problem> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor.unwrap_or_default()).ok();
    let number = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    number.filter(|text| !text.contains('\0')).ok_or_else(|| Problem::of(Code::BadCursor))
}

#[cfg(test)]
mod tests;
