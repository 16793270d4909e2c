//! `GET /BUCKET?versions`: a page of versions and delete markers, as XML.

use super::objects::{Objects, Version};
use super::signature::encoded;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) prefix: String,
    /// The last name of the page before.
    pub(super) key_marker: Option<String>,
    /// The last version of the page before.
    pub(super) version_marker: Option<String>,
    /// Whether names are to be written as in addresses.
    pub(super) is_encoded: bool,
}

/// At most `page` of them.
pub(super) fn answer(objects: &Objects, bucket: &str, asked: &Asked, page: usize) -> String {
    let found = objects.all().filter(|(key, _)| key.starts_with(&asked.prefix));
    let mut rest = found.skip_while(|(key, version)| is_before(key, version, asked)).peekable();
    let is_marked = |key: &str, version: &Version| {
        asked.key_marker.as_deref() == Some(key) && asked.version_marker.as_deref() == Some(&version.id)
    };
    if rest.peek().is_some_and(|(key, version)| is_marked(key, version)) {
        rest.next();
    }
    let (mut entries, mut last) = (String::new(), None);
    for (key, version) in rest.by_ref().take(page) {
        let (tag, etag) = match version.content {
            Some(_) => ("Version", format!("<ETag>{}</ETag>", escaped(&version.etag))),
            None => ("DeleteMarker", String::new()),
        };
        let (name, id) = (name(key, asked), escaped(&version.id));
        entries.push_str(&format!("<{tag}><Key>{name}</Key><VersionId>{id}</VersionId>{etag}</{tag}>"));
        last = Some((name, id));
    }
    let next = match (rest.peek(), last) {
        (Some(_), Some((key, id))) => format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <NextVersionIdMarker>{id}</NextVersionIdMarker>"
        ),
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    let encoding = if asked.is_encoded { "<EncodingType>url</EncodingType>" } else { "" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
         {encoding}{next}{entries}</ListVersionsResult>"
    )
}

fn is_before(key: &str, version: &Version, asked: &Asked) -> bool {
    let Some(marker) = asked.key_marker.as_deref() else { return false };
    match &asked.version_marker {
        Some(id) => key < marker || (key == marker && version.id != *id),
        None => key <= marker,
    }
}

fn name(key: &str, asked: &Asked) -> String {
    if asked.is_encoded { encoded(key, "/") } else { escaped(key) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
