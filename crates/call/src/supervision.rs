//! Live supervision: when an operator may listen to a call, and when one may tell its agent something.

use crate::cause::{Told, named};
use crate::phase::Phase;
use crate::state::{Call, Leg};

/// How often operators may tell the agent of one call something.
const TOLD_MAX: u16 = 200;

named! {
    /// Why an operator may not supervise a call now.
    NotSupervised {
        /// The call is over.
        Over = "over",
        /// Supervision was off when the call came in, or its notice does not mention it.
        Unannounced = "unannounced",
        /// The caller did not hear the notice to its end yet.
        NoticeNotHeard = "notice_not_heard",
        /// The caller hears nothing of precall on a leg of their own.
        NotBridged = "not_bridged",
        /// No agent is connected with the caller on the bridge.
        NotConversing = "not_conversing",
        /// The agent of this call was told too much already.
        TooOften = "too_often",
    }
}

named! {
    /// Why nobody can listen to a call any more.
    ListenEnd {
        /// The call is over.
        CallEnded = "call_ended",
        /// The caller is with a person, or with an agent outside precall.
        HandedOver = "handed_over",
    }
}

impl Call {
    /// Whether operators may listen now: the caller heard a notice that mentions it, to its end, and hears precall on
    /// a leg of their own.
    ///
    /// # Errors
    /// Why they may not.
    pub fn may_be_listened_to(&self) -> Result<(), NotSupervised> {
        if self.is_released() {
            return Err(NotSupervised::Over);
        }
        if !self.policy.supervised {
            return Err(NotSupervised::Unannounced);
        }
        if !self.policy.on_live_leg() {
            return Err(NotSupervised::NotBridged);
        }
        if !self.notice_given() {
            return Err(NotSupervised::NoticeNotHeard);
        }
        if self.hears_precall() { Ok(()) } else { Err(NotSupervised::NotBridged) }
    }

    /// The attempt whose agent an operator may tell something now: the agent and the caller hear each other, and the
    /// call may be listened to.
    ///
    /// # Errors
    /// Why there is none.
    pub fn agent_to_tell(&self) -> Result<u8, NotSupervised> {
        self.may_be_listened_to()?;
        match self.phase {
            Phase::Conversing(with) if self.told < TOLD_MAX => Ok(with.attempt.number),
            Phase::Conversing(_) => Err(NotSupervised::TooOften),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Released(_) => Err(NotSupervised::NotConversing),
        }
    }

    /// Why nobody can listen to this call any more; none while somebody may, or may later. A leg that went can come
    /// back: then listening ends with the leg's audio, and may begin again.
    #[must_use]
    pub fn listening_ended(&self) -> Option<ListenEnd> {
        match self.phase {
            Phase::Released(release) if release.told == Told::Person => Some(ListenEnd::HandedOver),
            Phase::Released(_) => Some(ListenEnd::CallEnded),
            Phase::Conversing(with) if !with.attempt.rung.bridges() => Some(ListenEnd::HandedOver),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_) => None,
        }
    }

    /// Whether precall plays into the caller's leg: announcements, music or the agent.
    fn hears_precall(&self) -> bool {
        let has_audio = self.leg == Leg::Connected && !self.audio_lost;
        match self.phase {
            Phase::Offered | Phase::Released(_) => false,
            Phase::Greeting(_) | Phase::Holding | Phase::HandingOff(_) => has_audio,
            Phase::Conversing(with) => has_audio && with.attempt.rung.bridges(),
        }
    }
}
