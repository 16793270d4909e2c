//! Who looks at a page.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use super::error::PageError;
use crate::config::{Principal, Scope};
use crate::http::api::sight::Sight;
use crate::http::app_state::AppState;
use crate::http::client_address;
use crate::http::error::{Code, Problem};
use crate::http::sessions::Session;

/// Somebody who has signed in with a key of scope `read`. A request without a session is sent to the sign-in page.
pub(crate) struct Viewer {
    /// The key's owner. `wants_masks` unless the viewer has asked for numbers.
    pub(crate) principal: Principal,
    /// The session.
    pub(crate) session: Session,
    /// Path and query of the page.
    pub(crate) here: String,
}

impl Viewer {
    /// Whether the viewer's key has the scope: whether to show an action, say. The API checks it again.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.principal.scopes.allow(scope)
    }

    /// What the viewer sees: numbers and words, or masks.
    pub(crate) fn sight(&self) -> Sight {
        Sight::of(&self.principal)
    }
}

impl FromRequest for Viewer {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(viewer(request))
    }
}

fn viewer(request: &HttpRequest) -> Result<Viewer, PageError> {
    let app = AppState::of(request)?;
    let here = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    // A form is not sent again after the sign-in.
    let next = request.method().is_safe().then(|| here.clone());
    let Some(session) = app.sessions.of(request) else { return Err(PageError::SignIn { next }) };
    let address = client_address::address(request, &app.settings());
    let mut principal = match app.keys.owner(&session.key, address) {
        Ok(principal) => principal,
        // The key was revoked or has expired.
        Err(problem) if problem.code == Code::Unauthenticated => {
            app.sessions.end(session.id);
            return Err(PageError::SignIn { next });
        }
        Err(problem) => return Err(problem.into()),
    };
    if !principal.scopes.allow(Scope::Read) {
        return Err(Problem::new(Code::Forbidden, "this needs a key with the scope read").into());
    }
    principal.wants_masks = !session.shows_personal;
    // For the audit row.
    request.extensions_mut().insert(principal.clone());
    Ok(Viewer { principal, session, here })
}
