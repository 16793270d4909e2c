//! The list of an object's versions, which the signing library does not know.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};
use rusty_s3::signing::sign;
use rusty_s3::{Map, Method};
use url::Url;

use super::settings::S3Settings;

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) key: String,
    pub(super) version: Option<String>,
}

/// What one answer holds of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) versions: Vec<String>,
    pub(super) next: Option<Marker>,
}

/// `GET /?versions`, for the names that begin with `key`.
pub(super) fn page_url(
    settings: &S3Settings,
    key: &str,
    after: Option<&Marker>,
    now: Timestamp,
    good_for: Duration,
) -> Url {
    let mut query = Map::new();
    query.insert("versions", "");
    query.insert("prefix", key);
    // Names may hold what XML cannot.
    query.insert("encoding-type", "url");
    if let Some(marker) = after {
        query.insert("key-marker", marker.key.as_str());
        if let Some(version) = &marker.version {
            query.insert("version-id-marker", version.as_str());
        }
    }
    let (bucket, credentials) = (&settings.bucket, &settings.credentials);
    sign(
        &now,
        Method::Get,
        bucket.base_url().clone(),
        credentials.key(),
        credentials.secret(),
        credentials.token(),
        bucket.region(),
        good_for.as_secs(),
        query.iter(),
        std::iter::empty(),
    )
}

impl Page {
    /// None where it is no such list.
    pub(super) fn parse(body: &[u8], key: &str) -> Option<Self> {
        let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
        let list = document.root_element();
        if list.tag_name().name() != "ListVersionsResult" {
            return None;
        }
        let is_encoded =
            child(list, "EncodingType").is_some_and(|encoding| encoding.eq_ignore_ascii_case("url"));
        let name = |text: &str| if is_encoded { decoded(text) } else { text.to_owned() };
        let mut versions = Vec::new();
        for entry in list.children() {
            if !matches!(entry.tag_name().name(), "Version" | "DeleteMarker") {
                continue;
            }
            // The prefix also finds longer names, which are somebody else's.
            if name(child(entry, "Key")?) == key {
                versions.push(child(entry, "VersionId").unwrap_or("null").to_owned());
            }
        }
        let is_truncated = child(list, "IsTruncated").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let next = child(list, "NextKeyMarker").filter(|_| is_truncated).map(|text| Marker {
            key: name(text),
            version: child(list, "NextVersionIdMarker").map(str::to_owned),
        });
        Some(Self { versions, next })
    }
}

/// The text of a child; none where it is missing or empty.
fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| child.tag_name().name() == name)?.text()
}

/// As forms are written: a plus is a space.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
