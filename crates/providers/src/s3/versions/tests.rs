//! Lists of object versions.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{Marker, Page};

#[test]
fn versions_and_delete_markers_of_one_object_are_found() {
    let body = br#"<?xml version="1.0" encoding="UTF-8"?>
        <ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
        <IsTruncated>true</IsTruncated><NextKeyMarker>a+b%2Bc.wav</NextKeyMarker>
        <NextVersionIdMarker>v2</NextVersionIdMarker>
        <Version><Key>a+b%2Bc.wav</Key><VersionId>v3</VersionId></Version>
        <DeleteMarker><Key>a+b%2Bc.wav</Key><VersionId>v2</VersionId></DeleteMarker>
        <Version><Key>a+b%2Bc.wav.old</Key><VersionId>v1</VersionId></Version></ListVersionsResult>"#;
    let page = Page::parse(body, "a b+c.wav").unwrap();
    assert_eq!(page.versions, ["v3", "v2"]);
    assert_eq!(page.next, Some(Marker { key: "a b+c.wav".to_owned(), version: Some("v2".to_owned()) }));
}

#[test]
fn a_list_without_namespaces_or_versions_is_parsed() {
    let body = b"<ListVersionsResult><IsTruncated>false</IsTruncated>
        <Version><Key>a+b.wav</Key></Version></ListVersionsResult>";
    let page = Page::parse(body, "a+b.wav").unwrap();
    assert_eq!((page.versions, page.next), (vec!["null".to_owned()], None));
    assert_eq!(Page::parse(b"<html/>", "a"), None);
    assert_eq!(Page::parse(b"{}", "a"), None);
}
