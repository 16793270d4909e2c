//! What counts as a refused override, in the provider's words.

use super::{refused_field, refuses_override};

#[test]
fn the_providers_words_and_its_error_type_are_recognised() {
    for text in [
        "Override for field 'voice_id' is not allowed by config.",
        "override_error: Override for field 'voice_id' is not allowed by config.",
        "invalid, status 400, override_error: no words",
        "declined, status 200: override for field \"first_message\" is NOT ALLOWED by config",
    ] {
        assert!(refuses_override(text), "{text}");
    }
    for text in ["llm_timeout: the model is slow", "Override the default", "value_error: not allowed", ""] {
        assert!(!refuses_override(text), "{text}");
    }
}

#[test]
fn the_field_is_named_where_the_words_name_it() {
    let field = |text| refused_field(text);
    assert_eq!(field("Override for field 'voice_id' is not allowed by config."), Some("voice_id"));
    assert_eq!(field("x: Override for field 'agent.first_message' is not allowed."), Some("first_message"));
    assert_eq!(
        field("Override for field \"max_duration_seconds\" is not allowed"),
        Some("max_duration_seconds")
    );
    assert_eq!(field("override_error"), None);
    assert_eq!(field("Override for field is not allowed"), None);
}
