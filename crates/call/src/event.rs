//! What happened to a call. Events are past tense, and say what was seen, not what was concluded.

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{Cause, NoVoice, named};
use crate::ids::{ConversationId, JobId, VoiceId};
use crate::policy::{Person, Policy, ProofWay, ProvedBy, Rung};

/// The first event of every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// All rules of the call.
    pub policy: Arc<Policy>,
    /// Whether it may go on.
    pub admission: Admission,
}

/// What admission found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It goes on.
    Accepted,
    /// It is over before it began: refused by the dial guard or a limit.
    Refused(Cause),
    /// Its `CallEnded` came first.
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
    /// How a greeting ended.
    GreetingEnd {
        /// To its end, or hung up after having been heard.
        Played = "played",
        /// The caller skipped the rest.
        Skipped = "skipped",
        /// The provider or the stream refused; surely nothing was heard.
        Refused = "refused",
        /// The number was busy.
        Busy = "busy",
        /// Nobody picked up.
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
        /// Surely not executed: refused, or never sent.
        Refused = "refused",
        /// The answer was lost and the look-up found nothing.
        Unknown = "unknown",
        /// The destination was busy.
        Busy = "busy",
        /// The destination did not answer.
        NoAnswer = "no_answer",
        /// The call was over at the PBX.
        CallOver = "call_over",
    }
}

named! {
    /// How an agent's session on the bridge came to an end that the agent did not mean.
    AgentLoss {
        /// The connection broke, or the provider failed.
        Lost = "lost",
        /// The provider refused what was asked for, and would again.
        Refused = "refused",
        /// The agent owed the caller a word for too long.
        Stalled = "stalled",
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
    /// How much a report says. Status only rises.
    Grade {
        /// Nothing yet.
        Initiated = "initiated",
        /// It never became a conversation.
        Failed = "failed",
        /// It took place.
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
    /// A part of the program that panicked.
    CallPart {
        /// The call's own actor.
        Call = "call",
        /// The greeting.
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
    }
}

/// What the provider said of a conversation, without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The conversation it is about.
    pub conversation: ConversationId,
    /// What it was for, where the report's echo of our variables says so.
    pub purpose: Option<Purpose>,
    /// Whether it took place.
    pub grade: Grade,
    /// Why it did not, where it did not.
    pub failure: Option<HandoffFailure>,
    /// How long it lasted.
    pub duration: Option<Duration>,
    /// Whether words came with it.
    pub has_words: bool,
}

/// Times with nothing to hear in a bridged conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Silence {
    /// The longest.
    pub longest: Duration,
    /// All of them.
    pub total: Duration,
}

impl Silence {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), total: self.total.saturating_add(other.total) }
    }
}

/// What reached the call's legs, measured where it was written; sums over the whole call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AudioHeard {
    /// How much was written.
    pub written: Duration,
    /// The longest time the PBX had nothing of ours left to play while a stream was open.
    pub longest_gap: Duration,
    /// Such times of over 40 ms.
    pub gaps: u32,
    /// How often a stream was cut and opened again.
    pub cuts: u32,
    /// Silence while the agent owed the caller a word.
    pub agents_turn: Silence,
    /// Silence while it was the caller's turn to speak.
    pub callers_turn: Silence,
    /// Of the caller's audio, what was too old to be sent to an agent.
    pub dropped_to_agent: Duration,
    /// Of an agent's audio, what there was no room for.
    pub dropped_to_caller: Duration,
}

/// What precall found out when it looked after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegSeen {
    /// The route has none.
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
    /// No audio can be written into the leg any more, though nobody said that it is gone.
    AudioLost,
    /// A stream into the leg was closed, and this is how the call's audio had gone until then.
    AudioEnded(AudioHeard),
    /// `CallStateChanged` of the webhook, as it was said.
    PbxStateChanged {
        /// The PBX's word.
        state: Arc<str>,
    },
    /// `CallEnded` of the webhook.
    PbxCallEnded {
        /// How long the PBX's call lasted, if it said so.
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
    /// The greeting is over, or could not be given.
    GreetingEnded {
        /// How.
        end: GreetingEnd,
    },
    /// The caller's voice can be used.
    VoiceReady {
        /// The voice.
        voice: VoiceId,
        /// The job that made it.
        job: Option<JobId>,
        /// Cache or fresh clone.
        source: VoiceSource,
        /// How long this call waited for it.
        took: Duration,
    },
    /// There will be no cloned voice.
    VoiceMissing {
        /// Why.
        why: NoVoice,
    },
    /// Nobody may hear the cloned voice any more: its consent was withdrawn.
    VoiceWithdrawn {
        /// Why there is none now.
        why: NoVoice,
    },
    /// The caller's voice is kept for who proves to be the caller, and this call has not.
    ProofAsked {
        /// By what it may.
        way: ProofWay,
    },
    /// The caller proved who they are, asked or not.
    ProofGiven {
        /// By what.
        by: ProvedBy,
    },
    /// A PIN was entered that proves nothing.
    PinRefused {
        /// Counts those of the call from 1.
        number: u8,
    },
    /// Intent: an attempt at a handoff is about to be made.
    HandoffStarted {
        /// Counts from 1.
        attempt: u8,
        /// What is tried.
        rung: Rung,
    },
    /// The attempt brought somebody in.
    HandoffSucceeded {
        /// Which attempt.
        attempt: u8,
        /// The agent's conversation, where it is known.
        conversation: Option<ConversationId>,
    },
    /// The attempt did not.
    HandoffFailed {
        /// Which attempt.
        attempt: u8,
        /// Why.
        why: HandoffFailure,
    },
    /// The agent ended the conversation on the bridge, and all that it had said was heard.
    AgentEnded {
        /// The attempt that brought it in.
        attempt: u8,
    },
    /// The agent's session on the bridge is over, and the agent did not mean it to be.
    AgentLost {
        /// The attempt that brought it in.
        attempt: u8,
        /// How.
        why: AgentLoss,
    },
    /// The agent was asked for a person, and asks for one by its tool.
    PersonAsked {
        /// Counts the agent's requests in this call from 1.
        number: u8,
        /// Who.
        person: Person,
    },
    /// Something was said on the bridge. The words are kept beside the event.
    Utterance {
        /// Counts the utterances of the call from 1.
        number: u32,
        /// By whom.
        by: Speaker,
        /// The number of the earlier utterance that this one replaces: the caller interrupted the agent, and this is what was heard.
        corrects: Option<u32>,
    },
    /// The provider reported on a conversation.
    Reported(Report),
    /// A person asked.
    OperatorAsked(Request),
    /// The armed deadline passed.
    DeadlinePassed {
        /// Which arming; another one is stale.
        generation: u32,
    },
    /// A part of the program panicked.
    Panicked {
        /// Which.
        part: CallPart,
        /// Counts this call's panics from 1.
        ordinal: u32,
    },
    /// The call was taken up again after a restart.
    Resumed {
        /// Counts the restarts of the engine.
        generation: u64,
        /// What is left of the leg.
        leg: LegSeen,
    },
}
