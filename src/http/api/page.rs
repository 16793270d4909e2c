//! Lists in pages: `?limit=50&cursor=` -> `{items, next_cursor}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use precall_store::reads::call_list::Place;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::error::{Code, Problem};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Its items.
    pub(crate) items: Vec<T>,
    /// The start of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of the first `limit` rows. An extra row shows that there is another page. `cursor` makes the cursor
    /// behind a row.
    pub(crate) fn cut<R>(
        mut rows: Vec<R>,
        limit: i64,
        cursor: impl Fn(&R) -> String,
        item: impl Fn(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if has_more { rows.last().map(cursor) } else { None };
        Self { items: rows.into_iter().map(item).collect(), next_cursor }
    }
}

/// The query of a path without parameters. A misspelt or unknown one is refused, not silently ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// The requested limit, or the default.
///
/// # Errors
/// `bad_query` outside 1 to 200.
pub(crate) fn limit(asked: Option<u16>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(Code::BadQuery, format!("limit must be from 1 to {LIMIT_MAX}")));
    }
    Ok(i64::from(limit))
}

/// The cursor of a place in the list of calls.
pub(crate) fn cursor_of_place(place: &Place) -> String {
    let mut bytes = [0_u8; 24];
    let (time, id) = bytes.split_at_mut(8);
    time.copy_from_slice(&place.started_at.as_microsecond().to_be_bytes());
    id.copy_from_slice(place.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor. Without a cursor: before the newest call.
pub(crate) fn place_of_cursor(cursor: Option<&str>) -> Result<Place, Problem> {
    let Some(cursor) = cursor.filter(|text| !text.is_empty()) else { return Ok(Place::FIRST) };
    decoded_place(cursor).ok_or_else(|| Problem::of(Code::BadCursor))
}

fn decoded_place(cursor: &str) -> Option<Place> {
    let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (time, id) = bytes.split_at(8);
    let micros = i64::from_be_bytes(time.try_into().ok()?);
    let started_at = Timestamp::from_microsecond(micros).ok()?;
    Some(Place { started_at, id: Uuid::from_slice(id).ok()? })
}

/// The id of a cursor. Without a cursor: behind the newest id.
pub(crate) fn id_of_cursor(cursor: Option<&str>) -> Result<Uuid, Problem> {
    let Some(cursor) = cursor.filter(|text| !text.is_empty()) else { return Ok(Uuid::max()) };
    Uuid::try_parse(cursor).map_err(|_| Problem::of(Code::BadCursor))
}

/// The `seq` of a cursor. Without a cursor: 0.
pub(crate) fn seq_of_cursor(cursor: Option<&str>) -> Result<i64, Problem> {
    let Some(cursor) = cursor.filter(|text| !text.is_empty()) else { return Ok(0) };
    let seq = cursor.parse().ok().filter(|seq| *seq >= 0);
    seq.ok_or_else(|| Problem::of(Code::BadCursor))
}

#[cfg(test)]
mod tests;
