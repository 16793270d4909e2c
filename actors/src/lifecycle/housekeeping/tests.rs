//! Tests of the maintenance.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn only_expired_files_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    for (name, age) in [("old.mp3", 3), ("new.mp3", 1)] {
        let file = fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - days(age)).unwrap();
    }
    fs::create_dir(folder.path().join("folder")).unwrap();
    assert_eq!(delete_files(folder.path(), days(2)).unwrap(), 1);
    assert!(folder.path().join("new.mp3").exists() && folder.path().join("folder").exists());
    assert_eq!(delete_files(&folder.path().join("nothing"), days(2)).unwrap(), 0);
}
