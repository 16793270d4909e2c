//! What the URL of the history asks for: the filters of `GET /api/v1/calls`, with relative times, and links that keep
//! them.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use precall_store::reads::call_list::CallFilter;
use url::form_urlencoded::{self, Serializer};

use crate::http::api::calls::CallsQuery;
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::error::{Code, Problem};

/// Every filter, in the order of the form.
pub(super) const FILTERS: [&str; 14] = [
    "since",
    "until",
    "caller_id",
    "called_number",
    "line",
    "pbx",
    "status",
    "state",
    "cause",
    "blame",
    "told",
    "threecx_call_id",
    "conversation_id",
    "canary",
];
/// What a URL may have beside filters.
const OTHERS: [&str; 3] = ["live", "cursor", "limit"];
/// Longest value, in characters.
const VALUE_MAX: usize = 256;

/// Filters with their values, as the URL has them. Empty ones are left out: a form sends them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked(Vec<(&'static str, String)>);

impl Asked {
    /// Reads a query.
    ///
    /// # Errors
    /// `bad_query` for a name that is no filter, a filter that is there twice, or a value that no filter takes.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let bad = |words: String| Err(Problem::new(Code::BadQuery, words));
        let mut all: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(name) = FILTERS.into_iter().chain(OTHERS).find(|known| *known == name) else {
                return bad(format!("a filter is not known here: there are {}", FILTERS.join(", ")));
            };
            let value = value.trim();
            if all.iter().any(|(known, _)| *known == name) {
                return bad(format!("`{name}` is given twice"));
            }
            if value.contains(char::is_control) || value.chars().count() > VALUE_MAX {
                return bad(format!(
                    "`{name}` must have at most {VALUE_MAX} characters and no control characters"
                ));
            }
            if !value.is_empty() {
                all.push((name, value.to_owned()));
            }
        }
        Ok(Self(all))
    }

    /// The value of a filter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The names of the filters that have a value. Values may be personal, names are not.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).filter(|name| FILTERS.contains(name)).collect()
    }

    /// The path with these filters, some of them changed. The page of the list is not kept.
    pub(super) fn link(&self, path: &str, changes: &[(&'static str, Option<&str>)]) -> String {
        let mut query = Serializer::new(String::new());
        let changed = |name: &str| changes.iter().find(|(changed, _)| *changed == name);
        for (name, value) in &self.0 {
            if *name != "cursor" && changed(name).is_none() {
                query.append_pair(name, value);
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// The filter of the store.
    ///
    /// # Errors
    /// `bad_query` or `bad_number`, in the words of the API.
    pub(super) fn filter(&self, app: &AppState, now: Timestamp) -> Result<CallFilter, Problem> {
        let text = |name: &str| self.get(name).map(str::to_owned);
        let flag = |name: &str| match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::new(Code::BadQuery, format!("`{name}` must be true or false"))),
        };
        let time = |name: &str| self.get(name).map(|text| moment(name, text, now)).transpose();
        let query = CallsQuery {
            limit: None,
            cursor: None,
            state: text("state"),
            live: flag("live")?,
            status: text("status"),
            cause: text("cause"),
            blame: text("blame"),
            told: text("told"),
            line: text("line"),
            pbx: text("pbx"),
            caller_id: text("caller_id"),
            called_number: text("called_number"),
            threecx_call_id: text("threecx_call_id"),
            conversation_id: text("conversation_id"),
            since: time("since")?,
            until: time("until")?,
            canary: flag("canary")?,
        };
        query.filter(app)
    }
}

/// Now, by the host's clock.
pub(super) fn now() -> Result<Timestamp, Problem> {
    clock::timestamp(clock::wall()).ok_or_else(|| Problem::of(Code::Internal))
}

/// A time: `-90m`, `-1h`, `-7d` before now, RFC 3339, or a date with or without a time, in UTC.
fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let found = match text.strip_prefix('-') {
        Some(back) => ago(back).and_then(|back| now.checked_sub(back).ok()),
        None => text.parse().ok().or_else(|| in_utc(text)),
    };
    found.ok_or_else(|| {
        let words = format!("`{name}` must be a time such as -1h, -7d, 2026-01-31 or 2026-01-31T12:00:00Z");
        Problem::new(Code::BadQuery, words)
    })
}

/// A duration such as `90m`.
fn ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

fn in_utc(text: &str) -> Option<Timestamp> {
    let at: civil::DateTime = text.parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests;
