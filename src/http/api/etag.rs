//! `ETag`, `If-Match` and `If-None-Match: *` (RFC 9110, sections 8.8 and 13): a change is made only to what the client
//! has seen.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::http::error::{Code, Problem};
use crate::http::response;

/// Bytes of the digest in a tag.
const TAG_BYTES: usize = 12;

/// The tag of an answer: it changes with everything that the answer shows.
pub(super) fn of(body: &impl Serialize) -> Result<String, Problem> {
    let json = serde_json::to_vec(body).map_err(|_| Problem::of(Code::Internal))?;
    let digest = Sha256::digest(&json);
    Ok(format!("\"{}\"", hex::encode(digest.get(..TAG_BYTES).unwrap_or_default())))
}

/// JSON with its tag.
pub(super) fn tagged(
    status: actix_web::http::StatusCode,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let mut answer = response::json_with(status, body)?;
    let tag = HeaderValue::from_str(&of(body)?).map_err(|_| Problem::of(Code::Internal))?;
    answer.headers_mut().insert(ETAG, tag);
    Ok(answer)
}

/// What must be so before a change is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// Nothing.
    None,
    /// `If-Match: *`: it exists.
    Exists,
    /// `If-Match` with tags: it has one of them.
    Has(Vec<String>),
    /// `If-None-Match: *`: it does not exist.
    IsNew,
}

impl Precondition {
    /// Whether the change may be made to what has this tag; none if there is nothing.
    pub(super) fn holds(&self, tag: Option<&str>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => tag.is_some(),
            Self::Has(tags) => tag.is_some_and(|tag| tags.iter().any(|it| it == tag)),
            Self::IsNew => tag.is_none(),
        }
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        if let Some(text) = text(request, IF_MATCH)? {
            if text == "*" {
                return Ok(Self::Exists);
            }
            // A weak tag never matches.
            let tags = text.split(',').map(str::trim).filter(|tag| tag.starts_with('"'));
            return Ok(Self::Has(tags.map(ToOwned::to_owned).collect()));
        }
        match text(request, IF_NONE_MATCH)?.as_deref() {
            None => Ok(Self::None),
            Some("*") => Ok(Self::IsNew),
            Some(_) => {
                Err(Problem::new(Code::BadField, "If-None-Match can only be * here: the caller is new"))
            }
        }
    }
}

fn text(request: &HttpRequest, name: HeaderName) -> Result<Option<String>, Problem> {
    let mut texts = Vec::new();
    for value in request.headers().get_all(&name) {
        let Ok(text) = value.to_str() else {
            return Err(Problem::new(Code::BadField, format!("{name} cannot be read")));
        };
        texts.push(text.trim());
    }
    Ok((!texts.is_empty()).then(|| texts.join(",")))
}

impl FromRequest for Precondition {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(header: &str, value: &str) -> Result<Precondition, Code> {
        let request = TestRequest::default().insert_header((header, value)).to_http_request();
        Precondition::of(&request).map_err(|problem| problem.code)
    }

    #[test]
    fn a_change_is_made_only_to_what_the_client_has_seen() {
        let has = |tags: &[&str]| Ok(Precondition::Has(tags.iter().map(ToString::to_string).collect()));
        assert_eq!(read("if-match", "*"), Ok(Precondition::Exists));
        assert_eq!(read("if-match", "\"a\", \"b\""), has(&["\"a\"", "\"b\""]));
        assert_eq!(read("if-match", "W/\"a\", bare"), has(&[]), "neither ever matches");
        assert_eq!(read("if-none-match", "*"), Ok(Precondition::IsNew));
        assert_eq!(read("if-none-match", "\"a\""), Err(Code::BadField));
        assert_eq!(read("x-other", "*"), Ok(Precondition::None));
        for (precondition, on_a, on_nothing) in [
            (Precondition::None, true, true),
            (Precondition::Exists, true, false),
            (Precondition::Has(vec!["\"a\"".to_owned()]), true, false),
            (Precondition::Has(vec!["\"b\"".to_owned()]), false, false),
            (Precondition::IsNew, false, true),
        ] {
            assert_eq!((precondition.holds(Some("\"a\"")), precondition.holds(None)), (on_a, on_nothing));
        }
    }
}
