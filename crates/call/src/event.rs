//! Events: what happened to a call. An event says what was observed; `step` draws the conclusions.

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{Cause, NoVoice, named};
use crate::ids::{CloneJobId, ConversationId, Operator, VoiceId};
use crate::policy::{Person, Policy, ProofWay, ProvedBy, Rung};

/// The first event of every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// All rules of the call.
    pub policy: Arc<Policy>,
    /// Whether it may go on.
    pub admission: Admission,
}

/// The decision of the admission check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The call is accepted.
    Accepted,
    /// The dial guard or a limit refused the call.
    Refused(Cause),
    /// The webhook `CallEnded` of this call arrived before its `IncomingCall`.
    EndedBefore,
}

named! {
    /// What a conversation at the provider is for.
    Purpose {
        /// The greeting call of route `callback`.
        Greeting = "greeting",
        /// The agent.
        Agent = "agent",
    }
}

named! {
    /// Whether a person or a voicemail box answered a dial, as the provider says. It only rises.
    Answered {
        /// The provider said nothing.
        Unknown = "unknown",
        /// The provider tested for a voicemail box and reported none.
        Tested = "tested",
        /// A voicemail box answered.
        Voicemail = "voicemail",
    }
}

named! {
    /// How a greeting ended.
    GreetingEnd {
        /// It was heard to its end, or the caller hung up after hearing it.
        Played = "played",
        /// The caller skipped the rest.
        Skipped = "skipped",
        /// The provider or the stream refused it: certainly nothing was heard.
        Refused = "refused",
        /// The number was busy.
        Busy = "busy",
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// It failed in another way.
        Failed = "failed",
        /// The answer was lost: a telephone may be ringing.
        Unknown = "unknown",
    }
}

named! {
    /// Why an attempt at a handoff failed.
    HandoffFailure {
        /// Certainly not executed: refused, or never sent.
        Refused = "refused",
        /// The answer was lost and the look-up found nothing.
        Unknown = "unknown",
        /// The destination was busy.
        Busy = "busy",
        /// The destination did not answer.
        NoAnswer = "no_answer",
        /// The call was over at the PBX.
        CallOver = "call_over",
        /// Certainly not executed: the agent does not allow a setting that precall sent. The next attempt leaves it
        /// out.
        OverrideRefused = "override_refused",
        /// Certainly not executed: the agent does not allow its voice to be set, and this rung needs the cloned voice.
        VoiceRefused = "voice_refused",
    }
}

impl HandoffFailure {
    /// Whether the attempt was certainly not executed.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        match self {
            Self::Refused | Self::OverrideRefused | Self::VoiceRefused => true,
            Self::Unknown | Self::Busy | Self::NoAnswer | Self::CallOver => false,
        }
    }
}

named! {
    /// How an agent's session on the bridge was lost.
    AgentLoss {
        /// The connection broke, or the provider failed.
        Lost = "lost",
        /// The provider refused the request, and would refuse it again.
        Refused = "refused",
        /// The agent gave the caller no answer for too long.
        Stalled = "stalled",
        /// The agent does not allow a setting that precall sent. The next attempt leaves it out.
        OverrideRefused = "override_refused",
    }
}

named! {
    /// Who spoke.
    Speaker {
        /// The agent.
        Agent = "agent",
        /// The caller, as the provider understood them.
        Caller = "caller",
    }
}

named! {
    /// What the provider reported about a conversation. It only rises, in this order.
    Grade {
        /// No report yet.
        Initiated = "initiated",
        /// No conversation took place.
        Failed = "failed",
        /// The conversation took place.
        Completed = "completed",
    }
}

named! {
    /// Where a voice came from.
    VoiceSource {
        /// The 24-hour cache.
        Cache = "cache",
        /// A clone made during this call.
        Clone = "clone",
    }
}

named! {
    /// A part of a call: an actor that works for it, and may panic.
    CallPart {
        /// The call's own actor.
        Call = "call",
        /// The greeting, and on a live leg the player of its audio.
        Greeting = "greeting",
        /// The clone worker.
        CloneWorker = "clone_worker",
        /// The handoff.
        Handoff = "handoff",
    }
}

