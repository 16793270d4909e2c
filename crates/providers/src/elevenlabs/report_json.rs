//! Parts of a report that precall stores as they came and does not interpret: the analysis, and the result of a
//! voicemail test.

use std::fmt;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON object of the provider, safe for a `jsonb` column. Personal: `Debug` prints its number of fields only.
#[derive(Clone, PartialEq, Eq)]
pub struct ReportJson(Value);

impl ReportJson {
    /// The JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Whether a text in it is one of the words for a voicemail box or a machine. The provider does not publish the
    /// fields of its voicemail test, so the words are searched in each of them.
    pub(super) fn names_a_machine(&self) -> bool {
        has_text(&self.0, &|text| {
            let word = text.to_ascii_lowercase();
            matches!(word.as_str(), "voicemail" | "answering_machine" | "machine" | "fax")
                || word.starts_with("machine_")
        })
    }
}

impl fmt::Debug for ReportJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportJson({} fields)", self.0.as_object().map_or(0, serde_json::Map::len))
    }
}

/// The JSON field: a [`ReportJson`], or none for a missing field, an empty object and any other type.
#[derive(Default)]
pub(super) struct KeptObject(pub Option<ReportJson>);

impl<'de> Deserialize<'de> for KeptObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        // A number outside the range of a double loses this object, not the report.
        let Ok(mut value) = serde_json::from_str::<Value>(raw.get()) else { return Ok(Self(None)) };
        let has_fields = value.as_object().is_some_and(|object| !object.is_empty());
        Ok(Self(has_fields.then(|| {
            without_nul(&mut value);
            ReportJson(value)
        })))
    }
}

fn has_text(value: &Value, wanted: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => wanted(text),
        Value::Array(list) => list.iter().any(|value| has_text(value, wanted)),
        Value::Object(object) => object.values().any(|value| has_text(value, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `jsonb` refuses NUL, also in the names of fields.
fn without_nul(value: &mut Value) {
    let clean = |text: &str| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) if text.contains('\0') => *text = clean(text),
        Value::Array(list) => list.iter_mut().for_each(without_nul),
        Value::Object(object) => {
            if object.keys().any(|name| name.contains('\0')) {
                let fields = std::mem::take(object).into_iter();
                *object = fields.map(|(name, value)| (clean(&name), value)).collect();
            }
            object.values_mut().for_each(without_nul);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
