//! Tests of the record of the known database.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn database_is_known_after_a_review_and_new_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (known, database) = (KnownDatabase::in_folder(folder.path()), Uuid::new_v4());
    assert_eq!(known.record_start(database, 5).unwrap(), DatabaseOrigin::New);
    assert_eq!(known.record_start(database, 6).unwrap(), DatabaseOrigin::New, "not reviewed");
    known.mark_reviewed().unwrap();
    assert_eq!(known.record_start(database, 7).unwrap(), DatabaseOrigin::Known);
    assert_eq!(known.record_start(database, 4).unwrap(), DatabaseOrigin::New, "restored");
    assert_eq!(
        known.record_start(database, 8).unwrap(),
        DatabaseOrigin::New,
        "restored and not reviewed since"
    );
    known.mark_reviewed().unwrap();
    assert_eq!(known.record_start(Uuid::new_v4(), 9).unwrap(), DatabaseOrigin::New, "another database");
    fs::write(folder.path().join(NAME), "{").unwrap();
    assert_eq!(known.record_start(database, 10).unwrap(), DatabaseOrigin::New);
}
