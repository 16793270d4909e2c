//! Ids. Each kind has a type of its own, so that the compiler refuses a voice id where a conversation id is expected.

use core::fmt;
use std::sync::Arc;

/// A UUID as a number. The engine creates version 7: their order is the order of creation.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let v = self.0;
                write!(
                    f,
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    v >> 96,
                    (v >> 80) & 0xffff,
                    (v >> 64) & 0xffff,
                    (v >> 48) & 0xffff,
                    v & 0xffff_ffff_ffff
                )
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// An id that another system chose. Cheap to clone, since each step clones the state.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text, unchanged.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

uuid_id!(
    /// precall's id of a call: `call_log.id`, and `id` in JSON.
    CallId
);
uuid_id!(
    /// One clone job, which several calls may wait for.
    CloneJobId
);
text_id!(
    /// A voice at ElevenLabs (`voice_id`).
    VoiceId
);
text_id!(
    /// A conversation at ElevenLabs (`conversation_id`).
    ConversationId
);
text_id!(
    /// The line that was called: a number or a route point, or `default`.
    LineId
);
text_id!(
    /// Who sent a request: the name of an API key.
    Operator
);
