//! The policy of a call: what it may do, and how long it may take. It is fixed at the offer; `step` reads no other
//! settings.

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
    /// A rung of the handoff ladder: one way to connect the caller. Each is tried at most once a call, except after a
    /// loss that was not the rung's fault.
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
        /// Play the apology, then drop the leg.
        Apology = "apology",
        /// `routeto` a person whom the caller asked for during the conversation. Not part of the ladder: if the
        /// person is not reached, the caller returns to the agent.
        Person = "person",
    }
}

impl Rung {
    /// Whether the rung needs a cloned voice.
    #[must_use]
    pub(crate) fn wants_clone(self) -> bool {
        matches!(self, Self::BridgeCloned | Self::CallbackCloned)
    }

    /// Whether the agent's audio is relayed into the caller's own leg.
    #[must_use]
    pub fn bridges(self) -> bool {
        matches!(self, Self::BridgeCloned | Self::BridgeFallback)
    }

    /// Whether the agent on this rung uses the cloned voice if there is one.
    #[must_use]
    pub fn takes_clone(self) -> bool {
        self.wants_clone() || self == Self::Transfer
    }

    /// Whether the rung needs our audio in the caller's leg.
    #[must_use]
    pub fn needs_audio(self) -> bool {
        self.bridges() || self == Self::Apology
    }

    /// Whether the PBX routes the caller's leg away from precall.
    #[must_use]
    pub fn routes(self) -> bool {
        matches!(self, Self::Transfer | Self::Destination | Self::Person)
    }

    /// Whether the rung dials a telephone: after a lost answer it may be ringing.
    #[must_use]
    pub fn dials(self) -> bool {
        matches!(self, Self::CallbackCloned | Self::CallbackFallback)
    }

    /// Whether the rung connects the caller with an agent. Such a conversation is paid for and needs a seat.
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

/// A person or queue at the PBX, by its name in the configuration. Agents and callers choose a name, never a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Person {
    /// `FALLBACK_DESTINATION`.
    Fallback,
    /// One of `TRANSFER_DESTINATIONS`.
    Named(Arc<str>),
}

named! {
    /// Which calls may use a caller's cloned voice: a caller's number can be forged.
    VoicePolicy {
        /// Every call from the number.
        Number = "number",
        /// Calls with proof of identity.
        Proof = "proof",
        /// None.
        Never = "never",
    }
}

named! {
    /// Which proof of identity is accepted.
    ProofWay {
        /// The leg alone: an extension of the PBX, or a trusted trunk.
        Leg = "leg",
        /// The leg, or a PIN.
        LegOrPin = "leg_or_pin",
    }
}

named! {
    /// What proved the caller's identity.
    ProvedBy {
        /// The leg: its origin cannot be forged.
        Leg = "leg",
        /// A PIN.
        Pin = "pin",
    }
}

named! {
    /// Whether the caller has proved their identity.
    Proof {
        /// Not yet.
        None = "none",
        /// By the leg or a PIN.
        Given = "given",
    }
}

/// What to do when the greeting is over and the voice is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoiceWait {
    /// Play hold music until the voice is decided.
    Hold,
    /// Play hold music, and start the agent in the fallback voice after this time.
    Start {
        /// `MAX_HOLD_SECONDS`.
        after: Duration,
    },
}

/// All settings that `step` uses for this call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// The line that was called.
    pub line: LineId,
    /// The version of its settings; none for the default line, and for settings that have no version.
    pub line_version: Option<u32>,
    /// Voice of the fallback rungs; without one the agent uses its own.
    pub fallback_voice: Option<VoiceId>,
    /// Wait for the voice, or start without it.
    pub voice_wait: VoiceWait,
    /// If false, the call holds until an operator hands it off or `clone_max_wait` has passed.
    pub auto_transition: bool,
    /// The agent can be relayed into the caller's own leg, so the bridge rungs exist.
    pub has_bridge: bool,
    /// `AGENT_DESTINATION` is configured, so the transfer rung exists.
    pub has_transfer: bool,
    /// `FALLBACK_DESTINATION` is configured.
    pub has_destination: bool,
    /// Names of `TRANSFER_DESTINATIONS`: persons to whom a caller may be transferred during a conversation.
    pub persons: Arc<[Arc<str>]>,
    /// `CALLBACK_ENDS_WITH_PBX_CALL`.
    pub ends_with_pbx_call: bool,
    /// Version of the notice. The caller must hear it to its end before any agent is started. None if the line has no
    /// notice. On live legs only.
    pub notice: Option<Arc<str>>,
    /// Key that skips the rest of the greeting, after the notice.
    pub skip_key: Option<char>,
    /// Key that asks for a person.
    pub person_key: Option<char>,
    /// Whether the offer itself proves the caller's identity.
    pub proof: Proof,
    /// How long the call waits for a PIN after the greeting.
    pub pin_wait: Duration,
    /// How long the voice may take, from the offer.
    pub clone_max_wait: Duration,
    /// How long a telephone may ring.
    pub ring_max: Duration,
    /// How long a greeting may last.
    pub greeting_max: Duration,
    /// How long one attempt at a handoff may take.
    pub handoff_max: Duration,
    /// How long an agent conversation may last.
    pub conversation_max: Duration,
    /// How long the leg may take to appear after the webhook.
    pub leg_max: Duration,
    /// How long the PBX's list of legs may take after a restart; none in logs of earlier versions: as `leg_max`.
    pub list_max: Option<Duration>,
    /// How long the provider may take to report on an ended conversation.
    pub report_grace: Duration,
    /// Whether the log says when the caller hears an agent on the bridge. Logs of earlier versions do not.
    pub notes_first_word: bool,
    /// Whether a restart of precall uses up no retry and no rung, and an agent that ends the conversation before the
    /// caller heard it is called once more. Calls of earlier versions count the first as a loss, and take the second
    /// for a goodbye.
    pub free_retries: bool,
    /// Whether operators may listen once the notice was heard: supervision was on when the call came in, and the
    /// notice of its line mentions it.
    pub supervised: bool,
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

    /// Whether this installation has the rung.
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

    /// Whether this person is configured.
    #[must_use]
    pub fn knows(&self, person: &Person) -> bool {
        match person {
            Person::Fallback => self.has_destination,
            Person::Named(name) => self.persons.contains(name),
        }
    }

    /// The person whom the key for a person calls; none if no person is configured.
    #[must_use]
    pub(crate) fn person_of_key(&self) -> Option<Person> {
        if self.has_destination {
            return Some(Person::Fallback);
        }
        self.persons.first().cloned().map(Person::Named)
    }

    /// Whether greeting and handoff use the caller's own leg.
    #[must_use]
    pub fn on_live_leg(&self) -> bool {
        matches!(self.route, Route::Bridge | Route::Transfer)
    }
}
