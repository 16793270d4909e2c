//! Reads a request's body within bounds: JSON and text into memory, uploads as a stream of which only size,
//! digest and first bytes are kept, so that hundreds of uploads at once cost nothing.

use actix_multipart::Multipart;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Largest JSON or text body.
const TEXT_LIMIT: usize = 1024 * 1024;
/// Largest upload, all parts together. The provider's own limit is not documented.
const UPLOAD_LIMIT: u64 = 64 * 1024 * 1024;
/// Most parts of one upload.
const PART_LIMIT: usize = 64;
/// Longest text part that is kept; longer ones keep their size alone.
const VALUE_LIMIT: usize = 64 * 1024;
/// How much of a file's head is kept to recognise its format.
const HEAD_LENGTH: usize = 64;

/// One part of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub name: String,
    pub filename: Option<String>,
    pub content_type: Option<String>,
    pub size: u64,
    /// First bytes of a file.
    pub head: Vec<u8>,
    /// Lower-case hex, 32 digits like the provider's MD5 (a digest of our own: only equality means something).
    pub hash: String,
    /// The text of a part without a file name.
    pub value: Option<String>,
}

/// A body, read.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// Text that is not JSON or does not say that it is.
    Text(String),
    Upload(Vec<Part>),
    /// Over its limit.
    TooLarge,
    /// Cut short, or an upload that cannot be taken apart. The text says why.
    Broken(String),
}

impl Body {
    /// The form that `/sim/requests` shows.
    pub fn shown(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value.clone(),
            Self::Text(text) => Value::String(text.clone()),
            Self::Upload(parts) => json!({"parts": parts.iter().map(shown_part).collect::<Vec<_>>()}),
            Self::TooLarge => Value::String("(larger than the simulator reads)".to_owned()),
            Self::Broken(why) => Value::String(format!("(unreadable: {why})")),
        }
    }

    /// The text in which a fault's `body_contains` is looked for.
    pub(crate) fn searchable(&self) -> String {
        match self {
            Self::Json(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Upload(parts) => {
                let values: Vec<&str> = parts.iter().filter_map(|part| part.value.as_deref()).collect();
                values.join("\n")
            }
            Self::Empty | Self::TooLarge | Self::Broken(_) => String::new(),
        }
    }
}

fn shown_part(part: &Part) -> Value {
    let mut shown = json!({
        "name": part.name,
        "filename": part.filename,
        "content_type": part.content_type,
        "size": part.size,
    });
    if let (Some(value), Some(fields)) = (&part.value, shown.as_object_mut()) {
        fields.insert("value".to_owned(), Value::String(value.clone()));
    }
    shown
}

/// The content type of a request, as sent.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Reads the whole body.
pub(crate) async fn read(headers: &HeaderMap, payload: Payload) -> Body {
    let content_type = content_type(headers).unwrap_or_default().to_ascii_lowercase();
    if content_type.starts_with("multipart/form-data") {
        return read_upload(headers, payload).await;
    }
    let raw = match read_bytes(payload).await {
        Ok(raw) => raw,
        Err(unreadable) => return unreadable,
    };
    if raw.is_empty() {
        return Body::Empty;
    }
    if content_type.contains("json")
        && let Ok(value) = serde_json::from_slice(&raw)
    {
        return Body::Json(value);
    }
    Body::Text(String::from_utf8_lossy(&raw).into_owned())
}

async fn read_bytes(mut payload: Payload) -> Result<Bytes, Body> {
    let mut raw = BytesMut::new();
    let mut too_large = false;
    // Too large a body is still read to its end: a connection closed in the middle would hide the answer.
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Body::Broken(error.to_string()))?;
        too_large = too_large || raw.len().saturating_add(chunk.len()) > TEXT_LIMIT;
        if !too_large {
            raw.extend_from_slice(&chunk);
        }
    }
    if too_large {
        return Err(Body::TooLarge);
    }
    Ok(raw.freeze())
}

async fn read_upload(headers: &HeaderMap, payload: Payload) -> Body {
    let mut upload = Multipart::new(headers, payload);
    let mut parts = Vec::new();
    let mut total = 0_u64;
    while let Some(field) = upload.next().await {
        let mut field = match field {
            Ok(field) => field,
            Err(error) => return Body::Broken(error.to_string()),
        };
        let filename = field.content_disposition().and_then(|head| head.get_filename()).map(str::to_owned);
        let mut part = Part {
            name: field.name().unwrap_or_default().to_owned(),
            filename,
            content_type: field.content_type().map(ToString::to_string),
            size: 0,
            head: Vec::new(),
            hash: String::new(),
            value: None,
        };
        let mut digest = Sha256::new();
        let mut text = Vec::new();
        while let Some(chunk) = field.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Body::Broken(error.to_string()),
            };
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            total = total.saturating_add(length);
            part.size = part.size.saturating_add(length);
            if total > UPLOAD_LIMIT {
                return Body::TooLarge;
            }
            digest.update(&chunk);
            let wanted = HEAD_LENGTH.saturating_sub(part.head.len());
            part.head.extend(chunk.iter().take(wanted));
            if part.filename.is_none() && text.len() <= VALUE_LIMIT {
                text.extend_from_slice(&chunk);
            }
        }
        part.hash = hex::encode(digest.finalize()).chars().take(32).collect();
        if part.filename.is_none() && text.len() <= VALUE_LIMIT {
            part.value = Some(String::from_utf8_lossy(&text).into_owned());
        }
        parts.push(part);
        if parts.len() > PART_LIMIT {
            return Body::TooLarge;
        }
    }
    Body::Upload(parts)
}
