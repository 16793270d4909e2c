//! The JSON bodies of the API. A body that is there is read or refused: it never counts as left out.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_base::invisible::{is_utf16, without_mark};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use crate::http::body_limits::{drain, fits, too_large};
use crate::http::error::{Code, Problem};

/// Largest JSON body, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// Time limit for a body.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A JSON body of any content type. That is safe because a key and not a cookie identifies the client.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(T);

/// A JSON body, or the default of `T` for a request without a body.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(T);

impl<T> JsonBody<T> {
    /// The value.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for JsonBody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for OptionalJsonBody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = whole(request.clone(), payload.take());
        async move { parse(&body.await?).map(Self) }.boxed_local()
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJsonBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = whole(request.clone(), payload.take());
        async move {
            let body = body.await?;
            if body.is_empty() { Ok(Self(T::default())) } else { parse(&body).map(Self) }
        }
        .boxed_local()
    }
}

/// A JSON object. serde alone also reads a list: as the values of the fields, in their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Object)
    }
}

/// For a field that is an object, as `#[serde(deserialize_with = "json_body::object")]`.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

pub(super) async fn whole(request: HttpRequest, mut payload: Payload) -> Result<Bytes, Problem> {
    if let Err(problem) = fits(&request, BODY_MAX) {
        drain(&request, &mut payload).await;
        return Err(problem);
    }
    let reading = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::of(Code::BodyBroken))?;
            if body.len().saturating_add(chunk.len()) > BODY_MAX {
                return Err(too_large(BODY_MAX));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(BODY_TIME, reading).await.unwrap_or_else(|_| Err(Problem::of(Code::BodyTimeout)))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if is_utf16(body) {
        return Err(Problem::new(Code::BadJson, "the body is UTF-16: send UTF-8"));
    }
    let mut json = serde_json::Deserializer::from_slice(without_mark(body));
    let Object(value) = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| unreadable(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|_| Problem::of(Code::BadJson))?;
    Ok(value)
}

/// What to change, in our words. A problem never repeats a value, because it may be personal.
fn unreadable(path: &str, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::of(Code::BadJson);
    }
    let text = error.to_string();
    let quoted = |start: &str| text.strip_prefix(start)?.split('`').next().map(ToOwned::to_owned);
    let words = if let Some(name) = quoted("missing field `") {
        format!("`{name}` is missing")
    } else if text.starts_with("unknown field `") {
        // Behind the unknown name, each known one is quoted.
        let known: Vec<String> = text.split('`').skip(3).step_by(2).map(|name| format!("`{name}`")).collect();
        if known.is_empty() {
            "the body takes no fields".to_owned()
        } else {
            format!("the body has a field that is not known: it takes {}", known.join(", "))
        }
    } else if matches!(path, "" | ".") {
        "the body is not a JSON object".to_owned()
    } else {
        format!("`{path}` must be {}", expected(&text))
    };
    Problem::new(Code::BadField, words)
}

fn expected(text: &str) -> &'static str {
    let Some((_, expected)) = text.rsplit_once("expected ") else {
        return "another value: see the documentation";
    };
    let is = |names: &[&str]| names.iter().any(|name| expected.starts_with(name));
    if is(&["a string"]) {
        "a text"
    } else if is(&["a boolean"]) {
        "true or false"
    } else if is(&["u8", "u16", "u32", "u64", "usize", "i16", "i32", "i64"]) {
        "a whole number"
    } else if is(&["a sequence"]) {
        "a list"
    } else if is(&["a map", "struct"]) {
        "an object"
    } else {
        "another value: see the documentation"
    }
}

#[cfg(test)]
mod tests;
