//! How a webhook of 3CX proves its sender: by a signature, or, where `THREECX_WEBHOOK_TOKEN` is set, by that token. Of
//! the senders of 3CX only scripts can sign (provider facts, section 2); the others can set a header, Basic or a path.

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::{FutureExt as _, LocalBoxFuture, Ready, ready};

use super::signed_body::{SignedBody, SignedSender as _, ThreeCx, trusted_address};
use super::unsigned_body::read_unsigned;
use crate::config::Secret;
use crate::http::app_state::AppState;
use crate::http::body_limits::{drain, fits};
use crate::http::error::{Code, Problem};
use crate::http::webhooks::body::Body;

/// What proves a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proven {
    /// A signature, or nothing in development without a secret.
    BySignature,
    /// The token.
    ByToken,
}

/// A webhook of 3CX whose sender is proven.
pub(crate) struct ThreeCxBody {
    pub(crate) body: Body,
    pub(crate) proven: Proven,
}

impl FromRequest for ThreeCxBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let presented = presented_token(&request);
            // A signature proves more: a request that has both is a signed one.
            let is_signed = request.headers().contains_key(ThreeCx::KIND.header_name());
            let settings = app.settings();
            let token = settings.threecx_token.as_ref().filter(|_| !is_signed);
            let in_path = request.match_info().get("token").is_some();
            let (Some(token), Some(presented)) = (token, presented) else {
                if in_path && !is_signed {
                    drain(&request, &mut payload).await;
                    return Err(Problem::of(Code::SecretWrong));
                }
                let signed = SignedBody::<ThreeCx>::from_request(&request, &mut payload).await?;
                return Ok(Self { body: signed.body, proven: Proven::BySignature });
            };
            let limits = ThreeCx::limits(&settings);
            let admitted = trusted_address(&request, &settings, &settings.threecx)
                .and_then(|()| fits(&request, limits.largest()))
                // `Secret` compares in constant time.
                .and_then(
                    |()| if presented == *token { Ok(()) } else { Err(Problem::of(Code::SecretWrong)) },
                );
            let longest = ThreeCx::BODY_TIME;
            let body = read_unsigned(&request, &mut payload, &app, admitted, limits, longest).await?;
            Ok(Self { body, proven: Proven::ByToken })
        }
        .boxed_local()
    }
}

/// A request of the CRM template. It presents the token: a template cannot sign. Without a token in the configuration
/// its paths are not there.
pub(crate) struct FromCrm;

impl FromRequest for FromCrm {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(AppState::of(request).and_then(|app| present(request, &app)).map(|()| Self))
    }
}

/// The body of a request of the CRM template.
pub(crate) struct CrmBody(pub(crate) Bytes);

impl FromRequest for CrmBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let limits = ThreeCx::limits(&app.settings());
            let admitted = present(&request, &app).and_then(|()| fits(&request, limits.largest()));
            let longest = ThreeCx::BODY_TIME;
            let body = read_unsigned(&request, &mut payload, &app, admitted, limits, longest).await?;
            Ok(Self(body.whole()?))
        }
        .boxed_local()
    }
}

/// Checks address and token of a request that cannot be signed.
fn present(request: &HttpRequest, app: &AppState) -> Result<(), Problem> {
    let settings = app.settings();
    let token = settings.threecx_token.as_ref().ok_or_else(|| Problem::of(Code::NotFound))?;
    trusted_address(request, &settings, &settings.threecx)?;
    // `Secret` compares in constant time.
    if presented_token(request).as_ref() == Some(token) {
        Ok(())
    } else {
        Err(Problem::of(Code::SecretWrong))
    }
}

/// The token of the path, of `Authorization`, or of `X-API-Key`.
fn presented_token(request: &HttpRequest) -> Option<Secret> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = request.match_info().get("token") {
        return Some(Secret::new(token));
    }
    if let Some((scheme, value)) = header(AUTHORIZATION.as_str()).and_then(|value| value.split_once(' ')) {
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Secret::new(value));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(value).ok()?;
            let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
            return Some(Secret::new(password));
        }
    }
    header("x-api-key").map(|key| Secret::new(key.trim()))
}
