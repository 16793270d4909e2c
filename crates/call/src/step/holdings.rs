//! What a call holds outside itself, and the step in which it gives that up: the watch for its greeting's end, and a paid seat.
//!
//! Every step ends here, so that no way out of a phase can forget it.

use super::StepBuilder;
use crate::effect::Effect;
use crate::event::Event;
use crate::state::{Call, Seat};

impl StepBuilder {
    /// Ends the step: the call gives up what it does not need any more. The orders come last, after those that stop the users.
    pub(super) fn give_up_what_is_left_behind(&mut self, before: &Call) {
        if before.watches_greeting() && !self.call.watches_greeting() {
            self.effects.push(Effect::StopWatchingGreeting);
        }
        let needed = self.call.may_have_conversation() || self.opens_conversation_next();
        if self.call.seat == Seat::Held && !needed {
            self.call.seat = Seat::None;
            self.effects.push(Effect::ReleaseSeat);
        }
    }

    /// Whether the next attempt is ordered already and leads to an agent. Between two attempts the call keeps its seat: another
    /// call could take it otherwise.
    fn opens_conversation_next(&self) -> bool {
        self.effects.iter().any(|effect| {
            matches!(effect, Effect::Intend(Event::HandoffStarted { rung, .. }) if rung.leads_to_agent())
        })
    }
}
