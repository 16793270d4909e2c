//! Frame size limit.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{BoundedCodec, BytesMut, Codec, Decoder};

#[test]
fn a_frame_is_refused_by_its_announced_length() {
    let decode =
        |bytes: &[u8]| BoundedCodec::new(Codec::new().client_mode(), 1000).decode(&mut BytesMut::from(bytes));
    for promise in [
        &[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0][..],
        &[0x81, 126, 4, 0],
        &[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255],
    ] {
        assert!(decode(promise).is_err(), "{promise:?}");
    }
    for part in [&[][..], &[0x81], &[0x81, 126], &[0x81, 126, 3], &[0x81, 126, 3, 232], &[0x81, 127, 0]] {
        assert!(decode(part).unwrap().is_none(), "{part:?}");
    }
    assert!(decode(&[0x81, 1, b'x']).unwrap().is_some());
}
