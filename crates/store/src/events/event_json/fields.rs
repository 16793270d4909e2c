//! How single fields of the stored events are written, and what an absent field means.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, Answered, CallPart, Cause, CloneJobId, ConversationId, Grade, GreetingEnd,
    HandoffFailure, LineId, NoVoice, Operator, Person, Proof, ProofWay, ProvedBy, Purpose, Request, Route,
    Rung, Silence, Speaker, Telling, VoiceId, VoiceSource, VoiceWait,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A type of precall-call and its form in the JSON.
pub(crate) trait Stored: Sized {
    /// Borrows its texts: `decode` reads from a `serde_json::Value`, which lends them.
    type Form<'a>: Serialize + Deserialize<'a> + Debug
    where
        Self: 'a;

    fn form(&self) -> Self::Form<'_>;

    /// None where the form is no value of this type.
    fn read(form: &Self::Form<'_>) -> Option<Self>;
}

pub(crate) fn serialize<T: Stored, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    value.form().serialize(to)
}

pub(crate) fn deserialize<'de, T: Stored + 'de, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let form = T::Form::deserialize(from)?;
    T::read(&form).ok_or_else(|| de::Error::custom(format_args!("unknown value {form:?}")))
}

macro_rules! closed_names {
    ($($name:ty),+) => { $(impl Stored for $name {
        type Form<'a> = &'a str;

        fn form(&self) -> &str {
            self.name()
        }

        fn read(name: &&str) -> Option<Self> {
            Self::from_name(name)
        }
    })+ };
}

macro_rules! ids {
    ($($id:ty),+) => { $(impl Stored for $id {
        type Form<'a> = &'a str;

        fn form(&self) -> &str {
            self.as_str()
        }

        fn read(text: &&str) -> Option<Self> {
            Some(Self::new(text))
        }
    })+ };
}

closed_names!(
    AgentLoss,
    Answered,
    Cause,
    Grade,
    GreetingEnd,
    HandoffFailure,
    CallPart,
    NoVoice,
    ProofWay,
    ProvedBy,
    Purpose
);
closed_names!(Request, Route, Rung, Speaker, Telling, VoiceSource);
ids!(ConversationId, LineId, Operator, VoiceId);

/// An unknown name in an optional field counts as absent.
impl<T: Stored> Stored for Option<T> {
    type Form<'a>
        = Option<T::Form<'a>>
    where
        T: 'a;

    fn form(&self) -> Self::Form<'_> {
        self.as_ref().map(T::form)
    }

    fn read(form: &Self::Form<'_>) -> Option<Self> {
        Some(form.as_ref().and_then(T::read))
    }
}

/// Whole milliseconds: the rules depend on no finer part.
impl Stored for Duration {
    type Form<'a> = u64;

    fn form(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }

    fn read(millis: &u64) -> Option<Self> {
        Some(Self::from_millis(*millis))
    }
}

impl Stored for CloneJobId {
    type Form<'a> = Cow<'a, str>;

    fn form(&self) -> Cow<'_, str> {
        self.to_string().into()
    }

    fn read(text: &Cow<'_, str>) -> Option<Self> {
        Uuid::try_parse(text).ok().map(|job| Self(job.as_u128()))
    }
}

/// How long the caller holds before the agent starts without the voice; null to hold until the voice is decided.
impl Stored for VoiceWait {
    type Form<'a> = Option<u64>;

    fn form(&self) -> Option<u64> {
        match self {
            Self::Hold => None,
            Self::Start { after } => Some(after.form()),
        }
    }

    fn read(millis: &Option<u64>) -> Option<Self> {
        Some(millis.map_or(Self::Hold, |millis| Self::Start { after: Duration::from_millis(millis) }))
    }
}

/// `FALLBACK_DESTINATION` has no name.
impl Stored for Person {
    type Form<'a> = Option<&'a str>;

    fn form(&self) -> Option<&str> {
        match self {
            Self::Fallback => None,
            Self::Named(name) => Some(name),
        }
    }

    fn read(name: &Option<&str>) -> Option<Self> {
        Some(name.map_or(Self::Fallback, |name| Self::Named(Arc::from(name))))
    }
}

/// An unknown name counts as no proof.
impl Stored for Proof {
    type Form<'a> = &'a str;

    fn form(&self) -> &str {
        self.name()
    }

    fn read(name: &&str) -> Option<Self> {
        Some(Self::from_name(name).unwrap_or(Self::None))
    }
}

/// The cause is there for a refused call only.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdmissionForm<'a> {
    admission: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl Stored for Admission {
    type Form<'a> = AdmissionForm<'a>;

    fn form(&self) -> AdmissionForm<'_> {
        match self {
            Self::Accepted => AdmissionForm { admission: "accepted", cause: None },
            Self::Refused(cause) => AdmissionForm { admission: "refused", cause: Some(cause.name()) },
            Self::EndedBefore => AdmissionForm { admission: "ended_before", cause: None },
        }
    }

    fn read(form: &AdmissionForm<'_>) -> Option<Self> {
        match form.admission {
            "accepted" => Some(Self::Accepted),
            "refused" => form.cause.and_then(Cause::from_name).map(Self::Refused),
            "ended_before" => Some(Self::EndedBefore),
            _ => None,
        }
    }
}

pub(crate) fn fallback() -> Person {
    Person::Fallback
}

pub(crate) fn is_fallback(person: &Person) -> bool {
    *person == Person::Fallback
}

pub(crate) fn hold() -> VoiceWait {
    VoiceWait::Hold
}

pub(crate) fn unproven() -> Proof {
    Proof::None
}

pub(crate) fn is_unproven(proof: &Proof) -> bool {
    *proof == Proof::None
}

pub(crate) fn is_silent(silence: &Silence) -> bool {
    *silence == Silence::default()
}

/// precall-call shares the rules of a call by reference.
pub(crate) mod shared_policy {
    use std::sync::Arc;

    use precall_call::Policy;
    use serde::{Deserializer, Serializer};

    use super::super::PolicyJson;

    pub(crate) fn serialize<S: Serializer>(policy: &Arc<Policy>, to: S) -> Result<S::Ok, S::Error> {
        PolicyJson::serialize(policy, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Policy>, D::Error> {
        PolicyJson::deserialize(from).map(Arc::new)
    }
}

pub(crate) fn unknown_answer() -> Answered {
    Answered::Unknown
}

pub(crate) fn is_unknown_answer(answered: &Answered) -> bool {
    *answered == Answered::Unknown
}
