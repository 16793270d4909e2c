//! Root certificates from files.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{TlsRoots, TlsRootsError, count_certificates};

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_file_without_a_usable_certificate_is_refused_with_its_name() {
    let empty = file("");
    let key = file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    for file in [&empty, &key] {
        assert_eq!(count_certificates(file.path()), Err(TlsRootsError::Empty(file.path().to_owned())));
    }
    let damaged = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let error = TlsRoots::load(Some(damaged.path())).unwrap_err();
    assert!(matches!(error, TlsRootsError::Damaged { number: 1, .. }), "{error:?}");
    assert!(error.to_string().contains(damaged.path().to_str().unwrap()));
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), &folder.path().join("missing.pem")] {
        assert!(matches!(count_certificates(path), Err(TlsRootsError::Unreadable { .. })), "{path:?}");
    }
}
