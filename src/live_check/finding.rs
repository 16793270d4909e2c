//! What was measured, beside what the project believes of 3CX: one line for each thing that nobody had seen on a real PBX.

use std::fmt;

use serde::Serialize;

use crate::config::masked;

/// Longest part of an answer's body that is shown.
const SHOWN_CHARS: usize = 160;

/// How a value compares with what the facts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is one of the things that precall is prepared for.
    AsExpected,
    /// It is not: precall may have to be changed, and its authors want to know.
    Differs,
    /// It was not seen, or cannot be seen in this way.
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

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at. The names are fixed: people compare them between builds.
    pub name: &'static str,
    /// What was seen, without numbers and secrets.
    pub value: String,
    /// What the facts expect.
    pub expected: &'static str,
    /// How the two compare.
    pub verdict: Verdict,
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

/// All lines so far, in the order of their measuring; each is printed as it comes, since a call can end at any moment.
#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<Finding>,
    tell: Option<Tell>,
}

impl Findings {
    /// Every line is also told at once.
    pub(super) fn told(tell: impl Fn(&Finding) + 'static) -> Self {
        Self { lines: Vec::new(), tell: Some(Box::new(tell)) }
    }

    /// A value that was seen, and whether it is one of the expected.
    pub(super) fn seen(
        &mut self,
        name: &'static str,
        value: impl fmt::Display,
        expected: &'static str,
        is_expected: bool,
    ) {
        let verdict = if is_expected { Verdict::AsExpected } else { Verdict::Differs };
        self.add(Finding { name, value: masked(&value.to_string()), expected, verdict });
    }

    /// Something that cannot be told, and why.
    pub(super) fn unseen(&mut self, name: &'static str, why: impl fmt::Display) {
        let value = masked(&why.to_string());
        self.add(Finding { name, value, expected: "", verdict: Verdict::NotMeasured });
    }

    /// Whether this has been looked at.
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

/// An answer's body for people: one line, shortened.
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
