//! Authorisation of the API. A handler with an [`Allowed`] need not check the key.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::config::{Principal, Scope};
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// The scope that a handler needs.
pub(crate) trait Needs: 'static {
    /// The lowest sufficient scope.
    const SCOPE: Scope;
}

/// Scope `read`.
pub(crate) struct Read;

impl Needs for Read {
    const SCOPE: Scope = Scope::Read;
}

/// Scope `operate`: calls and cached voices.
pub(crate) struct Operate;

impl Needs for Operate {
    const SCOPE: Scope = Scope::Operate;
}

/// Scope `admin`: callers, speakers, stored data.
pub(crate) struct Admin;

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// A client whose key has the scope of `N`.
pub(crate) struct Allowed<N> {
    /// The name and scope of the key.
    pub(crate) principal: Principal,
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequest for Allowed<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authorise(request, N::SCOPE).map(|principal| Self { principal, needs: PhantomData }))
    }
}

pub(super) fn authorise(request: &HttpRequest, scope: Scope) -> Result<Principal, Problem> {
    let app = AppState::of(request)?;
    let keys = &app.settings.api_keys;
    if keys.is_empty() {
        return Err(Problem::new(Code::Unauthenticated, "the API is closed: API_KEYS is not set"));
    }
    let presented = presented_key(request).ok_or_else(|| {
        let detail = "send `Authorization: Bearer KEY` or `X-API-Key: KEY`";
        Problem::new(Code::Unauthenticated, detail)
    })?;
    let known = keys.authenticate(presented);
    let principal = known.ok_or_else(|| Problem::new(Code::Unauthenticated, "unknown API key"))?;
    if principal.scope < scope {
        let detail = format!("this needs a key with the scope {}", scope.name());
        return Err(Problem::new(Code::Forbidden, detail));
    }
    // For the audit row.
    request.extensions_mut().insert(principal.clone());
    Ok(principal)
}

/// A bearer token, else `X-API-Key`: a proxy may use `Authorization` for itself.
fn presented_key(request: &HttpRequest) -> Option<&str> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    bearer.or_else(|| text("x-api-key").map(str::trim))
}
