//! Why a call ended, and why it had no cloned voice, in words, with what to do about it. Pure.

use precall_call::{Blame, Cause, NoVoice, Told};

/// Why a call ended, as the rest of a sentence.
pub(crate) fn cause(cause: Cause, blame: Option<Blame>) -> &'static str {
    match (cause, blame) {
        (Cause::Completed, _) => "the conversation with the agent took place",
        (Cause::CallerHungUp, _) => "the caller hung up",
        (Cause::AgentEnded, None) => "the agent said goodbye",
        (Cause::AgentEnded, Some(_)) => "the agent hung up twice before the caller heard it",
        (Cause::OperatorEnded, _) => "an operator ended it",
        (Cause::NoAnswer, _) => "nobody answered when precall called back",
        (Cause::Busy, Some(Blame::Precall)) => "an earlier call back still uses this telephone",
        (Cause::Busy, _) => "the caller's telephone was busy",
        (Cause::Voicemail, _) => "a voicemail box answered when precall called back",
        (Cause::DialRefused, _) => "the number must not be called, or a limit for calls back was reached",
        (Cause::Loop, _) => "the caller's number leads back to precall",
        (Cause::NoLeg, _) => "3CX announced the call, but its leg never came to precall",
        (Cause::AtCapacity, _) => "there were already as many live calls as allowed",
        (Cause::Budget, _) => "a budget was used up",
        (Cause::Bypassed, _) => "an operator had switched the bypass on, which sends new calls to a person",
        (Cause::Draining, _) => "precall was being stopped",
        (Cause::NoStorage, _) => {
            "precall could not store the call: neither the database nor the spool took it"
        }
        (Cause::GreetingFailed, _) => "the caller could not be greeted",
        (Cause::HandoffFailed, _) => "no attempt to connect the caller succeeded",
        (Cause::AgentLost, _) => "the connection to the agent was lost for good",
        (Cause::AgentStalled, _) => "the agent did not speak for too long",
        (Cause::MaxDuration, _) => "the longest allowed duration was reached",
        (Cause::LostInRestart, _) => "precall was restarted, and the caller was gone or had waited too long",
        (Cause::UnreadableLog, _) => "precall was restarted and could not read the log of the call",
        (Cause::Adopted, _) => {
            "the service before precall had left it open, and precall closed it when it took over the database"
        }
        (Cause::Panicked, _) => "a fault in precall stopped the call twice within a minute",
        (Cause::PbxLost, _) => "3CX stopped carrying the audio of the conversation",
        (Cause::ReachedPerson, _) => "no agent could be reached, and a person took the call",
    }
}

/// What to do about it; none where nothing is wrong.
pub(crate) fn advice(cause: Cause, blame: Option<Blame>) -> Option<&'static str> {
    Some(match (cause, blame) {
        (
            Cause::Completed
            | Cause::CallerHungUp
            | Cause::OperatorEnded
            | Cause::NoAnswer
            | Cause::Voicemail
            | Cause::Adopted,
            _,
        )
        | (Cause::AgentEnded, None)
        | (Cause::Draining, _) => return None,
        (Cause::AgentEnded, Some(_)) => {
            "Check the agent's first message and its end-call tool at ElevenLabs: it ends conversations before it \
             speaks."
        }
        (Cause::Busy, _) => {
            "If it happens often: end the PBX call in the 3CX flow before precall calls back."
        }
        (Cause::DialRefused, _) => {
            "Check CALLBACK_COUNTRIES, OWN_NUMBERS and the limits CALLBACK_LIMIT_... against this number."
        }
        (Cause::Loop, _) => "Let 3CX present the caller's number instead of its own.",
        (Cause::NoLeg, _) => {
            "Check in 3CX that the front door routes the call to precall's DN after the webhook."
        }
        (Cause::AtCapacity, _) => {
            "Raise MAX_LIVE_CALLS, or max_live_calls of the line, if this host can carry more."
        }
        (Cause::Budget, _) => {
            "Raise the budget that the log names (BUDGET_...), or wait until its time is over."
        }
        (Cause::Bypassed, _) => "Switch the bypass off when the reason for it is gone: `precall bypass off`.",
        (Cause::NoStorage, _) => "Check the database and the disk of SPOOL_DIR: `precall check`.",
        (Cause::GreetingFailed, Some(Blame::Provider)) => {
            "Check the recording notice and the greeting: `precall check`, and the problems in `precall status`."
        }
        (Cause::GreetingFailed, _) => {
            "Check the rights of the API client in 3CX and the load of the PBX: no audio reached the caller."
        }
        (Cause::HandoffFailed | Cause::ReachedPerson, _) => {
            "Look at the provider's words above, and run `precall check`."
        }
        (Cause::AgentLost | Cause::AgentStalled, _) => {
            "Check the agent, its model and its tools at ElevenLabs, and the network between."
        }
        (Cause::MaxDuration, _) => {
            "Nothing, if conversations may last no longer. Else raise CONVERSATION_MAX_SECONDS; on route callback \
             check that ElevenLabs delivers its post-call webhook."
        }
        (Cause::LostInRestart, _) => {
            "Nothing now. If restarts are frequent, look at the log for their reason."
        }
        (Cause::UnreadableLog | Cause::Panicked, _) => "Report it, with the log lines of this call.",
        (Cause::PbxLost, _) => "Check the PBX and the network between. Many at once: the PBX was restarted.",
    })
}

