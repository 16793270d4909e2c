//! Sessions of the dashboard: who has signed in with an API key in a browser. They are in memory: after a restart of
//! precall everybody signs in again. The key itself is not kept; its hash is looked up again at each request, so that
//! a revoked key ends its sessions at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use precall_call::At;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::clock;
use super::settings::Settings;
use crate::config::new_key;

/// A session ends after this time without a request.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// A session ends after this time in any case.
const AGE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Sessions of one key; one more ends the one that was unused for longest.
const OF_KEY_MAX: usize = 50;
/// Sessions in all; one more ends the one that was unused for longest.
const MAX: usize = 2_000;

/// The cookie's name.
const COOKIE: &str = "precall_session";
/// The header that a change by a page carries: [`Session::csrf`].
pub(crate) const CSRF: header::HeaderName = header::HeaderName::from_static("x-csrf-token");

/// Who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Names the session in the store: SHA-256 of the cookie.
    pub(crate) id: [u8; 32],
    /// SHA-256 of the API key.
    pub(crate) key: [u8; 32],
    /// Every change must carry this token. Another site cannot read it.
    pub(crate) csrf: Arc<str>,
    /// Whether pages show numbers and words, if the key may see them. They are masked at first.
    pub(crate) shows_personal: bool,
    began: At,
    used: At,
}

impl Session {
    /// Whether the token is that of this session.
    pub(crate) fn has_token(&self, presented: &str) -> bool {
        self.csrf.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn is_over(&self, now: At) -> bool {
        now.since(self.used) > IDLE_MAX || now.since(self.began) > AGE_MAX
    }
}

/// The sessions of this process.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    /// Begins a session of an API key. Returns the secret for the cookie.
    pub(crate) fn begin(&self, key: [u8; 32]) -> String {
        let (secret, now) = (new_key(), clock::now());
        let id = digest(&secret);
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        while sessions.values().filter(|session| session.key == key).count() >= OF_KEY_MAX {
            forget_oldest(&mut sessions, |session| session.key == key);
        }
        while sessions.len() >= MAX {
            forget_oldest(&mut sessions, |_| true);
        }
        let csrf = Arc::from(new_key());
        sessions.insert(id, Session { id, key, csrf, shows_personal: false, began: now, used: now });
        secret
    }

    /// The session of the request's cookie. This counts as a use of it.
    pub(crate) fn of(&self, request: &HttpRequest) -> Option<Session> {
        let id = digest(request.cookie(COOKIE)?.value());
        self.used(id)
    }

    /// The session, if it is not over. This counts as a use of it.
    pub(crate) fn used(&self, id: [u8; 32]) -> Option<Session> {
        let (mut sessions, now) = (self.lock(), clock::now());
        let session = sessions.get_mut(&id)?;
        if session.is_over(now) {
            sessions.remove(&id);
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, id: [u8; 32]) {
        self.lock().remove(&id);
    }

    /// Whether the pages of a session show numbers and words.
    pub(crate) fn show_personal(&self, id: [u8; 32], shows: bool) {
        if let Some(session) = self.lock().get_mut(&id) {
            session.shows_personal = shows;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn forget_oldest(sessions: &mut HashMap<[u8; 32], Session>, of: impl Fn(&Session) -> bool) {
    let oldest = sessions.values().filter(|session| of(session)).min_by_key(|session| session.used);
    if let Some(id) = oldest.map(|session| session.id) {
        sessions.remove(&id);
    }
}

/// The cookie of a session that has begun.
pub(crate) fn cookie(secret: String, is_https: bool) -> Cookie<'static> {
    let age = CookieAge::seconds(i64::try_from(AGE_MAX.as_secs()).unwrap_or(i64::MAX));
    Cookie::build(COOKIE, secret)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_https)
        .max_age(age)
        .finish()
}

/// The cookie that removes the one of a session.
pub(crate) fn no_cookie() -> Cookie<'static> {
    let mut cookie = Cookie::build(COOKIE, "").path("/").http_only(true).same_site(SameSite::Strict).finish();
    cookie.make_removal();
    cookie
}

/// Whether the browser speaks HTTPS, by the word of a trusted proxy: precall itself speaks plain HTTP.
pub(crate) fn is_https(request: &HttpRequest, settings: &Settings) -> bool {
    let from_proxy =
        request.peer_addr().is_some_and(|peer| settings.trusted_proxies.contains(peer.ip().to_canonical()));
    let proto = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    from_proxy && proto.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}

/// Whether the browser says that another site has caused the request. Old browsers say nothing; the cookie of a session
/// is not sent from other sites in any case.
pub(crate) fn is_from_elsewhere(request: &HttpRequest) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else { return false };
    origin.split_once("://").is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests;
