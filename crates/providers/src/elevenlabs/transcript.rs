//! Transcript as text, one `role: message` per line, from the provider's list of turns or from the flat form's text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::lenient::{Lenient, Scalar, drain_object, line};

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
pub(super) struct Turns(String);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Turn {
    role: Scalar,
    message: Scalar,
}

impl Turns {
    pub(super) fn into_transcript(self) -> Option<Transcript> {
        (!self.0.is_empty()).then_some(Transcript(self.0))
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
        let mut text = String::new();
        while let Some(Lenient(turn)) = list.next_element::<Lenient<Turn>>()? {
            // Tool turns have no message. The message of an interrupted turn is the part that was played.
            let Some(message) = turn.message.text() else { continue };
            let message = line(message, usize::MAX);
            if message.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line(turn.role.text().unwrap_or("unknown"), 32));
            text.push_str(": ");
            text.push_str(&message);
        }
        Ok(Turns(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Turns, E> {
        let lines = text.lines().map(|text| line(text, usize::MAX)).filter(|text| !text.is_empty());
        Ok(Turns(lines.collect::<Vec<_>>().join("\n")))
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
