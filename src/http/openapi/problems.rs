//! The problems of each path. A handler names the codes that its path answers with; in the document each status is one
//! response, and `code` is one of those.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::http::error::{Code, MEDIA_TYPE};

/// Every path below `/api/v1`.
pub(crate) const API: &[Code] = &[
    Code::BadQuery,
    Code::Unauthenticated,
    Code::AddressNotTrusted,
    Code::UnsupportedCoding,
    Code::TooManyFromSource,
    Code::TooManyWrongKeys,
    Code::Internal,
    // Without the keys of the database an unknown key may be a right one.
    Code::DatabaseUnreachable,
];
/// A path that needs a scope above `read`.
pub(crate) const SCOPE: &[Code] = &[Code::Forbidden];
/// A path that asks the database.
pub(crate) const DATABASE: &[Code] = &[Code::DatabaseUnreachable, Code::DatabaseSlow];
/// A path that passes something to the engine.
pub(crate) const ENGINE: &[Code] = &[Code::CannotKeep, Code::NotInTime, Code::Draining];
/// A path with a JSON body.
pub(crate) const BODY: &[Code] =
    &[Code::BadJson, Code::BadField, Code::BodyBroken, Code::BodyTimeout, Code::BodyTooLarge];
/// A POST: it may have an `Idempotency-Key`, whose request is in the database and has its body read.
pub(crate) const ONCE: &[Code] = &[
    Code::BadField,
    Code::BodyBroken,
    Code::BodyTimeout,
    Code::RequestRunning,
    Code::BodyTooLarge,
    Code::KeyOfAnother,
    Code::DatabaseUnreachable,
    Code::DatabaseSlow,
];
/// A path with the id of a call.
pub(crate) const CALL: &[Code] =
    &[Code::CallNotFound, Code::SeveralCalls, Code::DatabaseUnreachable, Code::DatabaseSlow];
/// Every webhook.
pub(crate) const WEBHOOK: &[Code] = &[
    Code::BadJson,
    Code::BodyBroken,
    Code::AddressNotTrusted,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedCoding,
    Code::TooManyFromSource,
    Code::Internal,
    Code::TooManyAtOnce,
];
/// A signed webhook, which is stored.
pub(crate) const SIGNED: &[Code] = &[
    Code::BadField,
    Code::SignatureMissing,
    Code::SignatureMalformed,
    Code::SignatureExpired,
    Code::SignatureWrong,
    Code::CannotKeep,
    Code::NotInTime,
    Code::Draining,
];

/// Defines the problems of a path: a name for `responses(...)`, and lists of codes.
macro_rules! problems {
    ($name:ident: $($codes:expr),+ $(,)?) => {
        /// The problems of a path.
        pub(crate) enum $name {}

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::http::openapi::problems::responses(&[$($codes),+])
            }
        }
    };
}
pub(crate) use problems;

/// One response for each status of these codes.
pub(crate) fn responses(lists: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let given: BTreeSet<&str> = lists.iter().flat_map(|codes| names_of(codes)).collect();
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    // In the order of the table of codes.
    for code in Code::ALL.iter().filter(|code| given.contains(code.name())) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(status, &codes))).collect()
}

/// The names of codes.
pub(crate) fn names_of(codes: &[Code]) -> impl Iterator<Item = &'static str> {
    codes.iter().map(|code| code.name())
}

fn response(status: u16, codes: &[Code]) -> RefOr<Response> {
    let meanings: Vec<String> =
        codes.iter().map(|code| format!("- `{}`: {}", code.name(), code.title())).collect();
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names_of(codes)));
    let number = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status]));
    let of_status = ObjectBuilder::new().property("status", number).property("code", code);
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(of_status);
    let mut response = ResponseBuilder::new()
        .description(meanings.join("\n"))
        .content(MEDIA_TYPE, ContentBuilder::new().schema(Some(schema)).build());
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds until a retry"));
        response = response.header("Retry-After", header.build());
    }
    if codes.contains(&Code::Unauthenticated) {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let header = HeaderBuilder::new().schema(Some(text)).description(Some("`Bearer`"));
        response = response.header("WWW-Authenticate", header.build());
    }
    response.into()
}
