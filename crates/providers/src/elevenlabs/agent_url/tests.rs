//! URLs of an agent.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::*;

fn checked(url: &str, base: &str) -> Result<AgentUrl, AgentUrlError> {
    AgentUrl::checked(url.parse().unwrap(), &base.parse().unwrap(), &["static.example".to_owned()])
}

#[test]
fn a_url_must_be_encrypted_and_on_an_allowed_host() {
    let api = "https://api.elevenlabs.io/";
    assert!(checked("wss://api.elevenlabs.io/v1/convai/conversation?agent_id=a", api).is_ok());
    assert!(checked("wss://static.example/x", api).is_ok());
    let elsewhere = AgentUrlError::Host("api.elevenlabs.io.evil.example".into());
    assert_eq!(checked("wss://api.elevenlabs.io.evil.example/x", api), Err(elsewhere));
    assert_eq!(checked("ws://api.elevenlabs.io/x", api), Err(AgentUrlError::Open));
    assert_eq!(checked("https://api.elevenlabs.io/x", api), Err(AgentUrlError::Open));
    assert!(checked("ws://127.0.0.1:80/x", "http://127.0.0.1:80/").is_ok());
    assert_eq!(checked("ws://10.0.0.1/x", "http://10.0.0.1/"), Err(AgentUrlError::Open));
}

#[test]
fn a_signature_is_not_printed() {
    let url = checked("wss://static.example/x?conversation_signature=sec", "https://a/").unwrap();
    assert!(!format!("{url:?}").contains("sec"));
}
