//! What a provider says, made fit to be shown to people.

/// One line of bounded length; the secrets and all but the last three digits of long numbers are gone.
pub(super) fn shown(text: &str, chars_max: usize, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    let mut tidied = String::new();
    let mut digits = String::new();
    for c in text.chars().take(chars_max.saturating_mul(4)) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        push_number(&mut tidied, &mut digits);
        tidied.push(if c.is_control() { ' ' } else { c });
    }
    push_number(&mut tidied, &mut digits);
    tidied.trim().chars().take(chars_max).collect()
}

fn push_number(text: &mut String, digits: &mut String) {
    const SHOWN_WHOLE_UP_TO: usize = 6;
    if digits.len() > SHOWN_WHOLE_UP_TO {
        let tail = digits.len().saturating_sub(3);
        digits.replace_range(..tail, "*****");
    }
    text.push_str(digits);
    digits.clear();
}
