//! Live supervision of a call: what the edge asks, and the seats of those who listen. The rules are in `precall-call`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Message;
use precall_audio::tap::{TapReader, TapWriter};
use precall_call::{CallId, NotSupervised, Operator, Telling};
use precall_providers::elevenlabs::{contextual_update_text, user_message_text};
use tokio::sync::oneshot;

/// Most listeners of one call, and of all calls. Each holds two seconds of audio and a connection.
const PER_CALL_MAX: usize = 4;
const LISTENERS_MAX: usize = 32;

/// Why a call is not supervised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisionRefusal {
    /// No live call has this id.
    NotLive,
    /// The rules of the call do not allow it now.
    NotNow(NotSupervised),
    /// This call, or the installation, has its limit of listeners.
    TooManyListeners,
    /// The call did not answer in time, or what was told was not durable in time.
    NotInTime,
}

/// What an operator may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupervisionView {
    /// Whether one may listen, or why not.
    pub listen: Result<(), NotSupervised>,
    /// Whether one may tell the agent something, or why not.
    pub tell: Result<(), NotSupervised>,
    /// How many listen.
    pub listeners: usize,
}

/// The mailbox of one of a call's actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorMailbox {
    /// The actor's name.
    pub actor: &'static str,
    /// How long a message waits in it. None: the actor did not answer within half a second.
    pub waits: Option<Duration>,
}

/// A listener's place at a call. Dropping it ends the tap and frees the place.
#[derive(Debug)]
pub struct Listening {
    /// The audio.
    pub tap: TapReader,
    _seat: ListenerSeat,
}

impl Listening {
    pub(crate) fn new(tap: TapReader, seat: ListenerSeat) -> Self {
        Self { tap, _seat: seat }
    }
}

/// The answer to the edge.
pub(crate) type SupervisionAnswer<T> = oneshot::Sender<Result<T, SupervisionRefusal>>;

/// What the edge asks of a call's actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum Supervise {
    /// What is possible now?
    Look(SupervisionAnswer<SupervisionView>),
    /// Which actors run for the call, and how long do messages wait for them?
    Mailboxes(SupervisionAnswer<Vec<ActorMailbox>>),
    /// Let somebody listen.
    Listen(SupervisionAnswer<Listening>),
    /// Tell the agent something.
    Tell {
        /// What the agent is to do with it.
        what: Telling,
        /// The text.
        text: String,
        /// Who wrote it.
        by: Operator,
        /// Receives the answer when it is durable.
        answer: SupervisionAnswer<()>,
    },
}

impl Supervise {
    /// Answers that nothing was done.
    pub(crate) fn refuse(self, why: SupervisionRefusal) {
        match self {
            Self::Look(answer) => {
                let _ = answer.send(Err(why));
            }
            Self::Mailboxes(answer) => {
                let _ = answer.send(Err(why));
            }
            Self::Listen(answer) => {
                let _ = answer.send(Err(why));
            }
            Self::Tell { answer, .. } => {
                let _ = answer.send(Err(why));
            }
        }
    }
}

/// Copies the leg's audio for a listener. For the leg's player.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ListenToLeg(pub(crate) TapWriter);

/// Sends the agent of this attempt a message. For the leg's player.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TellAgent {
    pub(crate) attempt: u8,
    pub(crate) message: String,
}

/// The message to the agent. ElevenLabs has no message that makes an agent say a given sentence: the agent answers a
/// `user_message`, which asks it to say the sentence.
pub(crate) fn message_to_agent(what: Telling, text: &str) -> String {
    match what {
        Telling::Context => contextual_update_text(text),
        Telling::Say => user_message_text(&format!(
            "(This is an instruction of the operator of this service. The caller did not say it and does not hear it. \
             Say the following to the caller now, word for word, and nothing else.) {text}"
        )),
    }
}

/// Who listens to which call. Cheap to clone; all clones share the same seats.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Arc<Mutex<HashMap<CallId, usize>>>);

/// A taken place among the listeners. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct ListenerSeat {
    all: Listeners,
    call: CallId,
}

impl Listeners {
    /// Takes a place; none when the call or the installation has its limit.
    pub(crate) fn take(&self, call: CallId) -> Option<ListenerSeat> {
        let mut seats = self.seats();
        let of_all: usize = seats.values().sum();
        let of_call = seats.entry(call).or_default();
        if of_all >= LISTENERS_MAX || *of_call >= PER_CALL_MAX {
            if *of_call == 0 {
                seats.remove(&call);
            }
            return None;
        }
        *of_call = of_call.saturating_add(1);
        Some(ListenerSeat { all: self.clone(), call })
    }

    /// How many listen to this call.
    #[must_use]
    pub fn of(&self, call: CallId) -> usize {
        self.seats().get(&call).copied().unwrap_or_default()
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<CallId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ListenerSeat {
    fn drop(&mut self) {
        let mut seats = self.all.seats();
        if let Some(count) = seats.get_mut(&self.call) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                seats.remove(&self.call);
            }
        }
    }
}

#[cfg(test)]
mod tests;
