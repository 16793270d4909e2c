//! What errors, tables and log lines may show of a value.

/// A value as an error or a table may show it: short and on one line. An address with a user or a query is not shown.
#[must_use]
pub(super) fn shown(text: &str) -> String {
    const MAX: usize = 60;
    if text.contains("://") && text.contains(['@', '?']) {
        return "an address with a user or a query".to_owned();
    }
    let line: String = text.chars().take(MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > MAX { format!("{line}...") } else { line }
}

#[cfg(test)]
mod tests {
    //! What is shown is short and on one line.

    use super::shown;

    #[test]
    fn what_is_shown_is_short_and_on_one_line() {
        assert_eq!(shown("a\nb"), "a b");
        assert_eq!(shown(&"x".repeat(80)), format!("{}...", "x".repeat(60)));
        assert!(!shown("https://user:pass@example.com").contains("pass"));
    }
}
