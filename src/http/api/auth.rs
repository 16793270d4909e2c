//! Authorisation of the API. A handler with an [`Allowed`] need not check the key.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::config::{Principal, Scope};
use crate::http::app_state::AppState;
use crate::http::client_address;
use crate::http::error::{Code, Problem};

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
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequest for Allowed<N> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authorise(request, N::SCOPE).map(|principal| Self { principal, needs: PhantomData }))
    }
}

/// A request with this header is answered as if its key had no scope `pii`, and gets no audit row: for boards, which
/// ask again and again.
const MASKED: &str = "x-masked";

pub(crate) fn authorise(request: &HttpRequest, scope: Scope) -> Result<Principal, Problem> {
    let app = AppState::of(request)?;
    let presented = presented_key(request).ok_or_else(|| {
        let detail = match app.keys.is_empty() {
            true => "the API is closed: there is no key (set API_KEYS)",
            false => "send `Authorization: Bearer KEY` or `X-API-Key: KEY`",
        };
        Problem::new(Code::Unauthenticated, detail)
    })?;
    let mut principal =
        app.keys.authenticate(presented, client_address::address(request, &app.settings()))?;
    if !principal.scopes.allow(scope) {
        let detail = format!("this needs a key with the scope {}", scope.name());
        return Err(Problem::new(Code::Forbidden, detail));
    }
    principal.wants_masks = request.headers().contains_key(MASKED);
    // For the audit row.
    request.extensions_mut().insert(principal.clone());
    Ok(principal)
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
