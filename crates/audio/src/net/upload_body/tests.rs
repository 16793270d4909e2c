//! Tests of the upload body.

use super::chunk_head;

#[test]
fn chunk_head_is_the_length_that_is_written() {
    for bytes in [1, 15, 16, 255, 256, 960, 1920, 4095, 4096, 8000] {
        assert_eq!(chunk_head(bytes), format!("{bytes:X}\r\n").len(), "{bytes}");
    }
}
