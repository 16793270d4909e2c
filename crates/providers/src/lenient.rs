//! Lenient JSON reading: a field that is missing, new or of another type never makes a body unreadable. A report must
//! not be lost because a cost became a fraction.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A JSON value of any type; lists and objects are read as `Nothing`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    #[default]
    Nothing,
    Text(String),
    Integer(i64),
    Fraction(f64),
    Truth(bool),
}

impl Scalar {
    /// Non-empty text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Text(_) | Self::Nothing | Self::Integer(_) | Self::Fraction(_) | Self::Truth(_) => None,
        }
    }

    /// Non-empty text, by value.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Text(_) | Self::Nothing | Self::Integer(_) | Self::Fraction(_) | Self::Truth(_) => None,
        }
    }

    /// Text; a number or a bool is written as text, `Nothing` is empty.
    pub(super) fn written(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Integer(number) => number.to_string(),
            Self::Fraction(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Nothing => String::new(),
        }
    }

    /// A whole number, also one written as text; a fraction is truncated.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Fraction(number) => whole(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Truth(_) | Self::Nothing => None,
        }
    }

    /// A number, also one written as text.
    pub(super) fn number(&self) -> Option<serde_json::Number> {
        match self {
            Self::Integer(number) => Some((*number).into()),
            Self::Fraction(number) => serde_json::Number::from_f64(*number),
            Self::Text(text) => text.trim().parse().ok().and_then(serde_json::Number::from_f64),
            Self::Truth(_) | Self::Nothing => None,
        }
    }

    /// A duration in seconds; none if negative.
    pub(super) fn seconds(&self) -> Option<std::time::Duration> {
        match self {
            Self::Fraction(seconds) => std::time::Duration::try_from_secs_f64(*seconds).ok(),
            Self::Integer(_) | Self::Text(_) | Self::Truth(_) | Self::Nothing => self
                .integer()
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(std::time::Duration::from_secs),
        }
    }
}

/// Truncates; none outside the range that an `f64` holds exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT_UP_TO: f64 = 9_007_199_254_740_992.0;
    let fits = number.is_finite() && number.abs() <= EXACT_UP_TO;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked; the fraction is dropped on purpose"
    )]
    fits.then(|| number.trunc() as i64)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Nothing, Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Fraction(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Scalar, A::Error> {
        drain_list(list).map(|()| Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Scalar, A::Error> {
        drain_object(object).map(|()| Scalar::Nothing)
    }
}

/// An object; any other JSON type is read as the default.
#[derive(Clone, Debug, Default)]
pub(super) struct Lenient<T>(pub T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_unit<E>(self) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Lenient<T>, A::Error> {
        drain_list(list).map(|()| Lenient::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Lenient<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Lenient)
    }
}

/// A list of objects; any other JSON type is read as empty, and each entry of another type as the default.
#[derive(Clone, Debug)]
pub(super) struct LenientList<T>(pub Vec<T>);

impl<T> Default for LenientList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for LenientList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientListVisitor(PhantomData))
    }
}

struct LenientListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for LenientListVisitor<T> {
    type Value = LenientList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_unit<E>(self) -> Result<LenientList<T>, E> {
        Ok(LenientList::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LenientList<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Lenient(entry)) = list.next_element::<Lenient<T>>()? {
            entries.push(entry);
        }
        Ok(LenientList(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<LenientList<T>, A::Error> {
        drain_object(object).map(|()| LenientList::default())
    }
}

pub(super) fn drain_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

pub(super) fn drain_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Text on one line without control characters: PostgreSQL stores no NUL, and a transcript has one line per utterance.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let flat =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c });
    flat.collect::<String>().trim().chars().take(chars_max).collect()
}
