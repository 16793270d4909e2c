//! What a call may do and how long it may take, fixed when it is offered. `step` reads nothing else.

use core::time::Duration;
use std::sync::Arc;

use crate::cause::named;
use crate::ids::{LineId, VoiceId};

named! {
    /// How greeting and handoff reach the caller.
    Route {
        /// The agent's audio is relayed into the caller's own leg.
        Bridge = "bridge",
        /// The leg is routed to a trunk that leads to the agent.
        Transfer = "transfer",
        /// Two outbound calls: the greeting, then the agent.
        Callback = "callback",
    }
}

named! {
    /// One way to bring the caller to somebody, tried at most once a call.
    Rung {
        /// Agent over the bridge, in the cloned voice.
        BridgeCloned = "bridge_cloned",
        /// Agent over the bridge, in the fallback voice.
        BridgeFallback = "bridge_fallback",
        /// `routeto` the agent's trunk.
        Transfer = "transfer",
        /// Outbound agent call in the cloned voice.
        CallbackCloned = "callback_cloned",
        /// Outbound agent call in the fallback voice.
        CallbackFallback = "callback_fallback",
        /// `routeto` a person or queue.
        Destination = "destination",
        /// The apology clip, then drop.
        Apology = "apology",
        /// `routeto` a person somebody asked for during the conversation. Not a step of the ladder: whoever is not reached leaves
        /// the caller with the agent.
        Person = "person",
    }
}

impl Rung {
    /// Whether it makes sense only with a cloned voice.
    #[must_use]
    pub fn wants_clone(self) -> bool {
        matches!(self, Self::BridgeCloned | Self::CallbackCloned)
    }

    /// Whether the agent's audio is relayed into the caller's own leg.
    #[must_use]
    pub fn bridges(self) -> bool {
        matches!(self, Self::BridgeCloned | Self::BridgeFallback)
    }

    /// Whether the agent at its end speaks with the cloned voice where there is one.
    #[must_use]
    pub fn takes_clone(self) -> bool {
        self.wants_clone() || self == Self::Transfer
    }

    /// Whether it needs our audio in the caller's leg.
    #[must_use]
    pub fn needs_audio(self) -> bool {
        self.bridges() || self == Self::Apology
    }

    /// Whether the PBX routes the caller's leg away from us.
    #[must_use]
    pub fn routes(self) -> bool {
        matches!(self, Self::Transfer | Self::Destination | Self::Person)
    }

    /// Whether the rung dials out, so that a lost answer may mean a ringing telephone.
    #[must_use]
    pub fn dials(self) -> bool {
        matches!(self, Self::CallbackCloned | Self::CallbackFallback)
    }

    /// Whether an agent speaks at its end.
    #[must_use]
    pub fn leads_to_agent(self) -> bool {
        match self {
            Self::BridgeCloned
            | Self::BridgeFallback
            | Self::Transfer
            | Self::CallbackCloned
            | Self::CallbackFallback => true,
            Self::Destination | Self::Apology | Self::Person => false,
        }
    }
}

/// A person or queue at the PBX, by the name the configuration gives it. Neither a model nor a caller ever names a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Person {
    /// `FALLBACK_DESTINATION`.
    Fallback,
    /// One of `TRANSFER_DESTINATIONS`.
    Named(Arc<str>),
}

named! {
    /// Who may hear a caller's voice: a caller's number can be forged.
    VoicePolicy {
        /// Whoever calls from the number.
        Number = "number",
        /// Whoever proves to be the caller.
        Proof = "proof",
        /// Nobody.
        Never = "never",
    }
}

named! {
    /// By what a caller may prove to be who the number says.
    ProofWay {
        /// By the leg alone: a telephone of the PBX's own, or a trusted trunk.
        Leg = "leg",
        /// By the leg, or by a PIN.
        LegOrPin = "leg_or_pin",
    }
}

named! {
    /// What proved that a caller is who the number says.
    ProvedBy {
        /// The leg: where the call comes from cannot be forged.
        Leg = "leg",
        /// A PIN.
        Pin = "pin",
    }
}

named! {
    /// Whether a caller has proved to be who the number says.
    Proof {
        /// Not so far.
        None = "none",
        /// By the leg or a PIN.
        Given = "given",
    }
}

