//! Addresses and paths of music.
use std::path::PathBuf;

use super::{FromText, Music};

#[test]
fn addresses_and_paths_are_told_apart() {
    let file = |text: &str| assert_eq!(Music::from_text(text), Ok(Music::File(PathBuf::from("/m/a b.mp3"))));
    file("/m/a b.mp3");
    file("file:///m/a%20b.mp3");
    assert_eq!(Music::from_text("m.mp3"), Ok(Music::File(PathBuf::from("m.mp3"))));
    for text in ["https://host/m.mp3", "http://host/m.mp3?key=1"] {
        assert!(matches!(Music::from_text(text), Ok(Music::Address(url)) if url.as_str() == text));
    }
    for text in ["https://user:hunter2@host/m.mp3", "ftp://host/m", "file://host/m", "://", "a\u{1}b"] {
        let complaint = Music::from_text(text).map(|_| text);
        assert!(matches!(&complaint, Err(told) if !told.wrong.contains("hunter2")), "{complaint:?}");
    }
}
