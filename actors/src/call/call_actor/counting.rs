//! Counts what an event means: for metrics, for health, for budgets. A call of the canary counts in none of them.

use precall_call::{Call, Event, Fact, facts};

use super::CallActor;
use crate::call::projection::Payload;
use crate::limits::budgets::Use;

impl CallActor {
    /// Counts an event for metrics, health and budgets. A call of the canary counts nowhere: its run hears of it.
    pub(super) fn count(&self, event: &Event, payload: &Payload, next: &Call) {
        let before = Some(&self.call);
        if self.context.canary {
            let words = match payload {
                Payload::Detail(words) => Some(words.as_str()),
                Payload::Report(_)
                | Payload::Recording(_)
                | Payload::Leg(_)
                | Payload::Words(_)
                | Payload::None => None,
            };
            return self.services.canary.observe(self.context.id, &self.call, event, words, next);
        }
        self.services.metrics.observe(before, event, next);
        self.services.metrics.lines.observe(&self.context.pbx, before, next);
        self.services.outcomes.observe(self.context.id, before, event, next);
        self.count_conversations(event, payload, next);
    }

    /// Adds a finished conversation to the budgets. `facts` decides which reports count; the cost is in the payload
    /// only.
    fn count_conversations(&self, event: &Event, payload: &Payload, next: &Call) {
        let Payload::Report(report) = payload else { return };
        for fact in facts(Some(&self.call), event, next) {
            if let Fact::ConversationReported { conversation, duration } = fact {
                let took = Use {
                    seconds: duration.unwrap_or_default().as_secs(),
                    credits: report.cost.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(0),
                };
                self.services.budgets.lock().conversation_over(&conversation, took, next.at);
            }
        }
    }
}
