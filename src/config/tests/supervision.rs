//! Supervision: off by default, and without effect while the notice does not mention it.

use super::with;

const BRIDGE: [(&str, &str); 3] = [
    ("THREECX_BASE_URL", "https://pbx.example.com:5001"),
    ("THREECX_CLIENT_ID", "900"),
    ("THREECX_CLIENT_SECRET", "pbx-key"),
];

/// Whether the notice announces it, and whether a warning says that nobody can listen.
fn of(more: &[(&str, &str)]) -> (bool, bool) {
    let set: Vec<_> = BRIDGE.into_iter().chain(more.iter().copied()).collect();
    let config = with(&set).unwrap();
    let warned = config.warnings().iter().any(|words| words.contains("NOTICE_MENTIONS_SUPERVISION=true"));
    (config.call.supervision && config.greeting.announces_supervision(), warned)
}

#[test]
fn the_operator_has_to_say_that_the_notice_mentions_it() {
    let (on, mentions) = (("SUPERVISION", "true"), ("NOTICE_MENTIONS_SUPERVISION", "true"));
    let (text, pbx) = (("NOTICE_MESSAGE", "A person may listen."), ("NOTICE_GIVEN_BY", "pbx"));
    assert_eq!(of(&[text]), (false, false), "off by default");
    assert_eq!(of(&[text, mentions]), (false, false), "off by default");
    assert_eq!(of(&[text, on]), (false, true));
    assert_eq!(of(&[pbx, on]), (false, true));
    assert_eq!(of(&[text, on, mentions]), (true, false));
    assert_eq!(of(&[pbx, on, mentions]), (true, false));
    let development = ("ENVIRONMENT", "development");
    assert_eq!(of(&[development, on, mentions]), (false, true), "there is no notice");
}
