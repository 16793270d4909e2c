//! Transcript as text, one `role: message` per line, from the provider's list of turns or from the flat form's text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::lenient::{Lenient, LenientList, Scalar, drain_object, line};

/// One `role: message` per line. Personal: `Debug` prints its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcript(String);

impl Transcript {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcript({} bytes)", self.0.len())
    }
}

/// The JSON field: a list of turns, or in the flat form a text.
#[derive(Default)]
pub(super) struct Turns {
    text: String,
    /// A turn has the result of the provider's tool `voicemail_detection`.
    pub voicemail: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Turn {
    role: Scalar,
    message: Scalar,
    multivoice_message: Lenient<Multivoice>,
    original_message: Scalar,
    tool_results: LenientList<ToolResult>,
}

/// What an agent with several voices said in one turn. `message` may be null then.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Multivoice {
    parts: LenientList<Part>,
}

/// The label of the voice is not said, so it is not in the transcript.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    text: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolResult {
    result: Lenient<ToolOutcome>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolOutcome {
    result_type: Scalar,
}

impl Turn {
    /// What was said: `message` (of an interrupted turn the part that was played), else the parts of several voices,
    /// else the message before its interruption. Turns of tools alone say nothing.
    fn said(&self) -> Option<String> {
        let said = |text: &Scalar| text.text().map(one_line).filter(|text| !text.is_empty());
        said(&self.message).or_else(|| self.multivoice()).or_else(|| said(&self.original_message))
    }

    fn multivoice(&self) -> Option<String> {
        let parts = &self.multivoice_message.0.parts.0;
        let texts = parts.iter().filter_map(|part| part.text.text()).map(one_line);
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    fn found_voicemail(&self) -> bool {
        let mut kinds = self.tool_results.0.iter().map(|tool| tool.result.0.result_type.text());
        kinds.any(|kind| kind == Some("voicemail_detection_success"))
    }
}

fn one_line(text: &str) -> String {
    line(text, usize::MAX)
}

impl Turns {
    pub(super) fn into_transcript(self) -> Option<Transcript> {
        (!self.text.is_empty()).then_some(Transcript(self.text))
    }

    fn of_text(text: String) -> Self {
        Self { text, voicemail: false }
    }
}

impl<'de> Deserialize<'de> for Turns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TurnsVisitor)
    }
}

struct TurnsVisitor;

impl<'de> Visitor<'de> for TurnsVisitor {
    type Value = Turns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Turns, A::Error> {
        let mut turns = Turns::default();
        while let Some(Lenient(turn)) = list.next_element::<Lenient<Turn>>()? {
            turns.voicemail |= turn.found_voicemail();
            let Some(said) = turn.said() else { continue };
            let text = &mut turns.text;
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line(turn.role.text().unwrap_or("unknown"), 32));
            text.push_str(": ");
            text.push_str(&said);
        }
        Ok(turns)
    }

    fn visit_str<E>(self, text: &str) -> Result<Turns, E> {
        let lines = text.lines().map(one_line).filter(|text| !text.is_empty());
        Ok(Turns::of_text(lines.collect::<Vec<_>>().join("\n")))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Turns, A::Error> {
        drain_object(object).map(|()| Turns::default())
    }

    fn visit_unit<E>(self) -> Result<Turns, E> {
        Ok(Turns::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Turns, E> {
        Ok(Turns::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Turns, E> {
        Ok(Turns::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Turns, E> {
        Ok(Turns::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Turns, E> {
        Ok(Turns::default())
    }
}
