//! Which addresses a simulator may call.

use super::{LoopbackUrl, OptionError};

#[test]
fn only_this_machine_is_called() {
    for good in ["http://127.0.0.1:1/", "http://127.8.9.1/", "http://localhost:3006/x", "https://[::1]/"] {
        assert!(good.parse::<LoopbackUrl>().is_ok(), "{good}");
    }
    for bad in [
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://localhost@example.com/",
        "http://0.0.0.0/",
    ] {
        assert!(matches!(bad.parse::<LoopbackUrl>(), Err(OptionError::NotLoopback(_))), "{bad}");
    }
    assert_eq!("ftp://127.0.0.1/".parse::<LoopbackUrl>(), Err(OptionError::NotHttp));
}
