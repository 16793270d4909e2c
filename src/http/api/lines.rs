//! Lines: what a called number gives its calls, in versions. A draft counts for nobody, a published version for every
//! call or for a share of the callers; each can be rolled back.

pub(crate) mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_base::phone_number::CallerNumber;
use precall_call::At;
use precall_store::lines::{self as store, By, Counts, LineVersion, Published, StoredLine, VersionOutcome};
use serde::{Deserialize, Serialize};
use slog::info;
use utoipa::{IntoParams, ToSchema};

use settings::Settings;

use super::auth::{Admin, Allowed, Read};
use super::caller_id::caller;
use super::fields::{self, DescriptionText, TEXT_MAX};
use super::json_body::{self, JsonBody, OptionalJsonBody};
use super::page::{NoQuery, Page, limit, seq_of_cursor};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::wall;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::LineVersionState;
use crate::http::openapi::problems::{API, BODY, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;

/// Longest wait for the prompts of a changed line. They are used as soon as they are there.
const IN_USE_WITHIN: Duration = Duration::from_secs(2);
/// Outcomes are those of the calls of this time.
const OUTCOMES_OF: Duration = Duration::from_secs(30 * 24 * 3600);
/// The version on trial.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialItem {
    /// Its number.
    pub(crate) version: i32,
    /// How many of a hundred callers get it: 1 to 99. A caller always gets the same one.
    pub(crate) percent: i16,
}

/// A line.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineItem {
    /// The called number, as it was written: `line` of its calls.
    pub(crate) number: String,
    /// The version whose settings count; null for a row of the table that was written by hand.
    pub(crate) version: Option<i32>,
    /// The version on trial.
    pub(crate) trial: Option<TrialItem>,
    /// What the line sets.
    pub(crate) settings: Settings,
}

impl From<StoredLine> for LineItem {
    fn from(line: StoredLine) -> Self {
        let trial = line.trial.map(|trial| TrialItem { version: trial.version, percent: trial.percent });
        Self { number: line.number, version: line.version, trial, settings: line.settings.into() }
    }
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LinesQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(ListProblems: API, DATABASE, &[Code::BadCursor]);

/// Lists the lines, by number. The default line comes from the environment and is not among them.
#[utoipa::path(
    get, path = "/api/v1/lines", tag = "lines",
    params(LinesQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<LineItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    query: web::Query<LinesQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = limit(query.limit)?;
    let behind = query.cursor.as_deref().unwrap_or_default();
    // There are few: the engine reads them all as well.
    let mut rows = read(&app, store::all(&app.pool)).await?;
    rows.retain(|line| line.number.as_str() > behind);
    rows.sort_by(|a, b| a.number.cmp(&b.number));
    response::json(&Page::cut(rows, limit, |line| line.number.clone(), LineItem::from))
}

/// Calls of a version in the last 30 days.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Outcomes {
    /// Calls that are live.
    pub(crate) live: i64,
    /// Calls that reached their purpose.
    pub(crate) completed: i64,
    /// Calls that did not.
    pub(crate) failed: i64,
    /// Failed ones by cause.
    pub(crate) causes: BTreeMap<String, i64>,
    /// Average duration of the agent's conversation of completed calls, in seconds.
    pub(crate) average_seconds: Option<f64>,
}

/// A version of a line.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionItem {
    /// Counted from 1 for each line.
    pub(crate) version: i32,
    /// What it is: a `published` one counts.
    #[schema(value_type = LineVersionState)]
    pub(crate) state: &'static str,
    /// Why, for people.
    pub(crate) note: Option<String>,
    /// When it was written.
    pub(crate) created_at: Timestamp,
    /// By whom: the name of the API key.
    pub(crate) created_by: String,
    /// When it last began to count.
    pub(crate) published_at: Option<Timestamp>,
    /// By whom.
    pub(crate) published_by: Option<String>,
    /// What it sets.
    pub(crate) settings: Settings,
    /// What became of its calls in the last 30 days.
    pub(crate) outcomes: Outcomes,
}

/// A line with its versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineAnswer {
    /// The called number.
    pub(crate) number: String,
    /// What counts; null if the line is deleted or only drafted.
    pub(crate) current: Option<LineItem>,
    #[serde(flatten)]
    pub(crate) versions: Page<VersionItem>,
}

problems!(OneProblems: API, DATABASE, &[Code::BadCursor, Code::BadNumber, Code::LineNotFound]);

/// Shows a line and its versions, the newest first. `limit` and `cursor` page through the versions.
#[utoipa::path(
    get, path = "/api/v1/lines/{number}", tag = "lines",
    params(("number" = String, Path, min_length = 1, max_length = 128,
        description = "The called number in any spelling"), LinesQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = LineAnswer),
        OneProblems,
    ),
)]
pub(crate) async fn one(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    number: web::Path<String>,
    query: web::Query<LinesQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, cursor) = (limit(query.limit)?, seq_of_cursor(query.cursor.as_deref())?);
    response::json(&shown(&app, &number, limit, cursor).await?)
}

