//! Findings: measured values beside the expected ones, one line for each open question about 3CX.

use std::fmt;

use precall_base::redact::hide;
use serde::Serialize;

/// Longest shown part of a response body, in characters.
const SHOWN_CHARS: usize = 160;

/// Comparison of a value with the 3CX facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// precall handles this value.
    AsExpected,
    /// precall may not handle this value: please report it.
    Differs,
    /// Not seen in this check.
    NotMeasured,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsExpected => "as the facts expect",
            Self::Differs => "differs",
            Self::NotMeasured => "not measured",
        })
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was measured. Names are stable, so that builds can be compared.
    pub(crate) name: &'static str,
    /// The measured value, without telephone numbers and secrets.
    pub(crate) value: String,
    /// The expected value.
    pub(crate) expected: &'static str,
    /// The comparison.
    pub(crate) verdict: Verdict,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<38} {} ({})", self.name, self.value, self.verdict)?;
        if self.verdict == Verdict::Differs {
            write!(f, "; expected: {}", self.expected)?;
        }
        Ok(())
    }
}

type Tell = Box<dyn Fn(&Finding)>;

/// Findings in order. Each is reported at once, because a call can end at any time.
#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<Finding>,
    tell: Option<Tell>,
}

impl Findings {
    /// Calls `tell` with every finding.
    pub(super) fn reporting_to(tell: impl Fn(&Finding) + 'static) -> Self {
        Self { lines: Vec::new(), tell: Some(Box::new(tell)) }
    }

    /// Adds a measured value.
    pub(super) fn measured(
        &mut self,
        name: &'static str,
        value: impl fmt::Display,
        expected: &'static str,
        is_expected: bool,
    ) {
        let verdict = if is_expected { Verdict::AsExpected } else { Verdict::Differs };
        self.add(Finding { name, value: hide(&value.to_string()).into_owned(), expected, verdict });
    }

    /// Adds a question that could not be measured, with the reason.
    pub(super) fn not_measured(&mut self, name: &'static str, why: impl fmt::Display) {
        let value = hide(&why.to_string()).into_owned();
        self.add(Finding { name, value, expected: "", verdict: Verdict::NotMeasured });
    }

    /// Whether there is a finding of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    fn add(&mut self, finding: Finding) {
        if let Some(tell) = &self.tell {
            tell(&finding);
        }
        self.lines.push(finding);
    }

    pub(super) fn into_lines(self) -> Vec<Finding> {
        self.lines
    }
}

/// A response body for people: one line, shortened.
pub(super) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return "no body".to_owned();
    }
    let line: String = text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > SHOWN_CHARS { format!("`{line}...`") } else { format!("`{line}`") }
}

#[cfg(test)]
mod tests;
