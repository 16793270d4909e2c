//! What the control requests (`/sim/...`) of the simulators share: how their bodies are read and refused.

use std::collections::BTreeMap;

use actix_web::http::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::body::Body;

/// Why a control request is refused. Each simulator answers it in its provider's own form.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub why: String,
}

impl Refusal {
    /// 400 with a sentence.
    pub fn bad(why: impl Into<String>) -> Self {
        Self { status: 400, why: why.into() }
    }
}

/// Whether a path is the simulator's own.
pub(crate) fn is_control(path: &str) -> bool {
    path == "/sim" || path.starts_with("/sim/")
}

/// The body as JSON. The content type does not matter: people type these requests by hand.
pub(crate) fn parsed<T: DeserializeOwned>(body: &Body) -> Result<T, Refusal> {
    let value = match body {
        Body::Json(value) => Ok(value.clone()),
        Body::Text(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Body::Empty => Err("a JSON body is needed".to_owned()),
        Body::Upload(_) => Err("an upload is not JSON".to_owned()),
        Body::TooLarge => {
            return Err(Refusal { status: 413, why: "the body is larger than 1 MiB".to_owned() });
        }
        Body::Broken(why) => Err(why.clone()),
    };
    value
        .and_then(|value: Value| serde_json::from_value(value).map_err(|error| error.to_string()))
        .map_err(Refusal::bad)
}

/// A JSON array of at most `most` entries; `what` names them in the refusal.
pub(crate) fn parsed_list<T: DeserializeOwned>(
    body: &Body,
    most: usize,
    what: &str,
) -> Result<Vec<T>, Refusal> {
    let list: Vec<T> = parsed(body)?;
    if list.len() > most {
        return Err(Refusal::bad(format!("at most {most} {what}")));
    }
    Ok(list)
}

/// Whether HTTP can carry the answer that a fault gives.
pub(crate) fn check_answer(status: Option<u16>, headers: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err(Refusal::bad("status must be between 200 and 599"));
    }
    let is_proper = |(name, value): (&String, &String)| {
        HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::try_from(value.as_str()).is_ok()
    };
    if !headers.iter().all(is_proper) {
        return Err(Refusal::bad("headers must be names and values that HTTP allows"));
    }
    Ok(())
}
