//! The ids in a `post_call_audio` body, parsed without holding tens of megabytes of audio in memory.

use std::fmt;

use precall_call::{At, ConversationId};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::report_wire::{id, timestamp};
use crate::lenient::Scalar;

/// The fields of `post_call_audio` except the audio. Each may be missing, for example if the body was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudioHead {
    /// `type`.
    pub kind: Option<String>,
    /// `data.conversation_id`.
    pub conversation: Option<ConversationId>,
    /// `data.agent_id`.
    pub agent_id: Option<String>,
    /// `event_timestamp`.
    pub event_timestamp: Option<At>,
}

/// Parses the beginning of a `post_call_audio` body. `prefix` may end anywhere.
#[must_use]
pub fn audio_head(prefix: &[u8]) -> AudioHead {
    let mut head = AudioHead::default();
    let mut json = serde_json::Deserializer::from_slice(prefix);
    // A cut body ends in an error; `head` has the fields before the cut.
    drop(HeadSeed { head: &mut head, path: HeadPath::Root }.deserialize(&mut json));
    head
}

/// Parses a whole `post_call_audio` body, with its fields in any order.
///
/// # Errors
/// Reading fails, or the body is not JSON.
pub fn audio_head_of(mut body: impl std::io::BufRead) -> serde_json::Result<AudioHead> {
    // A byte order mark is no JSON.
    while body.fill_buf().map_err(serde_json::Error::io)?.starts_with("\u{feff}".as_bytes()) {
        body.consume("\u{feff}".len());
    }
    let mut head = AudioHead::default();
    let mut json = serde_json::Deserializer::from_reader(body);
    HeadSeed { head: &mut head, path: HeadPath::Root }.deserialize(&mut json)?;
    Ok(head)
}

/// Stores each field when it is parsed, so that it is kept if the body ends too soon.
struct HeadSeed<'h> {
    head: &'h mut AudioHead,
    path: HeadPath,
}

#[derive(Clone, Copy)]
enum HeadPath {
    Root,
    Data,
}

impl<'de> DeserializeSeed<'de> for HeadSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeadSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            match (self.path, name.as_str()) {
                (HeadPath::Root, "type") => self.head.kind = object.next_value::<Scalar>()?.into_text(),
                (HeadPath::Root, "event_timestamp") => {
                    self.head.event_timestamp = timestamp(&object.next_value::<Scalar>()?);
                }
                (HeadPath::Root, "data") => {
                    object.next_value_seed(HeadSeed { head: &mut *self.head, path: HeadPath::Data })?;
                }
                (HeadPath::Data, "conversation_id") => {
                    let value = object.next_value::<Scalar>()?;
                    self.head.conversation = id(&value, "data.conversation_id").ok().map(ConversationId::new);
                }
                (HeadPath::Data, "agent_id") => {
                    self.head.agent_id = id(&object.next_value::<Scalar>()?, "data.agent_id").ok();
                }
                (HeadPath::Root | HeadPath::Data, _) => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
