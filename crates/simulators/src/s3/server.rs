//! HTTP: records each request, applies a fault, checks the signature, answers.

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use super::Shared;
use super::list::{self, Asked};
use super::objects::{Absent, Version};
use super::signature::{check, decoded, pairs};

/// Larger objects are refused.
const OBJECT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Every request comes in here.
pub(super) async fn serve(request: HttpRequest, payload: Payload, shared: Data<Shared>) -> HttpResponse {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Some(body) = read(payload).await else { return error(400, "EntityTooLarge") };
    let fault = {
        let mut world = shared.world();
        world.note(format!("{method} {path}"));
        world.faults.take(method.as_str())
    };
    if let Some(fault) = fault {
        tokio::time::sleep(fault.delay).await;
        if let Some(status) = fault.status {
            return error(status, "InternalError");
        }
    }
    if let Err((status, code)) = check(&request, &shared.options, Timestamp::now()) {
        return error(status, code);
    }
    let place = decoded(&path);
    let (bucket, key) = place.trim_start_matches('/').split_once('/').unwrap_or((&place, ""));
    if bucket != shared.options.bucket {
        return error(404, "NoSuchBucket");
    }
    answer(&shared, &request, key, body)
}

fn answer(shared: &Shared, request: &HttpRequest, key: &str, body: Bytes) -> HttpResponse {
    let pairs = pairs(request.query_string());
    let of = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let id = of("versionId");
    let mut world = shared.world();
    match (request.method(), key) {
        (&Method::GET, "") if of("versions").is_some() => {
            let asked = Asked {
                prefix: of("prefix").unwrap_or_default(),
                key_marker: of("key-marker"),
                version_marker: of("version-id-marker"),
                is_encoded: of("encoding-type").as_deref() == Some("url"),
            };
            let (bucket, page) = (&shared.options.bucket, shared.options.page);
            let list = list::answer(&world.objects, bucket, &asked, page);
            HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/xml")).body(list)
        }
        (_, "") => error(501, "NotImplemented"),
        (&Method::GET, key) => match world.objects.get(key, id.as_deref()) {
            Ok((content, version)) => about(version).body(content),
            Err(absent) => missing(absent),
        },
        (&Method::HEAD, key) => match world.objects.get(key, id.as_deref()) {
            Ok((content, version)) => about(version)
                .insert_header((CONTENT_LENGTH, content.len()))
                .no_chunking(size(&content))
                .finish(),
            Err(absent) => missing(absent),
        },
        (&Method::PUT, key) => match world.objects.put(key, body) {
            Ok(version) => about(&version).finish(),
            Err(_) => error(503, "SlowDown"),
        },
        (&Method::DELETE, key) => {
            world.objects.delete(key, id.as_deref());
            HttpResponse::NoContent().finish()
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

fn size(content: &Bytes) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

fn about(version: &Version) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((ETAG, version.etag.as_str()));
    if version.id != "null" {
        answer.insert_header(("x-amz-version-id", version.id.as_str()));
    }
    answer
}

fn missing(absent: Absent) -> HttpResponse {
    let mut answer = error(404, "NoSuchKey");
    if absent == Absent::Deleted {
        let name = actix_web::http::header::HeaderName::from_static("x-amz-delete-marker");
        answer.headers_mut().insert(name, actix_web::http::header::HeaderValue::from_static("true"));
    }
    answer
}

/// An error, with the id of its request in the header and in the body.
pub(super) fn error(status: u16, code: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><RequestId>{id}</RequestId></Error>"
    );
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "application/xml"))
        .insert_header(("x-amz-request-id", id))
        .body(body)
}

async fn read(mut payload: Payload) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.ok()?;
        if body.len().saturating_add(chunk.len()) > OBJECT_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}
