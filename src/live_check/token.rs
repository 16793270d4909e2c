//! Measures the access token: unit of `expires_in`, lifetime, and the effect of a new token on open connections.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::audio::{GetStream, silence};
use super::finding::Findings;
use super::leg::still_there;
use super::pbx::{Answer, Pbx};
use super::post_stream::{Ended, FRAME, PostStream};
use super::socket::Socket;

/// The streams are watched this long after a new token.
const WATCHED: Duration = Duration::from_millis(1_500);
const HELD_BACK: Duration = Duration::from_millis(400);
/// Largest difference, in seconds, between `expires_in` and the token's own lifetime.
const NEAR: i64 = 60;

/// Gets the first token.
pub(super) async fn first(pbx: &Pbx, findings: &mut Findings) -> Result<(), String> {
    let answer = pbx.ask_for_token().await?;
    let token = bearer(&answer)?;
    pbx.use_token(&token);
    let life = life(&token);
    const UNIT: &str = "token: expires_in";
    const UNITS: &str = "seconds since 20.0 Update 9, minutes before";
    match (answer.json().get("expires_in").and_then(number), life) {
        (None, _) => findings.measured(UNIT, "missing", UNITS, false),
        (Some(told), None) => {
            findings
                .not_measured(UNIT, format_args!("{told}; the token is not a JWT, so its unit is unknown"));
        }
        (Some(told), Some(life)) if (told - life).abs() < NEAR => {
            findings.measured(UNIT, format_args!("{told}: seconds"), UNITS, true);
        }
        (Some(told), Some(life)) if (told.saturating_mul(60) - life).abs() <= NEAR => {
            findings.measured(UNIT, format_args!("{told}: minutes"), UNITS, true);
        }
        (Some(told), Some(life)) => {
            let value = format!("{told}, but the token is valid for {life} s");
            findings.measured(UNIT, value, UNITS, false);
        }
    }
    const LIFE: &str = "token: life";
    match life {
        Some(life) => findings.measured(LIFE, format_args!("{life} s (exp - iat)"), "3600 s", life == 3_600),
        None => findings.not_measured(LIFE, "the token is not a JWT with iat and exp"),
    }
    Ok(())
}

/// Gets a new token while streams and WebSocket are open, and watches them. The new token is used from then on.
pub(super) async fn again(
    pbx: &Pbx,
    leg: &str,
    get: &GetStream,
    post: &mut PostStream,
    socket: &Socket,
    findings: &mut Findings,
) -> Result<(), String> {
    const EITHER: &str = "kept or cut: builds differ, and precall reopens";
    let old = pbx.token();
    let had = (get.ended().is_none(), post.ended().is_none(), socket.closed_at().is_none());
    let issued = pbx.ask_for_token().await?;
    let begun = Instant::now();
    pbx.use_token(&bearer(&issued)?);
    let with_old = pbx.get_with(&["callcontrol"], &old).await?;
    let bytes = get.bytes();
    let mut beat = tokio::time::interval(FRAME);
    while begun.elapsed() < WATCHED {
        beat.tick().await;
        if post.ended().is_none() {
            post.write(&silence(), HELD_BACK).await;
        }
    }
    still_there(pbx, leg).await?;
    let is_refused = with_old.status == 401;
    let words = match with_old.status {
        401 => "refused with 401".to_owned(),
        status if with_old.is_success() => format!("still works ({status})"),
        _ => with_old.to_string(),
    };
    findings.measured(
        "token re-issued: old token",
        words,
        "refused with 401: one is active at a time",
        is_refused,
    );
    let after = |at: Instant| format!("cut after {} ms", at.saturating_duration_since(begun).as_millis());
    const GET: &str = "token re-issued: GET stream";
    match (had.0, get.ended()) {
        (false, _) => findings.not_measured(GET, "it ended before"),
        (true, Some((at, _))) => findings.measured(GET, after(at), EITHER, true),
        (true, None) if get.bytes() > bytes => findings.measured(GET, "kept, audio goes on", EITHER, true),
        (true, None) => findings.measured(GET, "kept, but no audio comes", EITHER, false),
    }
    const POST: &str = "token re-issued: POST stream";
    match (had.1, post.ended()) {
        (false, _) => findings.not_measured(POST, "it ended before"),
        (true, Some(end @ (Ended::Answered { .. } | Ended::Closed { .. }))) => {
            findings.measured(POST, format_args!("{}: {end}", after(end.at())), EITHER, true);
        }
        (true, None) => findings.measured(POST, "kept", EITHER, true),
    }
    const WS: &str = "token re-issued: WebSocket";
    match (had.2, socket.closed_at()) {
        (false, _) => findings.not_measured(WS, "it was closed before"),
        (true, Some(at)) => findings.measured(WS, after(at), EITHER, true),
        (true, None) => findings.measured(WS, "stays open", EITHER, true),
    }
    Ok(())
}

/// The token in a response. The response is never shown, because it may contain a token.
pub(super) fn bearer(answer: &Answer) -> Result<String, String> {
    let token = answer.json().get("access_token").and_then(Value::as_str).map(str::to_owned);
    match token {
        Some(token) if answer.is_success() && token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token),
        _ => Err(match answer.status {
            404 => "THREECX_BASE_URL does not lead to a 3CX v20 PBX (the token endpoint is 404)".to_owned(),
            status => format!("the PBX gives no access token (status {status})"),
        }),
    }
}

/// `exp - iat`, in seconds.
fn life(token: &str) -> Option<i64> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    number(claims.get("exp")?)?.checked_sub(number(claims.get("iat")?)?)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