/// A line with at most `limit` of its versions, those before the one of the cursor; 0 begins with the newest.
pub(crate) async fn shown(
    app: &AppState,
    number: &str,
    limit: i64,
    cursor: i64,
) -> Result<LineAnswer, Problem> {
    let before = i32::try_from(cursor).ok().filter(|before| *before > 0).unwrap_or(i32::MAX);
    let (number, line) = found(app, number).await?;
    let rows = read(app, store::versions(&app.pool, &number, before, limit.saturating_add(1))).await?;
    if line.is_none() && rows.is_empty() && before == i32::MAX {
        return Err(Problem::of(Code::LineNotFound));
    }
    let since = At(wall().0.saturating_sub(i64::try_from(OUTCOMES_OF.as_micros()).unwrap_or(i64::MAX)));
    let outcomes = read(app, store::outcomes(&app.pool, &number, since)).await?;
    let (counts, trial) = (
        line.as_ref().and_then(|line| line.version),
        line.as_ref().and_then(|line| line.trial.as_ref()).map(|trial| trial.version),
    );
    let item = |row: LineVersion| VersionItem {
        version: row.version,
        state: match row.published_at {
            _ if counts == Some(row.version) => "published",
            _ if trial == Some(row.version) => "trial",
            Some(_) => "retired",
            None => "draft",
        },
        note: row.note,
        created_at: row.created_at,
        created_by: row.created_by,
        published_at: row.published_at,
        published_by: row.published_by,
        settings: row.settings.into(),
        outcomes: outcomes_of(&outcomes, row.version),
    };
    let versions = Page::cut(rows, limit, |row| row.version.to_string(), item);
    Ok(LineAnswer { number, current: line.map(LineItem::from), versions })
}

fn outcomes_of(rows: &[VersionOutcome], version: i32) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for row in rows.iter().filter(|row| row.version == Some(version)) {
        match row.status.as_str() {
            "completed" => {
                outcomes.completed = outcomes.completed.saturating_add(row.calls);
                outcomes.average_seconds = row.average_seconds.or(outcomes.average_seconds);
            }
            "failed" => {
                outcomes.failed = outcomes.failed.saturating_add(row.calls);
                let cause = row.cause.clone().unwrap_or_default();
                let counted = outcomes.causes.entry(cause).or_default();
                *counted = counted.saturating_add(row.calls);
            }
            _ => outcomes.live = outcomes.live.saturating_add(row.calls),
        }
    }
    outcomes
}

/// A new version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineOrder {
    /// All that the line sets: what is missing takes the value of the default line.
    #[serde(deserialize_with = "json_body::object")]
    settings: Settings,
    /// Why, for people.
    #[schema(value_type = Option<DescriptionText>)]
    note: Option<String>,
    /// False: the version is a draft, which counts for no call. True, also when missing: it counts for the next call.
    publish: Option<bool>,
}

/// What an order did.
#[derive(Serialize, ToSchema)]
pub(crate) struct Changed {
    /// The called number.
    number: String,
    /// The version of the order.
    version: i32,
    /// Whether new calls use it by now. False while its prompts are being spoken; then in a few seconds.
    in_use: bool,
}

problems!(PutProblems: API, SCOPE, BODY, DATABASE, &[Code::BadNumber]);

/// Writes a new version of a line, and publishes it unless `publish` is false.
#[utoipa::path(
    put, path = "/api/v1/lines/{number}", tag = "lines",
    params(("number" = String, Path, min_length = 1, max_length = 128,
        description = "The called number in any spelling, or an extension")),
    request_body = LineOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Changed),
        PutProblems,
    ),
)]
pub(crate) async fn put(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    number: web::Path<String>,
    order: JsonBody<LineOrder>,
) -> Result<HttpResponse, Problem> {
    let LineOrder { settings, note, publish } = order.into_inner();
    let settings = settings.checked()?;
    note.as_ref().map_or(Ok(()), |note| fields::prose("note", note, TEXT_MAX))?;
    let (number, _) = found(&app, &number).await?;
    let by = By { who: &admin.principal.name, at: wall() };
    let counts = if publish == Some(false) { Counts::Later } else { Counts::AtOnce };
    let writing = store::write(&app.pool, &number, &settings, note.as_deref(), counts, by);
    let version = read(&app, writing).await?;
    match counts {
        Counts::AtOnce => answer(&app, number, Published::Done { version }, &admin.principal.name).await,
        Counts::Later => Ok(recorded(response::json(&Changed { number, version, in_use: false })?)),
    }
}

/// Which version is published.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishOrder {
    /// The version.
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    version: i32,
    /// For how many of a hundred callers: 1 to 99 is a trial beside the version that counts. Missing or 100: for all.
    #[schema(minimum = 1, maximum = 100)]
    percent: Option<i16>,
}

