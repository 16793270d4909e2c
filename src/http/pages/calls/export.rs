//! `/calls.csv`: the calls of the filter as a table for spreadsheets, newest first. It is read and sent in pieces.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use futures_util::stream::{self, TryStreamExt as _};
use precall_store::reads::call_list::{self, CallFilter, Place};
use precall_store::reads::calls::CallRow;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::asked::{Asked, now};
use super::row;
use crate::http::api::read::read;
use crate::http::api::sight::{Sight, seen};
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::error::{Code, Problem};
use crate::http::pages::error::PageError;
use crate::http::pages::viewer::Viewer;

/// Calls that are in memory at once, of one export.
const PIECE: i64 = 500;
/// The longest export. A client that reads slower is cut off.
const LONGEST_MICROS: i64 = 3_600 * 1_000_000;

/// The columns. Times are RFC 3339 in UTC; durations are in seconds.
const COLUMNS: [&str; 21] = [
    "id",
    "started_at",
    "ended_at",
    "state",
    "status",
    "cause",
    "blame",
    "told",
    "caller_id",
    "called_number",
    "line",
    "pbx",
    "route",
    "voice_missing",
    "call_seconds",
    "agent_seconds",
    "cost_credits",
    "cost_usd",
    "threecx_call_id",
    "conversation_id",
    "summary_title",
];

/// An export under way.
struct Export {
    app: web::Data<AppState>,
    filter: CallFilter,
    sight: Sight,
    behind: Place,
    started: i64,
    stage: Stage,
    _permit: OwnedSemaphorePermit,
}

/// What an export sends next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Columns,
    Calls,
    Over,
}

/// `GET /calls.csv`.
pub(crate) async fn export(
    app: web::Data<AppState>,
    viewer: Viewer,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = Asked::parse(request.query_string())?;
    let filter = asked.filter(&app, now()?)?;
    let permit = Arc::clone(&app.exports).try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooManyAtOnce, "other exports are under way: try again in a moment")
    })?;
    let filters = json!({ "filters": asked.names() });
    let export = Export {
        app,
        filter,
        sight: viewer.sight(),
        behind: Place::FIRST,
        started: clock::now().0,
        stage: Stage::Columns,
        _permit: permit,
    };
    let answer = HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"calls.csv\""),
        ))
        .streaming(stream::try_unfold(export, next_piece).map_err(Error::from));
    Ok(seen(&viewer.principal, answer, "calls_exported", None, filters))
}

/// The next piece of the table. A failure breaks the answer off, so that no one takes half a table for a whole one.
async fn next_piece(mut export: Export) -> Result<Option<(Bytes, Export)>, Problem> {
    match export.stage {
        Stage::Over => return Ok(None),
        Stage::Columns => {
            export.stage = Stage::Calls;
            return Ok(Some((table([COLUMNS.map(str::to_owned)])?, export)));
        }
        Stage::Calls => {}
    }
    if clock::now().0.saturating_sub(export.started) > LONGEST_MICROS {
        return Err(Problem::of(Code::TooManyAtOnce));
    }
    let pools = &export.app.pools;
    let list = pools.history(async |pool| call_list::list(pool, &export.filter, export.behind, PIECE).await);
    let calls = read(&export.app, list).await?;
    let is_last = i64::try_from(calls.len()).is_ok_and(|count| count < PIECE);
    export.stage = if is_last { Stage::Over } else { Stage::Calls };
    let Some(last) = calls.last() else { return Ok(None) };
    export.behind = Place::behind(last);
    let sight = export.sight;
    let bytes = table(calls.into_iter().map(|call| cells(sight, call)))?;
    Ok(Some((bytes, export)))
}

fn cells(sight: Sight, call: CallRow) -> [String; 21] {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let seconds = row::seconds(&call);
    let texts = [
        call.id.to_string(),
        call.started_at.to_string(),
        call.ended_at.map(|at| at.to_string()).unwrap_or_default(),
        call.state,
        call.status,
        call.cause.unwrap_or_default(),
        call.blame.unwrap_or_default(),
        call.told.unwrap_or_default(),
        call.caller_id.map(|number| sight.number(number)).unwrap_or_default(),
        call.called_number.unwrap_or_default(),
        call.line,
        call.pbx,
        call.route.unwrap_or_default(),
        call.voice_missing.unwrap_or_default(),
        number(seconds),
        number(call.duration_seconds.map(i64::from)),
        number(call.cost_credits),
        call.cost_usd.map(|dollars| dollars.to_string()).unwrap_or_default(),
        call.threecx_call_id.unwrap_or_default(),
        call.conversation_id.unwrap_or_default(),
        sight.personal(call.summary_title).unwrap_or_default(),
    ];
    texts.map(harmless)
}

/// A spreadsheet runs a cell that begins with one of these as a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The text with an apostrophe before it if a spreadsheet would take it for a formula. Telephone numbers, masked ones
/// as well, stay as they are: `+` and digits calculate nothing, and programs read them.
fn harmless(text: String) -> String {
    let is_number = text.strip_prefix('+').is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_digit() || letter == '*')
    });
    if text.starts_with(FORMULA) && !is_number { format!("'{text}") } else { text }
}

/// Rows as CSV (RFC 4180).
fn table<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Result<Bytes, Problem> {
    let internal = |_: csv::Error| Problem::of(Code::Internal);
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(internal)?;
    }
    let bytes = writer.into_inner().map_err(|_| Problem::of(Code::Internal))?;
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("support", "support"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("\t=1", "'\t=1"),
            ("+1+1", "'+1+1"),
            ("+", "'+"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("+31612345678", "+31612345678"),
            ("+31*****678", "+31*****678"),
            ("0151 ******78", "0151 ******78"),
            ("", ""),
        ] {
            assert_eq!(harmless(text.to_owned()), cell);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let rows = [["a,b".to_owned(), "say \"x\"".to_owned()], ["two\r\nlines".to_owned(), String::new()]];
        let written = table(rows).unwrap_or_default();
        assert_eq!(written.as_ref(), b"\"a,b\",\"say \"\"x\"\"\"\r\n\"two\r\nlines\",\r\n");
        assert_eq!(
            table([COLUMNS.map(str::to_owned)]).unwrap_or_default().split(|byte| *byte == b',').count(),
            21
        );
    }
}