named! {
    /// What an operator asked for.
    Request {
        /// End the call.
        HangUp = "hang_up",
        /// Hand off as soon as a voice is decided: what `AUTO_TRANSITION_ENABLED=false` waits for.
        HandOff = "hand_off",
        /// Ask once more for the caller's cloned voice: the call was without one.
        RetryClone = "retry_clone",
        /// Go on without the caller's cloned voice.
        FallbackVoice = "fallback_voice",
    }
}

named! {
    /// What an operator wants of the agent.
    Telling {
        /// The agent is to know something. It does not answer.
        Context = "context",
        /// The agent is to say something to the caller.
        Say = "say",
    }
}

/// The provider's report on a conversation, without its transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The conversation.
    pub conversation: ConversationId,
    /// What the conversation was for, if the report repeats our variable.
    pub purpose: Option<Purpose>,
    /// Whether it took place.
    pub grade: Grade,
    /// Why no conversation took place.
    pub failure: Option<HandoffFailure>,
    /// How long it lasted.
    pub duration: Option<Duration>,
    /// Whether the report has a transcript.
    pub has_words: bool,
    /// Whether the report has the provider's analysis.
    pub has_analysis: bool,
    /// Who answered.
    pub answered: Answered,
}

/// Silence in a bridged conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Silence {
    /// The longest silence.
    pub longest: Duration,
    /// The sum of all silences.
    pub total: Duration,
}

impl Silence {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), total: self.total.saturating_add(other.total) }
    }
}

/// Audio that precall wrote into the call's legs, measured at the writer. Sums over the whole call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AudioHeard {
    /// How much was written.
    pub written: Duration,
    /// The longest time in which the PBX had no audio of ours left to play while a stream was open.
    pub longest_gap: Duration,
    /// Number of such gaps over 40 ms.
    pub gaps: u32,
    /// How often a stream was cut and opened again.
    pub cuts: u32,
    /// Silence while it was the agent's turn to speak.
    pub agents_turn: Silence,
    /// Silence while it was the caller's turn to speak.
    pub callers_turn: Silence,
    /// Caller's audio that was too old to send to the agent.
    pub dropped_to_agent: Duration,
    /// Agent's audio that was dropped because the buffer was full.
    pub dropped_to_caller: Duration,
}

