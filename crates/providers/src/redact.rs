//! Removes secrets and telephone numbers from a provider's text, for logs and error messages.

/// One line of at most `chars_max` characters. Secrets become `***`; numbers longer than six digits keep their last
/// three.
#[must_use]
pub fn redact(text: &str, chars_max: usize, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    let mut redacted = String::new();
    let mut digits = String::new();
    for c in text.chars().take(chars_max.saturating_mul(4)) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        push_number(&mut redacted, &mut digits);
        redacted.push(if c.is_control() { ' ' } else { c });
    }
    push_number(&mut redacted, &mut digits);
    redacted.trim().chars().take(chars_max).collect()
}

fn push_number(text: &mut String, digits: &mut String) {
    const KEPT_DIGITS_MAX: usize = 6;
    if digits.len() > KEPT_DIGITS_MAX {
        let tail = digits.len().saturating_sub(3);
        digits.replace_range(..tail, "*****");
    }
    text.push_str(digits);
    digits.clear();
}
