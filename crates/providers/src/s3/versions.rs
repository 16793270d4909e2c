//! The list of an object's versions (`ListObjectVersions`), which the signing library does not have.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};
use rusty_s3::signing::sign;
use rusty_s3::{Map, Method};
use url::Url;

use super::settings::S3Settings;

/// Start of the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The object before it.
    pub key: String,
    /// The version before it.
    pub version: Option<String>,
}

/// The versions of one object in one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Their ids.
    pub versions: Vec<String>,
    /// Where the next page starts; none on the last page.
    pub next: Option<Marker>,
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
    // Object names may contain characters that XML cannot.
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
    /// The versions of the object `key`. None if the body is not such a list.
    #[must_use]
    pub fn parse(body: &[u8], key: &str) -> Option<Self> {
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
            // The prefix also matches other objects with longer names.
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

/// Text of a child element; none if missing or empty.
fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| child.tag_name().name() == name)?.text()
}

/// Form encoding: a plus is a space.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
