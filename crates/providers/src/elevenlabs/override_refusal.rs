//! Recognises that the provider refused an override: a setting of the agent that a conversation must not change.

/// `error_type` of the agent's WebSocket (the provider's AsyncAPI file).
const KIND: &str = "override_error";
/// The provider's words: "Override for field 'voice_id' is not allowed by config." (ElevenLabs facts, section 0.)
const WORDS: &str = "override for field";

/// Whether the provider's error says that an override is not allowed. `text` is its type, code or message, or several
/// of them.
#[must_use]
pub fn refuses_override(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains(KIND) || (text.contains(WORDS) && text.contains("not allowed"))
}

/// The last part of the field's name, such as `voice_id`; none if the words do not name it.
#[must_use]
pub fn refused_field(text: &str) -> Option<&str> {
    let after = text.to_ascii_lowercase().find(WORDS)? + WORDS.len();
    let mut quoted = text.get(after..)?.split(['\'', '"', '`']);
    quoted.next()?;
    quoted.next().map(|field| field.rsplit('.').next().unwrap_or(field)).filter(|field| !field.is_empty())
}

#[cfg(test)]
mod tests;
