//! A request as the endpoints see it: taken out of HTTP, its body read, its query taken apart.

use serde_json::{Map, Value};

use super::answer::{Answer, problem};
use crate::shared::body::Body;

/// One request of the provider's API.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub path: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
    /// Where it was sent to: name or address, and port.
    pub host: String,
    /// The header `xi-api-key`.
    pub api_key: Option<String>,
    pub body: Body,
}

impl Request {
    /// The last value of a query parameter, as FastAPI takes it.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated query parameter.
    pub fn params(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// A whole number in the query.
    ///
    /// # Errors
    /// 422 in FastAPI's shape when it is none.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Answer> {
        let Some(text) = self.param(name) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Answer::invalid(vec![problem(
                &["query", name],
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
                Value::String(text.to_owned()),
            )])),
        }
    }

    /// A page size between 1 and 100.
    ///
    /// # Errors
    /// 422 in FastAPI's shape when it is not.
    pub fn page_size(&self, default: usize) -> Result<usize, Answer> {
        let Some(size) = self.integer("page_size")? else { return Ok(default) };
        let refused = |kind: &str, message: &str| {
            Answer::invalid(vec![problem(&["query", "page_size"], kind, message, Value::from(size))])
        };
        if size < 1 {
            return Err(refused("greater_than_equal", "Input should be greater than or equal to 1"));
        }
        if size > 100 {
            return Err(refused("less_than_equal", "Input should be less than or equal to 100"));
        }
        Ok(usize::try_from(size).unwrap_or(default))
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// 422 in FastAPI's shape when it is none, 413 when it is too large.
    pub fn object(&self) -> Result<&Map<String, Value>, Answer> {
        let not_an_object = |input: Value| {
            Answer::invalid(vec![problem(
                &["body"],
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
                input,
            )])
        };
        match &self.body {
            Body::Json(Value::Object(object)) => Ok(object),
            Body::Json(other) => Err(not_an_object(other.clone())),
            Body::Text(text) if serde_json::from_str::<Value>(text).is_err() => {
                Err(Answer::invalid(vec![problem(
                    &["body", "0"],
                    "json_invalid",
                    "JSON decode error",
                    Value::Null,
                )]))
            }
            Body::Text(text) => Err(not_an_object(Value::String(text.clone()))),
            Body::Empty => {
                Err(Answer::invalid(vec![problem(&["body"], "missing", "Field required", Value::Null)]))
            }
            Body::Upload(_) | Body::Broken(_) => Err(not_an_object(Value::Null)),
            Body::TooLarge => Err(Answer::plain(413, "Request Entity Too Large")),
        }
    }
}

/// Collects the problems of a JSON body, in FastAPI's words.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Value>);

impl Problems {
    /// Something else is wrong.
    pub fn push(&mut self, loc: &[&str], kind: &str, message: &str, input: Value) {
        self.0.push(problem(loc, kind, message, input));
    }

    /// A required string of an object.
    pub(crate) fn required_string(&mut self, object: &Map<String, Value>, name: &str) -> String {
        match object.get(name) {
            Some(Value::String(text)) => return text.clone(),
            Some(other) => {
                self.push(&["body", name], "string_type", "Input should be a valid string", other.clone())
            }
            None => self.push(&["body", name], "missing", "Field required", Value::Object(object.clone())),
        }
        String::new()
    }

    /// Refuses the request when anything was wrong.
    ///
    /// # Errors
    /// 422 with everything that was.
    pub fn finish(self) -> Result<(), Answer> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Answer::invalid(self.0))
    }
}