/// What happens while the voice is not ready and the greeting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoiceWait {
    /// Hold music until the voice is decided.
    Hold,
    /// After so long on hold the agent begins in the fallback voice.
    Start {
        /// `MAX_HOLD_SECONDS`.
        after: Duration,
    },
}

/// Everything `step` needs to know about this call that is not an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// The line that was called.
    pub line: LineId,
    /// Voice of the fallback rungs; none leaves the agent's own.
    pub fallback_voice: Option<VoiceId>,
    /// Hold for the voice, or start without it.
    pub voice_wait: VoiceWait,
    /// False holds until an operator acts or `clone_max_wait` has passed.
    pub auto_transition: bool,
    /// The agent can be relayed into the caller's own leg, so the bridge rungs exist.
    pub has_bridge: bool,
    /// `AGENT_DESTINATION` is configured, so the transfer rung exists.
    pub has_transfer: bool,
    /// `FALLBACK_DESTINATION` is configured.
    pub has_destination: bool,
    /// Names of `TRANSFER_DESTINATIONS`: whom a caller may be brought to during a conversation.
    pub persons: Arc<[Arc<str>]>,
    /// `CALLBACK_ENDS_WITH_PBX_CALL`.
    pub ends_with_pbx_call: bool,
    /// Version of the notice that must have been heard to its end before any agent is brought in; none when there is none to
    /// give. On live legs only.
    pub notice: Option<Arc<str>>,
    /// Key that skips what is left of the greeting, once the notice was heard.
    pub skip_key: Option<char>,
    /// Key that asks for a person.
    pub person_key: Option<char>,
    /// Whether the offer itself proves who calls.
    pub proof: Proof,
    /// How long a PIN is waited for, once the greeting is over.
    pub pin_wait: Duration,
    /// How long the voice may take, from Offered.
    pub clone_max_wait: Duration,
    /// How long a telephone may ring.
    pub ring_max: Duration,
    /// How long a greeting may last once it is heard.
    pub greeting_max: Duration,
    /// How long one attempt at a handoff may take.
    pub handoff_max: Duration,
    /// How long an agent conversation may last.
    pub conversation_max: Duration,
    /// How long a webhook's leg may take to appear.
    pub leg_max: Duration,
    /// How long the provider may take to report what has ended.
    pub report_grace: Duration,
}

impl Policy {
    /// The rungs of this route, best first.
    #[must_use]
    pub fn ladder(&self) -> &'static [Rung] {
        match self.route {
            Route::Bridge => {
                &[Rung::BridgeCloned, Rung::BridgeFallback, Rung::Transfer, Rung::Destination, Rung::Apology]
            }
            Route::Transfer => {
                &[Rung::Transfer, Rung::BridgeCloned, Rung::BridgeFallback, Rung::Destination, Rung::Apology]
            }
            Route::Callback => &[Rung::CallbackCloned, Rung::CallbackFallback],
        }
    }

    /// Whether the rung can be tried at all on this installation.
    #[must_use]
    pub fn offers(&self, rung: Rung) -> bool {
        match rung {
            Rung::Transfer => self.has_transfer,
            Rung::Destination => self.has_destination,
            Rung::BridgeCloned | Rung::BridgeFallback => self.has_bridge,
            Rung::CallbackCloned | Rung::CallbackFallback | Rung::Apology => true,
            Rung::Person => self.has_destination || !self.persons.is_empty(),
        }
    }

    /// Whether this person is one that a caller may be brought to.
    #[must_use]
    pub fn knows(&self, person: &Person) -> bool {
        match person {
            Person::Fallback => self.has_destination,
            Person::Named(name) => self.persons.contains(name),
        }
    }

    /// Whom a caller gets who presses the key for a person; nobody where nobody is configured.
    #[must_use]
    pub fn person_of_key(&self) -> Option<Person> {
        if self.has_destination {
            return Some(Person::Fallback);
        }
        self.persons.first().cloned().map(Person::Named)
    }

    /// Greeting and handoff happen on the caller's own leg.
    #[must_use]
    pub fn on_live_leg(&self) -> bool {
        matches!(self.route, Route::Bridge | Route::Transfer)
    }
}
