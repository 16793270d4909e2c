//! Lists in pages: `?limit=50&cursor=` -> `{items, next_cursor}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use precall_store::reads::calls::Place;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::error::{Code, Problem};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// Its items.
    items: Vec<T>,
    /// Where the next page begins; none on the last.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The first `limit` of up to `limit + 1` rows: the one beyond tells that there is another page. `cursor` names the place
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

/// The limit that was asked for.
pub(crate) fn limit(asked: Option<u16>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(Code::BadQuery, format!("limit must be from 1 to {LIMIT_MAX}")));
    }
    Ok(i64::from(limit))
}

/// The cursor behind a place in the list of calls.
pub(crate) fn cursor_of_place(place: &Place) -> String {
    let mut bytes = [0_u8; 24];
    let (time, id) = bytes.split_at_mut(8);
    time.copy_from_slice(&place.started_at.as_microsecond().to_be_bytes());
    id.copy_from_slice(place.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor names; before the newest call without one.
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

/// The id that a cursor names; behind the newest without one.
pub(crate) fn id_of_cursor(cursor: Option<&str>) -> Result<Uuid, Problem> {
    let Some(cursor) = cursor.filter(|text| !text.is_empty()) else { return Ok(Uuid::max()) };
    Uuid::try_parse(cursor).map_err(|_| Problem::of(Code::BadCursor))
}

/// The `seq` that a cursor names; the beginning without one.
pub(crate) fn seq_of_cursor(cursor: Option<&str>) -> Result<i64, Problem> {
    let Some(cursor) = cursor.filter(|text| !text.is_empty()) else { return Ok(0) };
    let seq = cursor.parse().ok().filter(|seq| *seq >= 0);
    seq.ok_or_else(|| Problem::of(Code::BadCursor))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
    use jiff::Timestamp;
    use precall_store::reads::calls::Place;
    use uuid::Uuid;

    use super::{Page, cursor_of_place, limit, place_of_cursor, seq_of_cursor};
    use crate::http::error::Code;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        for micros in [0, -5, 1_764_425_485_123_456] {
            let place =
                Place { started_at: Timestamp::from_microsecond(micros).unwrap(), id: Uuid::now_v7() };
            assert_eq!(place_of_cursor(Some(&cursor_of_place(&place))).unwrap(), place);
        }
        assert_eq!(place_of_cursor(None).unwrap(), Place::FIRST);
        assert_eq!(place_of_cursor(Some("")).unwrap(), Place::FIRST);
    }

    #[test]
    fn anything_else_is_no_cursor() {
        let time_without_calendar = "f_________8AAAAAAAAAAAAAAAAAAAAA";
        for cursor in ["x", "AAAA", "!", time_without_calendar, &"A".repeat(400)] {
            assert_eq!(place_of_cursor(Some(cursor)).unwrap_err().code, Code::BadCursor, "{cursor}");
        }
        for cursor in ["-1", "x", "99999999999999999999"] {
            assert_eq!(seq_of_cursor(Some(cursor)).unwrap_err().code, Code::BadCursor);
        }
        assert_eq!(seq_of_cursor(Some("12")).unwrap(), 12);
    }

    #[test]
    fn the_row_beyond_the_page_is_its_cursor_only() {
        let page = |rows: Vec<u8>| Page::cut(rows, 2, |row| row.to_string(), |row| row);
        assert_eq!((page(vec![1, 2]).items, page(vec![1, 2]).next_cursor), (vec![1, 2], None));
        let more = page(vec![1, 2, 3]);
        assert_eq!((more.items, more.next_cursor.as_deref()), (vec![1, 2], Some("2")));
    }

    #[test]
    fn limits_have_limits() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(200)).unwrap(), 200);
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }
}
