//! The body of a 3CX webhook. People write it by hand in call flows, so the parser is lenient: numbers as text or
//! digits, null, missing and unknown fields are fine.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use precall_actors::api::{IncomingCall, PbxNotice, PbxNoticeKind};
use precall_base::exact_numbers::exact_numbers;
use precall_base::invisible::{is_utf16, trimmed, without_mark};
use precall_call::At;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::threecx_schema::{
    TEXT_MAX, ThreeCxDirection, ThreeCxEvent, ThreeCxSeconds, ThreeCxText, ThreeCxTime, ThreeCxUrl, URL_MAX,
};
use crate::http::error::{Code, Problem};

/// A parsed 3CX webhook.
#[derive(Debug)]
pub(crate) enum Message {
    /// An incoming call.
    Incoming(IncomingCall),
    /// An event of a call.
    Notice(PbxNotice),
    /// An outbound call, which precall ignores.
    Outbound {
        /// The PBX's id of the call.
        threecx_call_id: Option<String>,
    },
}

impl Message {
    /// The PBX's id of the call, if present.
    pub(crate) fn threecx_call_id(&self) -> Option<&str> {
        let id = match self {
            Self::Incoming(call) => &call.threecx_call_id,
            Self::Notice(notice) => &notice.threecx_call_id,
            Self::Outbound { threecx_call_id } => threecx_call_id,
        };
        id.as_deref()
    }
}

/// An event of the PBX. Numbers may be digits or text. Unknown fields are ignored, and a value of another type counts
/// as missing.
#[derive(Deserialize, ToSchema)]
struct Wire {
    /// The event. Case, spaces and signs do not matter.
    #[serde(default)]
    #[schema(value_type = ThreeCxEvent, required)]
    event_type: Text,
    /// The PBX's id of the call. It or `caller_id` must be there.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxText>)]
    call_id: Text,
    /// The caller: `+...`, `00...`, national in `DEFAULT_REGION`, a SIP address, an extension, or a word such as
    /// `anonymous`. It or `call_id` must be there.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxText>)]
    caller_id: Text,
    /// The called number; it chooses the line.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxText>)]
    called_number: Text,
    /// Outbound calls are ignored.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxDirection>)]
    direction: Text,
    /// With `CallStateChanged`: the PBX's word. It is recorded.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxText>)]
    state: Text,
    /// With `CallEnded`: whole seconds.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxSeconds>)]
    duration: Text,
    /// Kept with the call, never fetched.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxUrl>)]
    recording_url: Text,
    /// When it happened.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxTime>)]
    timestamp: Text,
}

/// The whole body: its fields, and one of two ids.
pub(crate) enum ThreeCxWebhook {}

impl PartialSchema for ThreeCxWebhook {
    fn schema() -> RefOr<Schema> {
        let names_a_call = AnyOfBuilder::new().item(has("call_id")).item(has("caller_id"));
        AllOfBuilder::new().item(Wire::schema()).item(Schema::AnyOf(names_a_call.build())).into()
    }
}

/// The field is there and not empty.
fn has(field: &str) -> ObjectBuilder {
    let kinds = [Type::String, Type::Number].into_iter().collect::<SchemaType>();
    let value = ObjectBuilder::new().schema_type(kinds).pattern(Some(r"\S"));
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).property(field, value).required(field)
}

impl ToSchema for ThreeCxWebhook {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ThreeCxWebhook")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Wire::schemas(schemas);
    }
}

/// Parses a body. A byte order mark before it is ignored.
///
/// # Errors
/// `bad_json`, `unknown_event_type`, `bad_field` or `no_call`.
pub(crate) fn parse(body: &[u8]) -> Result<Message, Problem> {
    let wire: Wire = read_object(body)?;
    let event_type = word(&wire.event_type);
    if !matches!(event_type.as_str(), "incomingcall" | "callstatechanged" | "callended") {
        let detail = "event_type must be IncomingCall, CallStateChanged or CallEnded";
        return Err(Problem::new(Code::UnknownEventType, detail));
    }
    let threecx_call_id = wire.call_id.id("call_id")?;
    let caller = wire.caller_id.bounded("caller_id", TEXT_MAX)?;
    let called = wire.called_number.bounded("called_number", TEXT_MAX)?;
    if Direction::of(&wire.direction) == Direction::Out {
        return Ok(Message::Outbound { threecx_call_id });
    }
    if threecx_call_id.is_none() && caller.is_none() {
        return Err(Problem::new(Code::NoCall, "call_id and caller_id are both missing"));
    }
    let kind = match event_type.as_str() {
        "callended" => {
            let recording_url = wire.recording_url.bounded("recording_url", URL_MAX)?;
            PbxNoticeKind::Ended { duration: seconds(&wire.duration), recording_url }
        }
        "callstatechanged" => {
            let state = wire.state.bounded("state", TEXT_MAX)?;
            PbxNoticeKind::StateChanged(state.unwrap_or_else(|| "unknown".to_owned()))
        }
        _ => {
            let recording_url = wire.recording_url.bounded("recording_url", URL_MAX)?;
            return Ok(Message::Incoming(IncomingCall { threecx_call_id, caller, called, recording_url }));
        }
    };
    Ok(Message::Notice(PbxNotice { threecx_call_id, caller, called, kind }))
}

