//! Tests of recordings.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

fn sound_of(body: &str) -> io::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("body"), folder.path().join("sound"));
    fs::write(&from, body).unwrap();
    extract_audio(&from, &to)?;
    Ok(fs::read(to).unwrap())
}

#[test]
fn the_audio_is_found_at_any_place() {
    assert_eq!(sound_of(r#"{"data":{"full_audio":"aGVsbG8="}}"#).unwrap(), b"hello");
    assert_eq!(
        sound_of(r#"{"a":"\"full_\"","data":{"x":1,"full_audio" : "\/w==","z":"q"}}"#).unwrap(),
        [0xff]
    );
    assert_eq!(sound_of(r#"{"data":{"full_audio":""}}"#).unwrap(), b"");
    for bad in [r#"{"data":{}}"#, r#"{"full_audio":7}"#, r#"{"full_audio":"!!"}"#, r#"{"full_audio":"aGVs"#] {
        assert!(sound_of(bad).is_err(), "{bad}");
    }
    let long = "QUJD".repeat(100_000);
    assert_eq!(sound_of(&format!(r#"{{"full_audio":"{long}"}}"#)).unwrap().len(), 300_000);
}
