//! Tests of known database.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn a_database_is_known_once_somebody_has_looked_and_not_after_it_was_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (known, database) = (KnownDatabase::in_folder(folder.path()), Uuid::new_v4());
    assert_eq!(known.acts(database, 5).unwrap(), Trust::New);
    assert_eq!(known.acts(database, 6).unwrap(), Trust::New, "nobody has looked");
    known.trust().unwrap();
    assert_eq!(known.acts(database, 7).unwrap(), Trust::Known);
    assert_eq!(known.acts(database, 4).unwrap(), Trust::New, "restored");
    assert_eq!(known.acts(database, 8).unwrap(), Trust::New, "and nobody has looked since");
    known.trust().unwrap();
    assert_eq!(known.acts(Uuid::new_v4(), 9).unwrap(), Trust::New, "another one");
    fs::write(folder.path().join(NAME), "{").unwrap();
    assert_eq!(known.acts(database, 10).unwrap(), Trust::New);
}
