//! Settings of the 3CX client.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{ClientSecret, Duration, Settings, SettingsError};

fn settings(base: &str, id: &str, secret: &str) -> Result<Settings, SettingsError> {
    Settings::new(base.parse().unwrap(), id, ClientSecret::new(secret), Duration::from_secs(10))
}

#[test]
fn an_id_stays_one_segment_and_a_prefix_is_kept() {
    for base in ["https://pbx.example.com:5001", "https://pbx.example.com:5001/"] {
        let url = settings(base, "900", "s").unwrap().endpoint(&["callcontrol", "a/../b?c", "devices"]);
        assert_eq!(url.as_str(), "https://pbx.example.com:5001/callcontrol/a%2F..%2Fb%3Fc/devices");
    }
    let device = "sip:900@127.0.0.1:5483;rinstance=1";
    let url = settings("http://127.0.0.1:9/pbx", "900", "s").unwrap().endpoint(&["devices", device]);
    assert!(!url.path().trim_start_matches("/pbx/devices/").contains('/'));
}

#[test]
fn errors_name_the_variable_and_never_print_the_secret() {
    let good = settings("https://pbx", "ROUTER", "very secret").unwrap();
    assert!(!format!("{good:?}").contains("very"));
    assert_eq!(good.own_dn().as_str(), "ROUTER");
    for base in ["ftp://a", "https://user:pass@host", "https://host/?a=b", "mailto:a@b", "https://h/#x"] {
        let error = settings(base, "900", "s").unwrap_err();
        assert!(error.to_string().contains("THREECX_BASE_URL"), "{base}");
    }
    for id in ["", " ", "9 0", "a/b", "a\nb"] {
        let error = settings("https://pbx", id, "s").unwrap_err();
        assert!(error.to_string().contains("THREECX_CLIENT_ID"), "{id:?}");
    }
    for secret in ["", " ", "a\nb"] {
        let error = settings("https://pbx", "900", secret).unwrap_err();
        assert!(error.to_string().contains("THREECX_CLIENT_SECRET"), "{secret:?}");
    }
}
