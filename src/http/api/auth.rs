//! Authorisation of the API. A handler with an [`Allowed`] need not check the key.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use super::grant::Grant;
use crate::config::{Principal, Scope, key_digest};
use crate::http::app_state::AppState;
use crate::http::client_address;
use crate::http::error::{Code, Problem};
use crate::http::sessions::{CSRF, Session, is_from_elsewhere};

/// The scope that a handler needs.
pub(crate) trait Needs: 'static {
    /// The scope.
    const SCOPE: Scope;
}

/// Defines a type for each scope that a handler can need.
macro_rules! needs {
    ($($(#[$doc:meta])* $scope:ident;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $scope;

            impl Needs for $scope {
                const SCOPE: Scope = Scope::$scope;
            }
        )+
    };
}

needs! {
    /// Scope `read`.
    Read;
    /// Scope `voice`: samples, speakers, consents, voices.
    Voice;
    /// Scope `listen`: the audio of live calls.
    Listen;
    /// Scope `operate`: calls and cached voices.
    Operate;
    /// Scope `admin`: callers, keys, stored data.
    Admin;
}

/// A client whose key has the scope of `N`.
pub(crate) struct Allowed<N> {
    /// The name and the scopes of the key.
    pub(crate) principal: Principal,
    /// To look again whether it is still allowed.
    pub(crate) grant: Grant,
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequest for Allowed<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let admitted = admit(request, N::SCOPE);
        ready(admitted.map(|(principal, grant)| Self { principal, grant, needs: PhantomData }))
    }
}

/// A request with this header is answered as if its key had no scope `pii`, and gets no audit row: for boards, which
/// ask again and again.
const MASKED: &str = "x-masked";

/// The owner of the request's API key, or of the session of a page, if it has the scope.
pub(crate) fn authorise(request: &HttpRequest, scope: Scope) -> Result<Principal, Problem> {
    admit(request, scope).map(|(principal, _)| principal)
}

fn admit(request: &HttpRequest, scope: Scope) -> Result<(Principal, Grant), Problem> {
    let app = AppState::of(request)?;
    let address = client_address::address(request, &app.settings());
    let (mut principal, key, session) = match presented_key(request) {
        Some(presented) => {
            let principal = app.keys.authenticate(presented, address)?;
            let key = key_digest(presented).ok_or_else(|| Problem::of(Code::Internal))?;
            (principal, key, None)
        }
        None => {
            let (principal, session) = of_session(&app, request, address)?;
            (principal, session.key, Some(session.id))
        }
    };
    if !principal.scopes.allow(scope) {
        let detail = format!("this needs a key with the scope {}", scope.name());
        return Err(Problem::new(Code::Forbidden, detail));
    }
    principal.wants_masks |= request.headers().contains_key(MASKED);
    // For the audit row.
    request.extensions_mut().insert(principal.clone());
    Ok((principal, Grant { key, session, address, scope }))
}

/// A page of the dashboard sends no key: its cookie names the session. A change must carry the token of the session,
/// which pages of other sites do not have.
fn of_session(
    app: &AppState,
    request: &HttpRequest,
    address: Option<IpAddr>,
) -> Result<(Principal, Session), Problem> {
    let Some(session) = app.sessions.of(request) else {
        let detail = match app.keys.is_empty() {
            true => "the API is closed: there is no key (set API_KEYS)",
            false => "send `Authorization: Bearer KEY` or `X-API-Key: KEY`",
        };
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    let token = request.headers().get(CSRF).and_then(|value| value.to_str().ok());
    let is_change = !request.method().is_safe();
    if is_change && (is_from_elsewhere(request) || !token.is_some_and(|token| session.has_token(token))) {
        let detail = "a change by a page must carry its X-CSRF-Token: load the page again";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let mut principal = app.keys.owner(&session.key, address)?;
    principal.wants_masks = !session.shows_personal;
    Ok((principal, session))
}

/// A bearer token, else `X-API-Key`: a proxy may use `Authorization` for itself.
pub(crate) fn presented_key(request: &HttpRequest) -> Option<&str> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    bearer.or_else(|| text("x-api-key").map(str::trim))
}