/// What precall knows of the caller's leg after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegSeen {
    /// The route has no leg, or nothing is known of it yet.
    None,
    /// Still there.
    Present,
    /// Gone.
    Gone,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call came in.
    Offered(Offer),
    /// The leg rings and waits for an answer.
    LegRinging,
    /// The PBX refused to let precall answer the ringing leg. The leg may still be routed.
    AnswerRefused,
    /// While precall started, it routed the caller's leg to `FALLBACK_DESTINATION`: the call could not be resumed in
    /// time.
    LegRoutedAway,
    /// The leg is connected: audio can flow.
    LegConnected,
    /// The leg is gone from the PBX.
    LegGone,
    /// The first frame that is not silence was written into the leg.
    SoundStarted,
    /// The notice was heard to its end.
    NoticeEnded {
        /// Which text and language: the version of the policy.
        version: Arc<str>,
    },
    /// No more audio can be written into the leg, although the PBX did not report it gone.
    AudioLost,
    /// A stream into the leg was closed. Carries the audio measurements of the whole call so far.
    AudioEnded(AudioHeard),
    /// The webhook `CallStateChanged` arrived.
    PbxStateChanged {
        /// The state, as the PBX wrote it.
        state: Arc<str>,
    },
    /// The webhook `CallEnded` arrived.
    PbxCallEnded {
        /// How long the PBX's call lasted, if the webhook says so.
        duration: Option<Duration>,
    },
    /// A key was pressed.
    DtmfReceived {
        /// One of `0-9*#`.
        key: char,
    },
    /// Intent: the greeting call is about to be dialled.
    GreetingDialled,
    /// The provider accepted the greeting call, or its first frame was written.
    GreetingStarted {
        /// The provider's id, on route `callback`.
        conversation: Option<ConversationId>,
    },
    /// The provider says that the greeting's telephone call goes on.
    GreetingRuns,
    /// The greeting is over, or could not be played.
    GreetingEnded {
        /// How.
        end: GreetingEnd,
    },
    /// The caller's voice can be used.
    VoiceReady {
        /// The voice.
        voice: VoiceId,
        /// The clone job that made it; none for a voice from the cache.
        job: Option<CloneJobId>,
        /// Cache or fresh clone.
        source: VoiceSource,
        /// How long this call waited for it.
        took: Duration,
    },
    /// This call gets no cloned voice.
    VoiceMissing {
        /// Why.
        why: NoVoice,
        /// The clone job that this call waited for, if there was one.
        job: Option<CloneJobId>,
    },
    /// The consent to the cloned voice was withdrawn: the call must not use it any more.
    VoiceWithdrawn {
        /// Why the call has no cloned voice now.
        why: NoVoice,
    },
    /// The caller's voice is available only with proof of identity, and this call has not given it.
    ProofAsked {
        /// Which proof is accepted.
        way: ProofWay,
    },
    /// The caller proved their identity, asked or not.
    ProofGiven {
        /// How.
        by: ProvedBy,
    },
    /// The caller entered a wrong PIN.
    PinRefused {
        /// Counts the wrong PINs of the call from 1.
        number: u8,
    },
    /// Intent: an attempt at a handoff is about to be made.
    HandoffStarted {
        /// Counts from 1.
        attempt: u8,
        /// What is tried.
        rung: Rung,
    },
    /// The attempt reached its destination. On the bridge: the agent is ready to be connected.
    HandoffSucceeded {
        /// Which attempt.
        attempt: u8,
        /// The agent's conversation, if its id is known.
        conversation: Option<ConversationId>,
    },
    /// The attempt failed.
    HandoffFailed {
        /// Which attempt.
        attempt: u8,
        /// Why.
        why: HandoffFailure,
    },
    /// The caller heard the first word of this attempt's agent on the bridge.
    AgentSpoke {
        /// The attempt that brought it in.
        attempt: u8,
    },
    /// The agent ended the conversation on the bridge, and the caller heard all of its audio.
    AgentEnded {
        /// The attempt that brought it in.
        attempt: u8,
    },
    /// The agent's session on the bridge ended without the agent's intent.
    AgentLost {
        /// The attempt that brought it in.
        attempt: u8,
        /// How.
        why: AgentLoss,
    },
    /// The caller asked the agent for a person, and the agent used its tool.
    PersonAsked {
        /// Counts the agent's requests in this call from 1.
        number: u8,
        /// Who.
        person: Person,
    },
    /// Something was said on the bridge. The text is stored beside the event, as personal data.
    Utterance {
        /// Counts the utterances of the call from 1.
        number: u32,
        /// By whom.
        by: Speaker,
        /// The earlier utterance that this one replaces: the caller interrupted the agent, and heard only this much
        /// of it.
        corrects: Option<u32>,
    },
    /// The provider reported on a conversation.
    Reported(Report),
    /// An operator sent a request.
    OperatorAsked {
        /// The request.
        request: Request,
        /// Who sent it. Older events do not say.
        by: Option<Operator>,
    },
    /// An operator sent the caller to a person.
    TransferAsked {
        /// To whom.
        person: Person,
        /// Which operator.
        by: Option<Operator>,
    },
    /// An operator told the agent something. The text is stored beside the event, as personal data.
    AgentTold {
        /// Counts what operators told the agent in this call from 1.
        number: u16,
        /// What the agent is to do with it.
        what: Telling,
        /// Which operator.
        by: Operator,
    },
    /// The deadline passed.
    DeadlinePassed {
        /// The generation of the deadline; a timer of another generation is stale.
        generation: u32,
    },
    /// A part of the call panicked.
    Panicked {
        /// Which.
        part: CallPart,
        /// Counts this call's panics from 1.
        ordinal: u32,
    },
    /// The engine restarted and resumed the call.
    Resumed {
        /// Counts the restarts of the engine.
        generation: u64,
        /// What is known of the leg.
        leg: LegSeen,
    },
}
