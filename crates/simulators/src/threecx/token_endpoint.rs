//! `POST /connect/token` (facts page, section 1.1), urlencoded or multipart.

use std::collections::HashMap;
use std::time::Instant;

use actix_web::web::Data;
use jiff::Timestamp;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::answer::Answer;
use super::context::Context;
use super::options::ExpiresIn;
use crate::shared::body::{Body, Part};

/// Issues a token, or says what is wrong.
pub(super) fn issue(context: &Data<Context>, body: &Body) -> Answer {
    let fields = fields(body);
    let field = |name: &str| fields.get(name).map(String::as_str);
    let (Some(id), Some(secret), Some(grant)) =
        (field("client_id"), field("client_secret"), field("grant_type"))
    else {
        return error(400, "invalid_request", "client_id, client_secret and grant_type are needed");
    };
    if grant != "client_credentials" {
        return error(400, "unsupported_grant_type", "only client_credentials is supported");
    }
    let options = context.shared.options.clone();
    let second = options.second_client.as_ref().filter(|second| second.id == id);
    let right = match second {
        Some(second) => &second.secret,
        None => &options.client_secret,
    };
    let is_secret = bool::from(secret.as_bytes().ct_eq(right.expose().as_bytes()));
    let is_known = second.is_some() || id == options.client_id;
    if !is_known || !is_secret {
        return error(401, "invalid_client", "the client is unknown or its secret is wrong");
    }
    let token = context.shared.change(|world| {
        let token = world.tokens.issue(id, options.token_ttl, Instant::now(), Timestamp::now());
        if second.is_none() {
            world.token_changed();
        }
        token
    });
    let seconds = options.token_ttl.as_secs();
    let expires_in = match options.expires_in {
        ExpiresIn::Seconds => seconds,
        ExpiresIn::Minutes => seconds.div_ceil(60),
    };
    Answer::ok(json!({"token_type": "Bearer", "expires_in": expires_in, "access_token": token}))
        .with_header("cache-control", "no-store")
}

fn fields(body: &Body) -> HashMap<String, String> {
    match body {
        Body::Text(text) => url::form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
        Body::Upload(parts) => {
            let value = |part: &Part| Some((part.name.clone(), part.value.clone()?));
            parts.iter().filter_map(value).collect()
        }
        Body::Empty | Body::Json(_) | Body::TooLarge | Body::Broken(_) => HashMap::new(),
    }
}

fn error(status: u16, code: &str, description: &str) -> Answer {
    Answer::json(status, json!({"error": code, "error_description": description}))
}
