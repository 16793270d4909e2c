//! What a call holds outside its state: the watch for its greeting's end, and a paid seat.
//!
//! Every step ends here, so that no way out of a phase can forget to give them up.

use super::StepBuilder;
use crate::effect::Effect;
use crate::event::Event;
use crate::state::{Call, Seat};

impl StepBuilder {
    /// Gives up what the call does not need any more. These orders come last, after those that stop the parts that
    /// use it.
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

    /// Whether this step orders an attempt that leads to an agent. The call keeps its seat for it: otherwise another
    /// call could take the seat between two attempts.
    fn opens_conversation_next(&self) -> bool {
        self.effects.iter().any(|effect| {
            matches!(effect, Effect::Intend(Event::HandoffStarted { rung, .. }) if rung.leads_to_agent())
        })
    }
}
