//! Middleware: the query of every request below `/api/v1`, held against the OpenAPI document. What a path does not take
//! is refused and never ignored, and a value that cannot be read is named with what would be right.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};
use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;
use utoipa::OpenApi as _;

use super::auth;
use crate::config::Scope;
use crate::http::error::{Code, Problem};
use crate::http::openapi::Document;

/// What a value of a parameter looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Flag,
    Time,
    /// At most this many characters.
    Text(Option<u64>),
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let kind = schema.get("type").cloned().unwrap_or_default();
        let is = |name: &str| {
            kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|it| it == name))
        };
        match schema.get("format").and_then(Value::as_str) {
            _ if is("integer") => Self::Number,
            _ if is("boolean") => Self::Flag,
            Some("date-time") => Self::Time,
            Some(_) | None => Self::Text(schema.get("maxLength").and_then(Value::as_u64)),
        }
    }

    /// What the value should have been; none if it is right.
    fn objection(self, value: &str) -> Option<Cow<'static, str>> {
        let (is_right, words) = match self {
            Self::Number => (value.parse::<i64>().is_ok(), "must be a whole number"),
            Self::Flag => (matches!(value, "true" | "false"), "must be true or false"),
            Self::Time => (value.parse::<Timestamp>().is_ok(), "must be a time as 2026-01-31T12:00:00Z"),
            // PostgreSQL takes no NUL, and nothing here has another control character.
            Self::Text(_) if value.contains(char::is_control) => (false, "must have no control characters"),
            Self::Text(longest) => {
                let longest = longest?;
                let length = u64::try_from(value.chars().count()).unwrap_or(u64::MAX);
                let words = || format!("must have at most {longest} characters").into();
                return (length > longest).then(words);
            }
        };
        (!is_right).then_some(words.into())
    }
}

/// The parameters of each method and path.
static QUERIES: LazyLock<HashMap<String, Vec<(String, Kind)>>> = LazyLock::new(|| {
    let document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let mut queries = HashMap::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let in_query =
                parameters.filter(|parameter| parameter.get("in").is_some_and(|place| place == "query"));
            let known = in_query.filter_map(|parameter| {
                Some((parameter.get("name")?.as_str()?.to_owned(), Kind::of(parameter.get("schema")?)))
            });
            queries.insert(key(method, path), known.collect());
        }
    }
    queries
});

fn key(method: &str, path: &str) -> String {
    format!("{} {path}", method.to_ascii_uppercase())
}

/// Refuses a query that the path does not take. A client without a right key learns only that.
pub(crate) async fn checked<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let problem = request.match_pattern().and_then(|path| {
        let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
        objection(QUERIES.get(&key(method, &path))?, request.query_string())
    });
    let Some(problem) = problem else { return Ok(next.call(request).await?.map_into_left_body()) };
    let problem = auth::authorise(request.request(), Scope::Read).err().unwrap_or(problem);
    Ok(request.into_response(problem.error_response()).map_into_right_body())
}

fn objection(known: &[(String, Kind)], query: &str) -> Option<Problem> {
    let mut given = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some((name, kind)) = known.iter().find(|(known, _)| *known == name) else {
            return Some(Problem::new(Code::BadQuery, unknown(known)));
        };
        if given.contains(&name) {
            return Some(Problem::new(Code::BadQuery, format!("`{name}` is given twice")));
        }
        given.push(name);
        if let Some(words) = kind.objection(&value) {
            return Some(Problem::new(Code::BadQuery, format!("`{name}` {words}")));
        }
    }
    None
}

/// The name itself is not repeated: it may be a number that was meant as a value.
fn unknown(known: &[(String, Kind)]) -> String {
    if known.is_empty() {
        return "this path takes no query".to_owned();
    }
    let names: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("a parameter is not known here: this path takes {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(path: &str, query: &str) -> Option<String> {
        objection(QUERIES.get(path)?, query).map(|problem| problem.detail.into_owned())
    }

    #[test]
    fn what_a_path_does_not_take_is_refused_in_plain_words() {
        let calls = "GET /api/v1/calls";
        for right in
            ["", "limit=5&live=true", "since=2026-01-31T12:00:00Z", "caller_id=%2B4930123456", "state="]
        {
            assert_eq!(says(calls, right), None, "{right}");
        }
        for (wrong, words) in [
            ("limit=many", "`limit` must be a whole number"),
            ("limit=", "`limit` must be a whole number"),
            ("live=1", "`live` must be true or false"),
            ("until=yesterday", "`until` must be a time as 2026-01-31T12:00:00Z"),
            ("limit=1&limit=2", "`limit` is given twice"),
            ("line=%00", "`line` must have no control characters"),
            ("cursor=a%0Ab", "`cursor` must have no control characters"),
        ] {
            assert_eq!(says(calls, wrong).as_deref(), Some(words));
        }
        for (longest, name) in [(256, "pbx"), (64, "cursor")] {
            assert_eq!(says(calls, &format!("{name}={}", "ä".repeat(longest))), None, "{name}");
            let words = format!("`{name}` must have at most {longest} characters");
            assert_eq!(says(calls, &format!("{name}={}", "ä".repeat(longest + 1))), Some(words));
        }
        let unknown = says(calls, "+4930123456").unwrap_or_default();
        assert!(unknown.contains("`limit`, `cursor`, `state`") && !unknown.contains("4930"), "{unknown}");
        let post = says("POST /api/v1/calls/{id}/hangup", "force=true");
        assert_eq!(post.as_deref(), Some("this path takes no query"));
    }
}
