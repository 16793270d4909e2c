//! What is the same for many operations of the document: security schemes, ids, the header of requests that are sent
//! again.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::http::api::idempotency;

/// The ways to present a key or a secret.
pub(super) struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of `API_KEYS`"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let token =
            token.description(Some("`THREECX_WEBHOOK_TOKEN`, also as `X-API-Key` or password of Basic"));
        components.add_security_scheme("threecx_token", SecurityScheme::Http(token.build()));
        let signature = "`t=<Unix seconds>,v0=<hex>`: HMAC-SHA256 of `<t>.` and the body";
        for (scheme, header, description) in [
            ("api_key", "X-API-Key", "A key of `API_KEYS`"),
            ("threecx_signature", "X-3CX-Signature", signature),
            ("elevenlabs_signature", "ElevenLabs-Signature", signature),
            ("initiation_secret", "X-Initiation-Secret", "`INITIATION_SECRET`"),
        ] {
            let value = ApiKeyValue::with_description(header, description);
            components.add_security_scheme(scheme, SecurityScheme::ApiKey(ApiKey::Header(value)));
        }
    }
}

/// Gives every operation an id of its own: method and path, as `get_calls_id_events`. Generators of clients name their
/// functions after it.
pub(super) struct OperationIds;

impl Modify for OperationIds {
    fn modify(&self, document: &mut OpenApi) {
        each_operation(document, |method, path, operation| {
            let below = path.strip_prefix("/api/v1").unwrap_or(path);
            let words: Vec<&str> =
                below.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            operation.operation_id = Some(format!("{method}_{}", words.join("_")));
        });
    }
}

/// `Idempotency-Key` on every POST of the API.
pub(super) struct IdempotencyKeys;

impl Modify for IdempotencyKeys {
    fn modify(&self, document: &mut OpenApi) {
        each_operation(document, |method, path, operation| {
            if method == "post" && path.starts_with("/api/v1/") {
                operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
            }
        });
    }
}

fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Made by the client for this one request: sent again, it gets the first answer"))
        .schema(Some(key.max_length(Some(idempotency::KEY_BYTES_MAX)).pattern(Some("^[!-~]([ -~]*[!-~])?$"))))
        .build()
}

/// A parameter has no null: it is left out.
pub(super) struct NoNullParameters;

impl Modify for NoNullParameters {
    fn modify(&self, document: &mut OpenApi) {
        each_operation(document, |_, _, operation| {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                    remove_null(schema);
                }
            }
        });
    }
}

fn remove_null(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    if let SchemaType::Array(types) = &mut object.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            object.schema_type = SchemaType::Type(only.clone());
        }
    }
}

fn each_operation(document: &mut OpenApi, mut change: impl FnMut(&'static str, &str, &mut Operation)) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                change(method, path, operation);
            }
        }
    }
}
