//! Why a call ended, whose fault it was and what the caller was told: three fields, never one.

/// Gives a closed set its names: the ones in SQL, JSON, logs and metrics.
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
        /// The caller went.
        CallerHungUp = "caller_hung_up",
        /// The agent ended the conversation.
        AgentEnded = "agent_ended",
        /// An operator ended it.
        OperatorEnded = "operator_ended",
        /// Nobody picked up our call back.
        NoAnswer = "no_answer",
        /// The caller's number was busy when we called back.
        Busy = "busy",
        /// The number must not be dialled.
        DialRefused = "dial_refused",
        /// The number leads back to us.
        Loop = "loop",
        /// The leg that the webhook announced never appeared.
        NoLeg = "no_leg",
        /// More live calls than `MAX_LIVE_CALLS`.
        AtCapacity = "at_capacity",
        /// A budget was used up.
        Budget = "budget",
        /// precall was being stopped.
        Draining = "draining",
        /// No greeting could be given and nothing could follow it.
        GreetingFailed = "greeting_failed",
        /// No rung of the ladder brought an agent in.
        HandoffFailed = "handoff_failed",
        /// The agent's connection was lost for good.
        AgentLost = "agent_lost",
        /// The agent owed audio for too long.
        AgentStalled = "agent_stalled",
        /// The longest conversation allowed.
        MaxDuration = "max_duration",
        /// The leg was gone after a restart.
        LostInRestart = "lost_in_restart",
        /// The call's log could not be read after a restart.
        UnreadableLog = "unreadable_log",
        /// The call's own actor panicked twice within a minute.
        Panicked = "panicked",
        /// The PBX could not be reached.
        PbxLost = "pbx_lost",
    }
}

named! {
    /// Whose doing the end was. A call that simply completed has none.
    Blame {
        /// The person who rang.
        Caller = "caller",
        /// The phone system.
        Pbx = "pbx",
        /// ElevenLabs.
        Provider = "provider",
        /// This program.
        Precall = "precall",
        /// A person with an API key.
        Operator = "operator",
    }
}

named! {
    /// What the caller was told at the end.
    Told {
        /// Nothing: the line closed, or nobody was on it.
        Nothing = "nothing",
        /// The conversation ended by itself.
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
        /// Nobody's consent covers this sample.
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
        /// The provider is failing; not even tried.
        BreakerOpen = "breaker_open",
        /// A budget was used up.
        Budget = "budget",
        /// The caller's data was erased.
        Erased = "erased",
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Release {
    /// Why.
    pub cause: Cause,
    /// Whose doing; none when nothing went wrong.
    pub blame: Option<Blame>,
    /// What the caller heard of it.
    pub told: Told,
}

impl Release {
    /// Nothing went wrong.
    #[must_use]
    pub fn good(cause: Cause) -> Self {
        Self { cause, blame: None, told: Told::Goodbye }
    }

    /// Somebody's doing, and the caller was told nothing.
    #[must_use]
    pub fn by(blame: Blame, cause: Cause) -> Self {
        Self { cause, blame: Some(blame), told: Told::Nothing }
    }
}