problems!(PublishProblems: API, SCOPE, ONCE, BODY, DATABASE, &[Code::BadNumber, Code::LineNotFound, Code::NotPossible]);

/// Publishes a version of a line, for all callers or on trial for some.
#[utoipa::path(
    post, path = "/api/v1/lines/{number}/publish", tag = "lines",
    params(("number" = String, Path, min_length = 1, max_length = 128,
        description = "The called number in any spelling")),
    request_body = PublishOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Changed),
        PublishProblems,
    ),
)]
pub(crate) async fn publish(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    number: web::Path<String>,
    order: JsonBody<PublishOrder>,
) -> Result<HttpResponse, Problem> {
    let PublishOrder { version, percent } = order.into_inner();
    if percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
        return Err(Problem::new(Code::BadField, "percent must be from 1 to 100"));
    }
    let percent = percent.filter(|percent| *percent < 100);
    let (number, _) = found(&app, &number).await?;
    let by = By { who: &admin.principal.name, at: wall() };
    let published = read(&app, store::publish(&app.pool, &number, version, percent, by)).await?;
    answer(&app, number, published, &admin.principal.name).await
}

/// An order without a field.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NothingToSay {}

problems!(RollBackProblems: API, SCOPE, ONCE, BODY, DATABASE,
    &[Code::BadNumber, Code::LineNotFound, Code::NotPossible]);

/// Ends the trial of a line; without one, the version that was published before counts again.
#[utoipa::path(
    post, path = "/api/v1/lines/{number}/rollback", tag = "lines",
    params(("number" = String, Path, min_length = 1, max_length = 128,
        description = "The called number in any spelling")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Changed),
        RollBackProblems,
    ),
)]
pub(crate) async fn roll_back(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    number: web::Path<String>,
    _: OptionalJsonBody<NothingToSay>,
) -> Result<HttpResponse, Problem> {
    let (number, _) = found(&app, &number).await?;
    let by = By { who: &admin.principal.name, at: wall() };
    let published = read(&app, store::roll_back(&app.pool, &number, by)).await?;
    answer(&app, number, published, &admin.principal.name).await
}

problems!(DeleteProblems: API, SCOPE, DATABASE, &[Code::BadNumber, Code::LineNotFound]);

/// Deletes a line: calls of its number are calls of the default line. Its versions stay, and can be published again.
#[utoipa::path(
    delete, path = "/api/v1/lines/{number}", tag = "lines",
    params(("number" = String, Path, min_length = 1, max_length = 128,
        description = "The called number in any spelling")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 204, description = "Deleted"),
        DeleteProblems,
    ),
)]
pub(crate) async fn delete(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    _: web::Query<NoQuery>,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (number, _) = found(&app, &number).await?;
    let by = By { who: &admin.principal.name, at: wall() };
    if !read(&app, store::delete(&app.pool, &number, by)).await? {
        return Err(Problem::of(Code::LineNotFound));
    }
    info!(app.log, "line deleted"; "line" => &number, "key" => %admin.principal.name);
    in_use(&app).await;
    Ok(recorded(HttpResponse::build(StatusCode::NO_CONTENT).finish()))
}

/// The number of a line as the table has it, and the line. A number that has none is as in rows of calls.
async fn found(app: &AppState, text: &str) -> Result<(String, Option<StoredLine>), Problem> {
    let number = caller(app, text)?;
    let asked = CallerNumber::parse(&number, app.settings().region);
    let mut lines = read(app, store::all(&app.pool)).await?.into_iter();
    let line = lines.find(|line| CallerNumber::parse(&line.number, app.settings().region) == asked);
    Ok((line.as_ref().map_or(number, |line| line.number.clone()), line))
}

async fn answer(
    app: &AppState,
    number: String,
    published: Published,
    by: &str,
) -> Result<HttpResponse, Problem> {
    let version = match published {
        Published::Done { version } => version,
        Published::NoVersion => return Err(Problem::of(Code::LineNotFound)),
        Published::NothingToCompare => {
            let words = "a trial needs a line that has another version: publish this one for all callers";
            return Err(Problem::new(Code::NotPossible, words));
        }
    };
    info!(app.log, "line published"; "line" => &number, "version" => version, "key" => by);
    let in_use = in_use(app).await;
    Ok(recorded(response::json(&Changed { number, version, in_use })?))
}

/// Has the engine read the lines again. It goes on in the background when it takes longer.
async fn in_use(app: &AppState) -> bool {
    let engine = std::sync::Arc::clone(&app.engine);
    let reloading = actix_web::rt::spawn(async move { engine.reload_lines().await });
    tokio::time::timeout(IN_USE_WITHIN, reloading).await.is_ok_and(|reloaded| reloaded.is_ok())
}