/// Who caused the end.
pub(crate) fn blame(blame: Option<Blame>) -> &'static str {
    match blame {
        None => "nobody's",
        Some(Blame::Caller) => "the caller's side",
        Some(Blame::Pbx) => "the phone system (3CX)",
        Some(Blame::Provider) => "ElevenLabs",
        Some(Blame::Precall) => "precall, or its settings",
        Some(Blame::Operator) => "an operator's request",
    }
}

/// What the caller was told at the end, as the rest of a sentence.
pub(crate) fn told(told: Told) -> &'static str {
    match told {
        Told::Nothing => "then the line closed",
        Told::Goodbye => "then the conversation ended with a goodbye",
        Told::Apology => "then an apology",
        Told::Person => "then a person or queue: the call went on there",
    }
}

/// Why there was no cloned voice, as the rest of a sentence.
pub(crate) fn no_voice(why: NoVoice) -> &'static str {
    match why {
        NoVoice::NoMapping => "no voice is mapped to this caller",
        NoVoice::NoConsent => "no valid consent covers the voice sample",
        NoVoice::NoSlot => "the ElevenLabs account has no free voice slot",
        NoVoice::Unproven => "the caller did not prove who they are",
        NoVoice::SampleRefused => "the voice sample cannot be used",
        NoVoice::CloneFailed => "cloning the voice failed",
        NoVoice::CloneTimeout => "cloning took longer than the call could wait",
        NoVoice::DatabaseUnreachable => "the database could not be asked which voice is the caller's",
        NoVoice::OverrideRefused => "the agent does not allow its voice to be set",
        NoVoice::BreakerOpen => "cloning had failed several times in a row, so precall did not try",
        NoVoice::Budget => "a budget for clones was used up",
        NoVoice::Erased => "the caller's data was erased",
        NoVoice::OperatorAsked => "an operator asked for the fallback voice",
    }
}

/// What to do about a missing voice; none where it is as it should be.
pub(crate) fn voice_advice(why: NoVoice) -> Option<&'static str> {
    Some(match why {
        NoVoice::Erased | NoVoice::OperatorAsked => return None,
        NoVoice::NoMapping => "Map the caller to a voice sample: `PUT /api/v1/callers/{caller_id}`.",
        NoVoice::NoConsent => {
            "Add a consent of the speaker that covers this sample: `POST /api/v1/speakers/{id}/consents`."
        }
        NoVoice::NoSlot => "Delete voices at ElevenLabs that nobody needs, or get more voice slots.",
        NoVoice::Unproven => {
            "Nothing, if the policy asks for a proof. Ten wrong PINs lock a PIN for an hour."
        }
        NoVoice::SampleRefused => {
            "Replace the sample: `PUT /api/v1/callers/{caller_id}/sample` says what is wrong with it."
        }
        NoVoice::CloneFailed => "Look at the words above, and at `precall status`.",
        NoVoice::CloneTimeout => {
            "Raise CLONE_MAX_WAIT_SECONDS if callers may wait longer. The next call may find the voice."
        }
        NoVoice::DatabaseUnreachable => "Check the database: `precall check`.",
        NoVoice::OverrideRefused => {
            "Switch on the override of the voice (tts.voice_id) in the security settings of the agent at ElevenLabs."
        }
        NoVoice::BreakerOpen => "Look at the clone failures before this call: `precall status`.",
        NoVoice::Budget => "Raise BUDGET_CALLER_CLONES_PER_DAY or BUDGET_CLONES_PER_DAY.",
    })
}
