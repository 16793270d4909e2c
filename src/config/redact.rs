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

/// The text with every number of more than five digits masked, except its last two digits.
#[must_use]
pub(crate) fn masked(text: &str) -> String {
    const SHORT: usize = 5;
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        let hide = if run.len() > SHORT { run.len().saturating_sub(2) } else { 0 };
        out.extend(run.chars().enumerate().map(|(index, digit)| if index < hide { '*' } else { digit }));
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        flush(&mut run, &mut out);
        out.push(c);
    }
    flush(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests;