/// The PBX's time of the event: RFC 3339, or seconds since 1970.
pub(crate) fn happened_at(body: &[u8]) -> Option<At> {
    time(&read::<Wire>(body).ok()?.timestamp)
}

/// RFC 3339, or seconds since 1970; `None` for other text.
pub(super) fn time(text: &Text) -> Option<At> {
    let text = text.0.as_deref()?;
    let micros = match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000_000)?,
        Err(_) => text.parse::<jiff::Timestamp>().ok()?.as_microsecond(),
    };
    Some(At(micros))
}

/// A duration in whole seconds; `None` for other text.
fn seconds(text: &Text) -> Option<Duration> {
    text.0.as_deref().and_then(|text| text.parse::<u32>().ok()).map(|n| Duration::from_secs(u64::from(n)))
}

/// Direction of a call, from the PBX's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To precall. Every word that does not surely say the opposite: a call must not be lost for a word.
    In,
    /// From the PBX to somebody else.
    Out,
}

impl Direction {
    /// Reads the words of call flows, CRM templates and add-ons: `In`, `Inbound`, `Incoming`, `Internal`, `Local`,
    /// `Missed`, `Notanswered` and unknown ones are calls to precall.
    pub(super) fn of(text: &Text) -> Self {
        match word(text).as_str() {
            "out" | "outbound" | "outgoing" | "outboundexternal" | "outboundinternal"
            | "externaloutbound" | "pickupoutgoing" | "hangupoutgoing" => Self::Out,
            _ => Self::In,
        }
    }
}

/// A word without case, spaces and signs.
pub(super) fn word(text: &Text) -> String {
    let letters = text.0.as_deref().unwrap_or_default().chars();
    letters.filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The JSON of a body.
fn json_of(body: &[u8]) -> Result<&[u8], Problem> {
    if is_utf16(body) {
        return Err(Problem::new(Code::BadJson, "the body is UTF-16: send UTF-8"));
    }
    Ok(without_mark(body))
}

/// Reads the fields of an object. A list would be read as the fields in their order.
pub(super) fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let wire = read(body)?;
    if json_of(body)?.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::new(Code::BadJson, "the body is not a JSON object"));
    }
    Ok(wire)
}

/// Reads fields. Ids keep all their digits.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let json = json_of(body)?;
    match exact_numbers(json) {
        Cow::Borrowed(json) => serde_json::from_slice(json).map_err(|error| not_json(&error)),
        Cow::Owned(exact) => serde_json::from_slice(&exact).map_err(|error| {
            // The places of the original are what its sender can look for.
            not_json(&serde_json::from_slice::<T>(json).err().unwrap_or(error))
        }),
    }
}

/// The problem with line and column, without the text of the body.
fn not_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let what = if error.is_data() { "names a field twice or is not an object" } else { "is not valid JSON" };
    Problem::new(Code::BadJson, format!("the body {what} (line {line}, column {column})"))
}

/// Text, or a number as text; `None` for other values and for empty text. With the number of characters that came:
/// limits are those of the API's description, so what is left out counts too.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>, usize);

impl Text {
    pub(super) fn of(text: &str) -> Self {
        Self::of_long(trimmed(text), text.chars().count())
    }

    /// A text of which so many characters came.
    pub(super) fn of_long(text: &str, came: usize) -> Self {
        Self((!text.is_empty()).then(|| text.to_owned()), came)
    }

    /// An id. A control character inside it becomes U+FFFD: PostgreSQL allows no NUL in text, and without the character
    /// two ids could become one.
    fn id(self, field: &str) -> Result<Option<String>, Problem> {
        let visible = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
        Ok(self.limited(field, TEXT_MAX)?.map(|text| text.chars().map(visible).collect()))
    }

    /// A text without control characters.
    pub(super) fn bounded(self, field: &str, longest: usize) -> Result<Option<String>, Problem> {
        let visible = |text: String| text.chars().filter(|letter| !letter.is_control()).collect();
        Ok(self.limited(field, longest)?.map(visible))
    }

    fn limited(self, field: &str, longest: usize) -> Result<Option<String>, Problem> {
        if self.1 > longest {
            return Err(Problem::new(Code::BadField, format!("{field} is longer than {longest} characters")));
        }
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text::of(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text::of(&number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text::of(&number.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        // Not reached: `exact_numbers` has made every fraction a text.
        Ok(Text::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Text, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

#[cfg(test)]
mod tests;
