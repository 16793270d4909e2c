//! How a call ended: the cause, who is to blame, and what the caller was told. These are three fields.

/// Defines a closed set of values and their names in SQL, JSON, logs and metrics.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every member, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one name used outside this crate.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The member with that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use named;

named! {
    /// Why a call ended.
    Cause {
        /// An agent conversation took place and ended.
        Completed = "completed",
        /// The caller hung up.
        CallerHungUp = "caller_hung_up",
        /// The agent ended the conversation. With a blame: it did so before the caller heard it, and no other agent
        /// could be reached.
        AgentEnded = "agent_ended",
        /// An operator ended it.
        OperatorEnded = "operator_ended",
        /// Nobody answered the telephone that precall called.
        NoAnswer = "no_answer",
        /// The caller's number was busy when precall called it.
        Busy = "busy",
        /// A voicemail box answered the telephone that precall called.
        Voicemail = "voicemail",
        /// The number must not be dialled.
        DialRefused = "dial_refused",
        /// The number leads back to precall.
        Loop = "loop",
        /// The leg that the webhook announced never appeared.
        NoLeg = "no_leg",
        /// More live calls than `MAX_LIVE_CALLS`.
        AtCapacity = "at_capacity",
        /// A budget was used up.
        Budget = "budget",
        /// An operator had switched the line to its fallback destination.
        Bypassed = "bypassed",
        /// precall was being stopped.
        Draining = "draining",
        /// precall could not store the call: neither the database nor the spool took events, or the database could not
        /// be asked whether this process leads.
        NoStorage = "no_storage",
        /// No greeting could be played, and no later step was possible.
        GreetingFailed = "greeting_failed",
        /// Every handoff attempt failed.
        HandoffFailed = "handoff_failed",
        /// The agent's connection was lost and could not be restored.
        AgentLost = "agent_lost",
        /// The agent sent no answer for too long.
        AgentStalled = "agent_stalled",
        /// The conversation reached its longest allowed duration.
        MaxDuration = "max_duration",
        /// The leg was gone after a restart.
        LostInRestart = "lost_in_restart",
        /// The call's log could not be read after a restart.
        UnreadableLog = "unreadable_log",
        /// The service that precall replaced had left the call open. No call of precall ends so.
        Adopted = "adopted",
        /// The call's own actor panicked twice within a minute.
        Panicked = "panicked",
        /// The PBX could not be reached, or stopped carrying the audio of a running conversation.
        PbxLost = "pbx_lost",
        /// No agent could be reached, and the caller was transferred to a person instead.
        ReachedPerson = "reached_person",
    }
}

named! {
    /// Who caused the end. A call that completed has no blame.
    Blame {
        /// The caller.
        Caller = "caller",
        /// The phone system.
        Pbx = "pbx",
        /// ElevenLabs.
        Provider = "provider",
        /// precall itself.
        Precall = "precall",
        /// A person with an API key.
        Operator = "operator",
    }
}

named! {
    /// What the caller was told at the end.
    Told {
        /// Nothing: the leg closed, or no caller was on it.
        Nothing = "nothing",
        /// The conversation ended normally.
        Goodbye = "goodbye",
        /// The apology clip.
        Apology = "apology",
        /// The call went on to a person or queue.
        Person = "person",
    }
}

named! {
    /// Why the agent does not speak with the caller's cloned voice.
    NoVoice {
        /// No voice is mapped to this caller.
        NoMapping = "no_mapping",
        /// No consent covers this sample.
        NoConsent = "no_consent",
        /// No free voice slot in the account.
        NoSlot = "no_slot",
        /// The caller did not prove who they are.
        Unproven = "unproven",
        /// The sample cannot be used.
        SampleRefused = "sample_refused",
        /// The provider refused, or its answer was lost.
        CloneFailed = "clone_failed",
        /// It took too long.
        CloneTimeout = "clone_timeout",
        /// The database could not be asked which voice is the caller's.
        DatabaseUnreachable = "database_unreachable",
        /// The agent does not allow its voice to be set.
        OverrideRefused = "override_refused",
        /// The provider is failing, so precall did not try.
        BreakerOpen = "breaker_open",
        /// A budget was used up.
        Budget = "budget",
        /// The caller's data was erased.
        Erased = "erased",
        /// An operator asked for the fallback voice.
        OperatorAsked = "operator_asked",
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Release {
    /// Why.
    pub cause: Cause,
    /// Who caused it; none when nothing went wrong.
    pub blame: Option<Blame>,
    /// What the caller was told.
    pub told: Told,
}

impl Release {
    /// An end without a fault.
    #[must_use]
    pub fn good(cause: Cause) -> Self {
        Self { cause, blame: None, told: Told::Goodbye }
    }

    /// An end with a fault; the caller was told nothing.
    #[must_use]
    pub fn by(blame: Blame, cause: Cause) -> Self {
        Self { cause, blame: Some(blame), told: Told::Nothing }
    }
}
