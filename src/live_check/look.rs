//! Looks at a PBX without a call: token, list of DNs, event socket and the answer to a stream of a leg that does not
//! exist. Rings nobody. Takes one access token.

use std::time::Duration;

use serde_json::Value;

use super::finding::words;
use super::pbx::{Access, Answer, Pbx};
use super::socket::Socket;
use super::token;

/// No PBX gives a leg this id.
const NO_LEG: &str = "0";

/// What the PBX answered.
#[derive(Debug)]
pub(crate) struct PbxSight {
    /// Why there is no token.
    pub(crate) token: Result<(), TokenRefusal>,
    /// The DNs that the API client may see, with their types.
    pub(crate) dns: Result<Vec<SeenDn>, Refusal>,
    /// The event socket.
    pub(crate) socket: Result<(), String>,
    /// The list of our legs.
    pub(crate) legs: Result<(), Refusal>,
    /// A stream of a leg that does not exist: 404 is right.
    pub(crate) stream: Result<(), Refusal>,
    /// The `Date` of the token's answer, in seconds since 1970.
    pub(crate) date: Option<i64>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenRefusal {
    /// The HTTP status; none without an answer.
    pub(crate) status: Option<u16>,
    /// The words of the PBX or of the client.
    pub(crate) words: String,
}

/// A request without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status; none without an answer.
    pub(crate) status: Option<u16>,
    /// The words of the PBX or of the client.
    pub(crate) words: String,
}

/// A DN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenDn {
    /// Its number or name.
    pub(crate) dn: String,
    /// Its type in the PBX's word; empty if the PBX did not send it.
    pub(crate) kind: String,
}

/// Looks at the PBX. Each request has the deadline `within`.
pub(crate) async fn look(access: Access, within: Duration) -> PbxSight {
    let pbx = Pbx::new(access);
    let late = || format!("no answer within {} s", within.as_secs());
    let unasked = || Refusal { status: None, words: "not asked without a token".to_owned() };
    let answer = tokio::time::timeout(within, pbx.ask_for_token()).await.unwrap_or_else(|_| Err(late()));
    let date = answer.as_ref().ok().and_then(|answer| answer.date);
    let token = match answer {
        Err(words) => Err(TokenRefusal { status: None, words }),
        Ok(answer) => match token::bearer(&answer) {
            Ok(token) => {
                pbx.use_token(&token);
                Ok(())
            }
            // A success is never shown: it may contain a token.
            Err(why) if answer.is_success() => Err(TokenRefusal { status: Some(answer.status), words: why }),
            Err(_) => Err(TokenRefusal { status: Some(answer.status), words: words(&answer.body) }),
        },
    };
    if token.is_err() {
        let (dns, legs, stream) = (Err(unasked()), Err(unasked()), Err(unasked()));
        return PbxSight { token, dns, socket: Err(unasked().words), legs, stream, date };
    }
    let get = async |path: &[&str]| {
        let answer = tokio::time::timeout(within, pbx.get(path)).await.unwrap_or_else(|_| Err(late()));
        succeeded(answer)
    };
    let own = pbx.own_dn().to_owned();
    let dns = get(&["callcontrol"]).await.map(|answer| seen(&answer.json()));
    let socket = tokio::time::timeout(within, Socket::open(&pbx)).await.unwrap_or_else(|_| Err(late()));
    let legs = get(&["callcontrol", &own, "participants"]).await.map(|_| ());
    let stream = match get(&["callcontrol", &own, "participants", NO_LEG, "stream"]).await {
        // There is no such leg, or it has no media.
        Err(Refusal { status: Some(404 | 424), .. }) | Ok(_) => Ok(()),
        Err(refusal) => Err(refusal),
    };
    PbxSight { token, dns, socket: socket.map(drop), legs, stream, date }
}

fn succeeded(answer: Result<Answer, String>) -> Result<Answer, Refusal> {
    match answer {
        Ok(answer) if answer.is_success() => Ok(answer),
        Ok(answer) => Err(Refusal { status: Some(answer.status), words: words(&answer.body) }),
        Err(words) => Err(Refusal { status: None, words }),
    }
}

fn seen(list: &Value) -> Vec<SeenDn> {
    let text = |dn: &Value, field: &str| match dn.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let all = list.as_array().into_iter().flatten();
    all.map(|dn| SeenDn { dn: text(dn, "dn"), kind: text(dn, "type") }).collect()
}
