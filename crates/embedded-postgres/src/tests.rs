//! Tests of `lib.rs`.

use super::*;

#[test]
fn a_socket_path_fits_into_a_url() {
    assert_eq!(percent_encoded("/tmp/a b/ü".as_bytes()), "%2Ftmp%2Fa%20b%2F%C3%BC");
}
